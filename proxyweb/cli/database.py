"""The database of a command that has to stay small: brought up to date by a child, since Alembic takes 40 MB."""

from __future__ import annotations

import os

from proxyweb.config import Config
from proxyweb.db.connection import connect, tried_twice
from proxyweb.db.migrate import is_current
from proxyweb.errors import DatabaseError, ProxywebError
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.reclassification import is_classified


def ready(config: Config) -> None:
    """Make the instance folder and the database, or bring it up to date, where that is needed.

    Raises ProxywebError with what the child said.
    """
    if tried_twice(config.database, lambda: _is_ready(config)):
        return
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        _prepare(config, sender)
    os.close(sender)
    with open(receiver, "rb") as said:
        message = said.read().decode()
    _, status = os.waitpid(child, 0)
    if status:
        raise DatabaseError(message or f"The database {config.database} could not be brought up to date.")


def _is_ready(config: Config) -> bool:
    database = config.database
    if not database.exists() or not database.stat().st_size:
        return False
    conn = connect(database, readonly=True)
    try:
        return is_current(conn) and is_classified(conn, Enrichment(config.shadow_it_file))
    finally:
        conn.close()


def _prepare(config: Config, sender: int) -> None:
    code = 1
    try:
        from proxyweb.instance import prepare_database, prepare_instance

        prepare_instance(config)
        prepare_database(config)
        code = 0
    except ProxywebError as error:
        os.write(sender, error.detail.encode())
    finally:
        os._exit(code)
