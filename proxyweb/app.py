"""The application factory: the one file that knows everything."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module

from apiflask import APIFlask

from proxyweb import __version__
from proxyweb.accounts.lockout import Lockout
from proxyweb.accounts.signin import SignIn
from proxyweb.accounts.tokens import Issuer
from proxyweb.api import context, document, envelope, gate, headers
from proxyweb.api.bodies import Bodies
from proxyweb.api.observation import observe
from proxyweb.budget import Budget
from proxyweb.config import Config, load
from proxyweb.courtesy import UnderWay
from proxyweb.db.database import Database
from proxyweb.db.session import begin_immediate, engine_options
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.models import db
from proxyweb.probe import ProxyProbe
from proxyweb.program_log import configure_log
from proxyweb.secret import derived
from proxyweb.secret import load as load_secret
from proxyweb.settings import Remembered
from proxyweb.url_counter import UrlCounter

MOST_BODY_BYTES = 64 * 1024
BLUEPRINTS = (
    "proxyweb.api.auth",
    "proxyweb.api.settings",
    "proxyweb.api.audit",
    "proxyweb.api.status",
    "proxyweb.api.logs",
    "proxyweb.api.log_export",
    "proxyweb.api.security",
    "proxyweb.api.traffic",
    "proxyweb.api.clients",
    "proxyweb.api.dashboard",
    "proxyweb.api.waf",
    "proxyweb.api.waf_lists",
    "proxyweb.api.shadow_it",
    "proxyweb.api.analytics",
    "proxyweb.api.results",
    "proxyweb.api.urls",
    "proxyweb.api.maintenance",
    "proxyweb.api.metrics",
    "proxyweb.api.document",
    "proxyweb.dashboard.assets",
    "proxyweb.dashboard.sign_in",
    "proxyweb.dashboard.pages",
)


def create_app(
    config: Config | None = None, clock: Callable[[], float] = time.time, counts_descriptor: int | None = None
) -> APIFlask:
    """An application for `config`, read from the environment when it is not given.

    The database is not touched: it is made and migrated by `proxyweb serve` (`start.prepare`), which also gives
    `counts_descriptor`, the memory in which processes count requests together.
    """
    config = config or load()
    app = APIFlask("proxyweb", title="proxyweb", version=__version__, enable_openapi=False)
    _configure(app, config)
    _extensions(app, config, clock)
    gate.register(app)
    headers.register(app)
    envelope.register(app)
    document.register(app)
    for name in BLUEPRINTS:
        app.register_blueprint(import_module(name).blueprint)
    observe(app, counts_descriptor)
    return app


def _configure(app: APIFlask, config: Config) -> None:
    configure_log(config.log_level, config.log_format)
    app.debug = False
    app.config.update(
        MAX_CONTENT_LENGTH=MOST_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MOST_BODY_BYTES,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{config.database}",
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(config.database),
    )


def _extensions(app: APIFlask, config: Config, clock: Callable[[], float]) -> None:
    db.init_app(app)
    with app.app_context():
        begin_immediate(db.engine)
    database = Database(config.database, config.query_seconds)
    secret = load_secret(config.secret_key_file)
    issuer = Issuer(
        derived(secret, "tokens"), config.access_token_seconds, config.refresh_token_seconds, config.session_seconds
    )
    lockout = Lockout(config.login_attempts, config.login_window_seconds)
    app.extensions["proxyweb"] = context.Core(
        config=config,
        database=database,
        clock=clock,
        secret=secret,
        sign_in=SignIn(database, issuer, lockout, context.writing),
        settings=Remembered(),
        bodies=Bodies(),
        probe=ProxyProbe(config.proxy_host, config.proxy_port),
        catalogue=Enrichment(config.shadow_it_file).catalogue,
        searches=Budget("searching", config.search_seconds_per_minute),
        under_way=UnderWay(most_exports=max(1, config.threads // 2)),
        url_counter=UrlCounter(config.database, config.url_counter_lock, clock),
    )
