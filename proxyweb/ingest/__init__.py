"""From a log file to rows: parsers, follower, rollups, and the one transaction that stores it all. No Flask here."""
