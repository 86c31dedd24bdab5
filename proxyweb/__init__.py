"""Squid's access log in one SQLite file, and the API and dashboard that answer from it."""

__version__ = "0.1.0"
