"""What a build of Squid can do and where it looks, by what `squid -v` says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from proxyweb.errors import ConfigError

SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/local/squid/sbin"
SECONDS = 20.0


@dataclass(frozen=True)
class Build:
    """The defaults are Debian's, for when there is no Squid to ask."""

    version: str = ""
    can_bump: bool = False
    """It has OpenSSL, without which Squid refuses to start on every `ssl_bump`, `at_step` and `%ssl::` it meets."""
    has_certificate_helper: bool = False
    main_configuration: Path = Path("/etc/squid/squid.conf")
    pid_file: Path = Path("/run/squid.pid")
    log_folder: Path = Path("/var/log/squid")
    helper_folder: Path = Path("/usr/lib/squid")
    cache_folder: Path = Path("/var/spool/squid")
    user: str = "proxy"
    """As whom it runs, and its helpers, when root starts it."""


UNKNOWN = Build()


def build_of(said: str) -> Build:
    """The build that `squid -v` tells of: its version, and the options it was configured with."""
    version = re.search(r"Version (\S+)", said)
    options: dict[str, str] = {}
    for word in shlex.split(said.partition("configure options:")[2]):
        name, _, value = word.partition("=")
        options[name] = value  # the last one counts; Debian gives --sysconfdir twice
    return Build(
        version=version[1] if version else "",
        can_bump=options.get("--with-openssl", "no") != "no",
        has_certificate_helper=options.get("--enable-ssl-crtd", "no") != "no",
        main_configuration=_path(options, "--sysconfdir", UNKNOWN.main_configuration.parent) / "squid.conf",
        pid_file=_path(options, "--with-pidfile", UNKNOWN.pid_file),
        log_folder=_path(options, "--with-logdir", UNKNOWN.log_folder),
        helper_folder=_path(options, "--libexecdir", UNKNOWN.helper_folder),
        cache_folder=_path(options, "--with-swapdir", UNKNOWN.cache_folder),
        user=options.get("--with-default-user") or "nobody",
    )


def ask(program: str, search: str) -> Build | None:
    """The build of the Squid that is found under this name, on the path `search` or where systems keep it.

    None where there is none. Raises ConfigError when it is there and doesn't say what it is.
    """
    found = shutil.which(program, path=f"{search}:{SYSTEM_FOLDERS}")
    if found is None:
        return None
    try:
        run = subprocess.run([found, "-v"], capture_output=True, text=True, errors="replace", timeout=SECONDS)
        build = build_of(run.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"'{found} -v' doesn't say what it is: {error}.") from error
    if not build.version:
        raise ConfigError(f"'{found} -v' doesn't say what it is; name Squid's program with --squid.")
    return build


def _path(options: dict[str, str], name: str, default: Path) -> Path:
    value = options.get(name, "")
    return Path(value) if value.startswith("/") else default
