"""What gunicorn loads: `gunicorn wsgi:app`."""

from proxyweb.app import create_app

app = create_app()
