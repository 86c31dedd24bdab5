"""What most tests start from: an instance folder with two users, an application on it, clients by what they may do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apiflask import APIFlask
from hypothesis import settings

from proxyweb.accounts import users
from proxyweb.api.context import core_of
from proxyweb.app import create_app
from proxyweb.config import Config, load
from proxyweb.db.session import open_session, transaction
from proxyweb.start import prepare
from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import load as load_rules
from tests.clients import Client, anonymous, basic, signed_in

START = 1_770_000_000.25
ADMIN_PASSWORD = "the admin's password"
VIEWER_PASSWORD = "the viewer's password"


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def configuration(instance: Path, **variables: str) -> Config:
    """A configuration as the environment would give it; no log is followed unless it is said."""
    given = {"ACCESS_LOG": "", **variables}
    return load({"PROXYWEB_INSTANCE": str(instance), **{f"PROXYWEB_{name}": value for name, value in given.items()}})


settings.register_profile("proxyweb", deadline=None)  # the machine may be busy with something else
settings.load_profile("proxyweb")

pytest_plugins = ["tests.large_log"]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance folder with its database migrated, an admin and a viewer; copied for every test."""
    instance = tmp_path_factory.mktemp("prepared") / "instance"
    config = configuration(instance, ADMIN_PASSWORD=ADMIN_PASSWORD)
    prepare(config, Clock())
    with transaction(open_session(config.database)) as session:
        users.add(session, "viewer", VIEWER_PASSWORD, "viewer", START)
    return instance


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the WAF's compiled patterns, which take seconds to make: all processes of a run share it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
    folder.mkdir(exist_ok=True)
    Engine(load_rules(), cache=folder)
    return folder


@pytest.fixture(scope="session")
def engine(compiled: Path) -> Engine:
    """The engine with every rule."""
    return Engine(load_rules(), cache=compiled)


@pytest.fixture
def instance(prepared: Path, tmp_path: Path) -> Path:
    """An instance folder of the test's own."""
    return Path(shutil.copytree(prepared, tmp_path / "instance"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_app(instance: Path, clock: Clock) -> Iterator[Callable[..., APIFlask]]:
    """Makes applications on the same instance, as several worker processes would be; variables may be given."""
    made: list[APIFlask] = []

    def make(**variables: str) -> APIFlask:
        made.append(create_app(configuration(instance, **variables), clock))
        return made[-1]

    yield make
    for app in made:
        core_of(app).database.close()


@pytest.fixture
def app(make_app: Callable[..., APIFlask]) -> APIFlask:
    return make_app()


@pytest.fixture
def client(app: APIFlask) -> Client:
    """Nobody."""
    return anonymous(app)


@pytest.fixture
def viewer(app: APIFlask) -> Client:
    """Someone who may read."""
    return signed_in(app, basic("viewer", VIEWER_PASSWORD))


@pytest.fixture
def admin(app: APIFlask) -> Client:
    """Someone who may do all."""
    return signed_in(app, basic("admin", ADMIN_PASSWORD))
