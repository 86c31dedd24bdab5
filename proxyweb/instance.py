"""The instance folder and its database, brought up to date. Knows nothing of the web, to start fast."""

from __future__ import annotations

from contextlib import closing

from proxyweb import audit_chain
from proxyweb.config import Config
from proxyweb.db.connection import connect, transaction
from proxyweb.db.migrate import migrate
from proxyweb.errors import ConfigError
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.reclassification import reclassify
from proxyweb.secret import load


def prepare_instance(config: Config) -> None:
    """Make the instance folder (0750) and the secret key. Raises ConfigError when that can't be done."""
    try:
        if not config.instance.exists():
            for above in reversed(config.instance.parents):
                above.mkdir(mode=0o755, exist_ok=True)  # whatever the umask: who may write there could replace it
            config.instance.mkdir(mode=0o750, exist_ok=True)
            config.instance.chmod(0o750)
    except OSError as error:
        raise ConfigError(f"The instance folder {config.instance} can't be made: {error.strerror}.") from error
    load(config.secret_key_file)


def prepare_database(config: Config) -> None:
    """The database at its newest schema, with what is in it understood by the newest knowledge."""
    prepare_schema(config)
    with closing(connect(config.database)) as conn:
        reclassify(conn, Enrichment(config.shadow_it_file))


def prepare_schema(config: Config) -> None:
    """The database at its newest schema; the audit log of a new one is sealed."""
    migrate(config.database)
    with closing(connect(config.database)) as conn:
        if audit_chain.is_unsealed(conn):
            with transaction(conn):
                audit_chain.begin(conn)
