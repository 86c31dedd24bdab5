"""The tests mirror the package's tree; real parts (gunicorn, Squid, a browser) are in `e2e`."""
