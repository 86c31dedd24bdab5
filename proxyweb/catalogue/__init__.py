"""What is known of the world outside: services and the domains they are seen by, file extensions and their kinds."""
