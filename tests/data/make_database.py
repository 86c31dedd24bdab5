"""Writes a small database of the schema that this version of the program has, as SQL, into `databases/`.

Run ``python -m tests.data.make_database`` in the checkout before a version with a new migration is released, and keep
what was written for the older ones: from each of them there has to be a way to the newest (`tests/test_upgrade.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from proxyweb import audit
from proxyweb.accounts import users
from proxyweb.config import load
from proxyweb.db.connection import connect
from proxyweb.db.migrations import known_versions
from proxyweb.db.session import driver, open_session, transaction
from proxyweb.ingest.importer import Importer
from proxyweb.queries import waf
from proxyweb.queries.services import set_service_status
from proxyweb.queries.waf_lists import DOMAINS, NETWORKS, add
from proxyweb.setting_changes import change
from proxyweb.start import prepare

HERE = Path(__file__).parent
FOLDER = HERE / "databases"
SECRET = b"a secret for databases of tests."
LOGS = ("native.log", "proxyweb.log", "combined.log")
ODD = (b"no line of a log\n", b"\n", b"1770000000.000 1 192.0.2.7 TCP_MISS/200 7 GET http://odd.test/ - NONE/- -\n")
NOW = 1_770_000_000
ADMIN, VIEWER = ("admin", "the admin's password"), ("viewer", "the viewer's password")
SETTINGS = {"log_retention_days": 400, "enable_waf": True, "block_direct_ip": True}
BLOCKED_DOMAIN, BLOCKED_NETWORK = "tracker.example", "192.168.20.0/24"
SERVICE, STATUS = "Dropbox", "not approved"
CATEGORY_OFF = "DGA"


def main() -> None:
    """One more file, named after the schema's version."""
    with tempfile.TemporaryDirectory() as folder:
        FOLDER.mkdir(exist_ok=True)
        target = FOLDER / f"{known_versions()[-1]}.sql"
        target.write_text(made(Path(folder) / "instance"))
    print(target)


def made(instance: Path) -> str:
    """The SQL of a database in which everything that has to survive an upgrade was done."""
    instance.mkdir()
    (instance / "secret.key").write_bytes(SECRET)
    config = load({"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": "", "PROXYWEB_ADMIN_PASSWORD": ADMIN[1]})
    prepare(config, clock())
    odd = instance / "odd.log"
    odd.write_bytes(b"".join(ODD))
    with closing(connect(config.database)) as conn:
        for log in (*(HERE / name for name in LOGS), odd):
            Importer(conn, parallel=False).import_file(log)
    with transaction(open_session(config.database)) as session:
        users.add(session, *VIEWER, "viewer", NOW)
        change(session, SETTINGS, now=NOW, username="admin", address="192.0.2.1")
        conn = driver(session)
        add(conn, DOMAINS, BLOCKED_DOMAIN, "Follows people", NOW)
        add(conn, NETWORKS, BLOCKED_NETWORK, "Guests", NOW)
        set_service_status(conn, SERVICE, STATUS, NOW)
        waf.switch_category(conn, CATEGORY_OFF, False, NOW)
        for number in range(5):
            audit.record(session, NOW + number, "admin", "made up", target=f"{number}", address="2001:db8::1")
    with closing(connect(config.database)) as conn:
        sql = "\n".join(conn.iterdump()) + "\n"
    for folder in (HERE, instance):
        sql = sql.replace(str(folder), "/var/log/squid")
    return sql


def clock() -> Callable[[], float]:
    """Time that goes on by a second whenever it is asked for."""
    seconds = count(NOW)
    return lambda: float(next(seconds))


if __name__ == "__main__":
    main()
