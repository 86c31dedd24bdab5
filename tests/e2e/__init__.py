"""Tests against real parts: Squid, gunicorn, Chromium."""
