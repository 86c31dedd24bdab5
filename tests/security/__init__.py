"""What must hold against those who mean harm: from outside, with a password, through the log, and through a file."""
