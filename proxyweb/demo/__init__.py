"""Believable traffic of people who don't exist: for `proxyweb demo`, the measurements and the tests."""
