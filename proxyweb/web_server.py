"""The programs that `proxyweb serve` runs: gunicorn with this application, and the log's follower."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from proxyweb.config import INSTANCE, Config
from proxyweb.supervisor import Program

TIMEOUT_SECONDS = 30
GRACEFUL_SECONDS = 3
KEEP_ALIVE_SECONDS = 15
LONGEST_LINE = 8190
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (where gunicorn keeps a worker's heartbeat: never on a slow disk)


def web(
    config: Config, listener: socket.socket | None, counts: int, metrics_listener: socket.socket | None = None
) -> Program:
    """gunicorn with threaded workers, on the supervisor's sockets. It writes nothing outside the instance folder.

    `counts` is the descriptor of the memory in which its processes count requests together. Without a `listener`,
    gunicorn makes all sockets itself: it takes either descriptors or addresses.
    """
    binds = [address for address in (config.bind, config.metrics_bind) if address]
    descriptors = [given.fileno() for given in (listener, metrics_listener) if given is not None]
    if listener is not None:
        binds = [f"fd://{descriptor}" for descriptor in descriptors]
    options = {
        "--worker-class": "proxyweb.web_worker.Worker",
        "--workers": config.workers,
        "--threads": config.threads,
        "--timeout": TIMEOUT_SECONDS,
        "--graceful-timeout": GRACEFUL_SECONDS,
        "--keep-alive": KEEP_ALIVE_SECONDS,
        "--limit-request-line": LONGEST_LINE,
        "--limit-request-field_size": LONGEST_LINE,
        "--limit-request-fields": 64,
        "--umask": "0o007",
        "--forwarded-allow-ips": "",  # what proxies say, and who may say it, is the application's business
        "--forwarder-headers": "",
        "--log-level": "debug" if config.log_level == "debug" else "warning",
        "--logger-class": "proxyweb.web_log.Logger",
    }
    if SHARED_MEMORY.is_dir():
        options["--worker-tmp-dir"] = SHARED_MEMORY
    return Program(
        name="web server",
        command=(
            *_python("gunicorn"),
            f"proxyweb.app:create_app(counts_descriptor={counts})",
            "--no-control-socket",
            "--no-sendfile",  # it would wait for whoever reads slowly
            *(word for bind in binds for word in ("--bind", bind)),
            *(str(word) for option in options.items() for word in option),
        ),
        environment=_environment(config),
        folder=config.instance,
        descriptors=(*descriptors, counts),
        fatal_at_start=True,
    )


def follower(config: Config) -> Program:
    """`proxyweb follow`, which reads the access logs as they grow."""
    return Program(
        name="follower",
        command=(*_python("proxyweb"), "follow"),
        environment=_environment(config),
        folder=config.instance,
    )


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module)


def _environment(config: Config) -> dict[str, str]:
    """This process's own, with the instance folder spelt out, and without the first admin's password."""
    environment = {**os.environ, INSTANCE: str(config.instance)}
    environment.pop("PROXYWEB_ADMIN_PASSWORD", None)
    environment.pop("GUNICORN_CMD_ARGS", None)
    # Python's own allocator gives memory back a megabyte at a time, once nothing is in it: the processes grew by turns.
    environment.setdefault("PYTHONMALLOC", "malloc")
    environment.setdefault("MALLOC_ARENA_MAX", "1")  # glibc gives each thread its own: a worker took 170 MB, not 105
    return environment
