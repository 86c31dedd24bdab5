"""The HTTP API: one blueprint an area, and what all of them share (authentication, parameters, envelope, caching)."""
