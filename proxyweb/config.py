"""What the program is told from outside: defaults, then `config.toml` in the instance folder, then `PROXYWEB_*`.

Read once at start. A value that can't be used stops the start with one sentence that names the variable.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyweb.errors import ConfigError

FORMATS = ("text", "json")
SQUID_ACCESS_LOG = Path("/var/log/squid/access.log")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Config:
    """Everything that is fixed for the life of a process. Settings that admins change live in the database."""

    instance: Path
    access_logs: tuple[Path, ...]
    bind: str
    admin_username: str
    admin_password: str | None = field(repr=False)
    trusted_proxies: tuple[Network, ...]
    workers: int
    threads: int
    login_attempts: int
    login_window_seconds: int
    access_token_seconds: int
    refresh_token_seconds: int
    session_seconds: int
    query_seconds: float
    exports_per_minute: int
    search_seconds_per_minute: int
    proxy_host: str
    proxy_port: int
    log_level: str
    log_format: str
    log_requests: bool | None
    metrics_bind: str | None

    @property
    def logs_requests(self) -> bool:
        """Whether each request that is answered is logged; unless it is said, where the log is for programs."""
        return self.log_format == "json" if self.log_requests is None else self.log_requests

    @property
    def database(self) -> Path:
        return self.instance / "proxyweb.sqlite"

    @property
    def secret_key_file(self) -> Path:
        return self.instance / "secret.key"

    @property
    def shadow_it_file(self) -> Path:
        return self.instance / "shadow_it.toml"

    @property
    def follower_status(self) -> Path:
        return self.instance / "follower.json"

    @property
    def follower_lock(self) -> Path:
        return self.instance / "follower.lock"

    @property
    def server_lock(self) -> Path:
        return self.instance / "server.lock"

    @property
    def backup_lock(self) -> Path:
        return self.instance / "backup.lock"

    @property
    def url_counter_lock(self) -> Path:
        return self.instance / "url_counter.lock"


@dataclass(frozen=True)
class Variable:
    """One setting: its `PROXYWEB_` name without the prefix, its default, what it is for, and how its text is read."""

    name: str
    default: str
    purpose: str
    read: Callable[[str], Any]

    @property
    def environment(self) -> str:
        return f"PROXYWEB_{self.name}"


def _text(value: str) -> str:
    if not value or not value.isprintable():
        raise ValueError("must be printable text, not empty")
    return value


def _optional(value: str) -> str | None:
    return value or None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return read


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0.05 <= seconds <= 600:
        raise ValueError("must be a number of seconds from 0.05 to 600")
    return seconds


def _bind(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if value.startswith("unix:/"):
        return value
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:5001 or [::1]:5001")
    return value


def _paths(value: str) -> tuple[Path, ...]:
    paths = tuple(Path(part.strip()) for part in value.split(",") if part.strip())
    for path in paths:
        if not path.is_absolute():
            raise ValueError(f"must be absolute paths separated by commas; {path} is not absolute")
    return paths


def _networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"must be addresses or networks separated by commas: {error}") from error


def _metrics_bind(value: str) -> str | None:
    """A port alone is one of the loopback interface's."""
    if not value:
        return None
    if value.startswith("unix:"):
        raise ValueError("must be PORT or HOST:PORT, such as 9101 or 127.0.0.1:9101")
    return _bind(value if ":" in value else f"127.0.0.1:{value}")


def _form(value: str) -> str:
    if value not in FORMATS:
        raise ValueError("must be text or json")
    return value


def _yes_or_no(value: str) -> bool | None:
    """`true` and `false` are how TOML writes it."""
    meanings = {"": None, "yes": True, "true": True, "no": False, "false": False}
    if value.lower() not in meanings:
        raise ValueError("must be yes or no")
    return meanings[value.lower()]


def _level(value: str) -> str:
    if value.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return value.lower()


VARIABLES = (
    Variable("ACCESS_LOG", "", "Log files to follow, separated by commas; empty follows none. Without it, "
             "/var/log/squid/access.log is followed when it exists.", _paths),
    Variable("BIND", "127.0.0.1:5001", "Address and port to listen on, or unix:/path.", _bind),
    Variable("ADMIN_USERNAME", "admin", "Name of the first admin, made when there is no user yet.", _text),
    Variable("ADMIN_PASSWORD", "", "Password of the first admin; without it one is generated and printed once.",
             _optional),
    Variable("TRUSTED_PROXIES", "", "Addresses or networks whose X-Forwarded-For is believed.", _networks),
    Variable("WORKERS", "2", "Gunicorn worker processes.", _whole(1, 64)),
    Variable("THREADS", "4", "Threads a worker.", _whole(1, 64)),
    Variable("LOGIN_ATTEMPTS", "5", "Failed logins from one address before it has to wait.", _whole(1, 1000)),
    Variable("LOGIN_WINDOW_SECONDS", "300", "How long failed logins count.", _whole(1, 86_400)),
    Variable("ACCESS_TOKEN_SECONDS", "900", "How long an access token lasts.", _whole(1, 86_400)),
    Variable("REFRESH_TOKEN_SECONDS", "1209600", "How long a refresh token lasts (14 days).", _whole(1, 31_536_000)),
    Variable("SESSION_SECONDS", "43200", "How long one stays signed in to the dashboard (12 hours).",
             _whole(1, 31_536_000)),
    Variable("QUERY_SECONDS", "5", "How long one question may take before it is answered 503.", _seconds),
    Variable("EXPORTS_PER_MINUTE", "20", "Exports of the log that one user may begin in a minute.", _whole(1, 10_000)),
    Variable(
        "SEARCH_SECONDS_PER_MINUTE", "30", "Seconds that searches of one user may take in a minute.", _whole(1, 60)
    ),
    Variable("PROXY_HOST", "127.0.0.1", "Where Squid listens, for /api/status.", _text),
    Variable("PROXY_PORT", "3128", "The port Squid listens on, for /api/status.", _whole(1, 65_535)),
    Variable("LOG_LEVEL", "info", "How much the program says of itself: debug, info, warning or error.", _level),
    Variable("LOG_FORMAT", "text", "How serve and follow say it: as text, or as json, an object a line.", _form),
    Variable("LOG_REQUESTS", "", "Whether each request answered is logged: yes or no; as json, yes unless said.",
             _yes_or_no),
    Variable("METRICS_BIND", "", "Port, or address and port, to give /metrics on without credentials; empty is none.",
             _metrics_bind),
)  # fmt: skip
INSTANCE = "PROXYWEB_INSTANCE"
_FIELDS = {"ACCESS_LOG": "access_logs"}


def load(environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration from the instance folder's `config.toml` and the environment, which wins.

    Raises ConfigError with one sentence that names the variable. Unknown `PROXYWEB_` names are refused: a misspelt
    variable would otherwise do nothing, silently.
    """
    instance = Path(environment.get(INSTANCE) or "instance").absolute()
    if instance.exists() and not instance.is_dir():
        raise ConfigError(f"{INSTANCE} must be a folder; {instance} is a file.")
    given = _from_file(instance / "config.toml")
    known = {variable.environment for variable in VARIABLES} | {INSTANCE}
    for name, value in environment.items():
        if name.startswith("PROXYWEB_"):
            if name not in known:
                raise ConfigError(f"{name} is not a variable of proxyweb; see the README for those that are.")
            given[name] = value
    if "PROXYWEB_ACCESS_LOG" not in given and SQUID_ACCESS_LOG.exists():
        given["PROXYWEB_ACCESS_LOG"] = str(SQUID_ACCESS_LOG)
    values: dict[str, Any] = {"instance": instance}
    for variable in VARIABLES:
        try:
            value = variable.read(given.get(variable.environment, variable.default))
        except ValueError as error:
            raise ConfigError(f"{variable.environment} {error}.") from error
        values[_FIELDS.get(variable.name, variable.name.lower())] = value
    config = Config(**values)
    if config.metrics_bind and port_of(config.metrics_bind) == port_of(config.bind):
        raise ConfigError("PROXYWEB_METRICS_BIND must be another port than that of PROXYWEB_BIND.")
    return config


def port_of(bind: str) -> int | None:
    """The port of `HOST:PORT`; None for a Unix socket."""
    return None if bind.startswith("unix:") else int(bind.rpartition(":")[2])


def _from_file(path: Path) -> dict[str, str]:
    """`config.toml` as environment names: `bind = "…"` is `PROXYWEB_BIND`; lists are joined with commas."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}.") from error
    known = {variable.name.lower() for variable in VARIABLES}
    given = {}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{path}: {key} is not a setting of proxyweb.")
        if not isinstance(value, str | int | float | list):
            raise ConfigError(f"{path}: {key} must be text, a number or a list of texts.")
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        given[f"PROXYWEB_{key.upper()}"] = text
    return given
