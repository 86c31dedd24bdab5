"""Run by Alembic; the connection and its transaction are the caller's (`db/migrate.py`)."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
