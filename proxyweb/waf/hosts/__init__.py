"""What a host's name alone gives away: that a program made it up, or that it poses as a brand."""
