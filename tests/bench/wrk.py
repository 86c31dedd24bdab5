"""Debian's wrk: a bounded run against one URL, and what it printed as figures."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

THREADS = 2
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
GRACE_SECONDS = 30

_PERCENTILE = re.compile(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m)\s*$", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_REFUSED = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, latencies in ms, responses that were errors, and connections that failed."""

    rate: float
    p50: float
    p99: float
    refused: int
    socket_errors: int


def load(url: str, *, connections: int, seconds: int, headers: Sequence[str] = ()) -> Load:
    """Keep `connections` connections busy for `seconds`."""
    command = ["wrk", "--latency", f"-t{min(THREADS, connections)}", f"-c{connections}", f"-d{seconds}s"]
    for header in headers:
        command += ["-H", header]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=seconds + GRACE_SECONDS)
    return parse(done.stdout)


def parse(output: str) -> Load:
    """Read wrk's report."""
    rate = _RATE.search(output)
    if rate is None:
        raise ValueError(f"wrk gave no rate: {output!r}")
    latency = {int(percent): float(value) * MILLISECONDS[unit] for percent, value, unit in _PERCENTILE.findall(output)}
    refused, errors = _REFUSED.search(output), _SOCKET_ERRORS.search(output)
    return Load(
        rate=float(rate[1]),
        p50=latency[50],
        p99=latency[99],
        refused=int(refused[1]) if refused else 0,
        socket_errors=sum(map(int, errors.groups())) if errors else 0,
    )
