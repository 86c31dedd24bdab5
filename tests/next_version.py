"""The program as it may be one day: all of it, and a migration more, that makes a table anew and takes long."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import proxyweb
from proxyweb.db.migrations import VERSIONS, known_versions, statements

NEWEST = known_versions()[-1]
NEXT = f"{int(NEWEST) + 1:04}"
PACKAGE = Path(proxyweb.__file__).parent

PYTHON = f'''\
"""Makes the table of files anew, which others refer to, and keeps what each client was seen to do."""

import os
import time
from pathlib import Path

from alembic import op

from proxyweb.db.migrations import statements

revision = "{NEXT}"
down_revision = "{NEWEST}"


def upgrade() -> None:
    op.execute("PRAGMA cache_size = 5")  # so that much of it is in the write-ahead log before it is committed
    for statement in statements(revision):
        op.execute(statement)
    if "SLOW_MIGRATION" in os.environ:
        Path(os.environ["SLOW_MIGRATION"]).touch()
        time.sleep(60)
'''
SQL = """\
CREATE TABLE seen (id INTEGER PRIMARY KEY, client_id INTEGER NOT NULL REFERENCES clients (id), text TEXT) STRICT;
INSERT INTO seen SELECT id, client_id, hex(randomblob(1000)) FROM proxy_logs;
{renewed};
INSERT INTO renewed SELECT * FROM sources;
DROP TABLE sources;
ALTER TABLE renewed RENAME TO sources;
CREATE INDEX sources_first ON sources (first_size, first_crc);
"""


def make(folder: Path) -> Path:
    """The next version of the program, in `folder`."""
    package = shutil.copytree(PACKAGE, folder / "proxyweb", ignore=shutil.ignore_patterns("__pycache__"))
    versions = package / VERSIONS.relative_to(PACKAGE)
    (made,) = [
        statement
        for version in known_versions()
        for statement in statements(version)
        if statement.strip().startswith("CREATE TABLE sources ")
    ]
    (versions / f"{NEXT}_made_up.py").write_text(PYTHON)
    (versions / f"{NEXT}_made_up.sql").write_text(SQL.format(renewed=made.strip().replace("sources", "renewed", 1)))
    return folder


def environment(program: Path, instance: Path, **more: str) -> dict[str, str]:
    """What `python -m proxyweb` is to be given to be the program in `program`."""
    return {**os.environ, "PYTHONPATH": str(program), "PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": "",
            "PYTHONSAFEPATH": "1", **more}  # fmt: skip


PROGRAM = (sys.executable, "-m", "proxyweb")
