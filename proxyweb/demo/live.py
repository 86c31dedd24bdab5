"""The office goes on: `python -m proxyweb.demo.live LOG NOW` appends its requests to LOG until it is ended.

`proxyweb demo` runs this beside the web server and the follower.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from proxyweb.demo.office import OfficeTraffic, lines

LEAST, MOST = 5, 20
"""Requests a second: mostly few, now and then many."""


def go_on(log: Path, now: float) -> None:
    """Append requests to `log`; `now` is when the office's month ended (Unix seconds). Doesn't return."""
    traffic = OfficeTraffic(now)
    traffic.rng.seed(time.time_ns())
    rate = LEAST
    with log.open("ab", buffering=0) as out:
        while True:
            rate = LEAST + int((MOST - LEAST + 1) * traffic.rng.random() ** 4)
            for _ in range(rate):
                out.write(lines(traffic, [int(time.time() * 1000)]))
                time.sleep(1 / rate)


if __name__ == "__main__":
    go_on(Path(sys.argv[1]), float(sys.argv[2]))
