"""What a view may ask of its surroundings: configuration, database, settings, clock, and who is asking.

Each is read at most once a request. Queries and everything below them are given plain values instead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app, g, request
from sqlalchemy.orm import Session

from proxyweb.accounts.identity import Identity
from proxyweb.accounts.signin import SignIn
from proxyweb.api.address import client_address as address_of
from proxyweb.api.bodies import Bodies
from proxyweb.budget import Budget
from proxyweb.catalogue.shadow_it import Catalogue
from proxyweb.config import Config
from proxyweb.courtesy import UnderWay
from proxyweb.db.connection import time_limit
from proxyweb.db.database import Database
from proxyweb.db.session import transaction
from proxyweb.models import db
from proxyweb.probe import ProxyProbe
from proxyweb.queries.generations import generations as read_generations
from proxyweb.settings import Remembered, Value
from proxyweb.url_counter import UrlCounter


@dataclass(frozen=True)
class Core:
    """What one application holds for as long as it lives; `app.extensions["proxyweb"]`."""

    config: Config
    database: Database
    clock: Callable[[], float]
    secret: bytes = field(repr=False)
    sign_in: SignIn
    settings: Remembered
    bodies: Bodies
    probe: ProxyProbe
    catalogue: Catalogue
    under_way: UnderWay
    searches: Budget
    url_counter: UrlCounter


def core_of(app: Flask) -> Core:
    """The core of an application, outside of a request."""
    return cast(Core, app.extensions["proxyweb"])


def core() -> Core:
    """The core of the application that answers this request."""
    return core_of(current_app)


def now() -> float:
    """Unix seconds; the same for the whole request."""
    if "now" not in g:
        g.now = core().clock()
    return cast(float, g.now)


def generations() -> Mapping[str, int]:
    """The counters of `queries.generations`, as they were when this request first asked."""
    if "generations" not in g:
        g.generations = read_generations(core().database.reader)
    return cast("Mapping[str, int]", g.generations)


def settings() -> Mapping[str, Value]:
    """Every setting by name, with its type: what an admin changed, else its default."""
    this = core()
    return this.settings.at(this.database.reader, generations()["settings"])


def gdpr() -> bool:
    """Whether addresses and user names are to be masked in everything that leaves the server."""
    return bool(settings()["gdpr_mode"])


def identity() -> Identity:
    """Who is asking. Only behind the gate, where there always is someone."""
    return cast(Identity, g.flask_httpauth_user)


def client_address() -> str:
    """Where the request came from: the peer, or what a trusted proxy says about it."""
    return address_of(request.remote_addr or "", request.headers.getlist("X-Forwarded-For"), core().config)


@contextmanager
def reading() -> Iterator[sqlite3.Connection]:
    """This thread's reader, with the configured time limit on what is asked of it (QueryTimeout)."""
    database = core().database
    with time_limit(database.reader, database.query_seconds):
        yield database.reader


@contextmanager
def writing() -> Iterator[Session]:
    """A session in one write transaction; `db.session.driver(session)` is its connection for plain SQL."""
    with transaction(db.session()) as session:
        yield session
