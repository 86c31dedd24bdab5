"""An instance that looks as if somebody had been using it for a month."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO, cast

from sqlalchemy.orm import Session

from proxyweb import audit
from proxyweb.catalogue.shadow_it import load
from proxyweb.config import Config
from proxyweb.db.connection import connect
from proxyweb.db.database import advance
from proxyweb.db.session import driver, open_session, transaction
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.importer import Importer
from proxyweb.queries.services import set_service_status
from proxyweb.queries.waf_lists import DOMAINS, NETWORKS, add
from proxyweb.setting_changes import change
from proxyweb.start import prepare

DAY = 86_400
SETTINGS = {"enable_waf": True, "enable_domain_blacklist": True, "block_direct_ip": True}
DOMAINS_BLOCKED = {
    "tracker.example": "Follows people from site to site",
    "casino.example": "Not at work",
    "free-software.example": "Brings more than it says",
    "account-check.example": "Asks for passwords",
    "movies.example": "Takes the line",
    "popups.example": "",
}
NETWORKS_BLOCKED = {"192.168.20.66": "Stolen notebook", "10.99.0.0/16": "Old guest network"}
STATUSES = {"approved": ("slack.com", "zoom.us", "www.deepl.com"), "not approved": ("mega.nz", "anydesk.com"),
            "under review": ("chatgpt.com", "app.fireflies.ai")}  # fmt: skip


def furnish(config: Config, requests: int, days: int, now: int) -> str:
    """Prepare the instance, import its month, and set what an admin would have set. Returns the admin's password."""
    password = prepare(config)
    assert password, "the demo's instance is new, so its admin's password was generated just now"
    with closing(connect(config.database)) as conn, _history(requests, days, now) as log:
        Importer(conn, enrichment=Enrichment(config.shadow_it_file), instance=config.instance).import_stream(log)
    with transaction(open_session(config.database)) as session:
        _decide(session, config.admin_username, now)
    return password


@contextmanager
def _history(requests: int, days: int, now: int) -> Iterator[BinaryIO]:
    """The month's log as it is made, in a process of its own: it is imported meanwhile, and never on the disk."""
    command = (sys.executable, "-m", "proxyweb.demo.month", str(requests), str(days), str(now))
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True) as maker:
        try:
            yield cast(BinaryIO, maker.stdout)
        finally:
            maker.kill()


def _decide(session: Session, admin: str, now: int) -> None:
    """Settings, lists and what is said of services, each on a day of the last weeks."""
    conn = driver(session)
    change(session, SETTINGS, now=now - 20 * DAY, username=admin, address="192.168.1.10")
    for to, noun, blocked, days_ago in (
        (DOMAINS, "domain", DOMAINS_BLOCKED, 18),
        (NETWORKS, "address", NETWORKS_BLOCKED, 6),
    ):
        for place, (name, description) in enumerate(blocked.items()):
            at = now - (days_ago - 2 * place) * DAY - 1709 * place
            add(conn, to, name, description, at)
            audit.record(session, at, admin, f"{noun} blacklisted", target=name, details=description,
                         address="192.168.1.10")  # fmt: skip
    catalogue = load()
    for days_ago, (status, hosts) in zip((3, 2, 1), STATUSES.items(), strict=True):
        for place, host in enumerate(hosts):
            service = catalogue.match(host)
            assert service, f"the catalogue knows {host} no longer"
            at = now - days_ago * DAY + 97 * place
            set_service_status(conn, service.name, status, at)
            audit.record(session, at, admin, "service status changed", target=service.name, details=f"none → {status}",
                         address="192.168.1.10")  # fmt: skip
    advance(conn, "settings")
