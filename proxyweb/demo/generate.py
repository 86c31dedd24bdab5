"""Write a believable Squid log: `python -m proxyweb.demo.generate --lines 1000000 --format squid access.log`."""

import argparse
from pathlib import Path

from proxyweb.demo.clock import completion_times, hours
from proxyweb.demo.formats import FORMATS
from proxyweb.demo.traffic import Traffic

SEED = 7
DAYS = 30
END = 1_717_200_000
"""2024-06-01 00:00 UTC."""

BATCH_LINES = 400
"""Small enough to stay in the CPU's cache."""


def generate(out: Path, *, lines: int, log_format: str, seed: int = SEED, days: int = DAYS, end: int = END) -> None:
    """Write `lines` lines of `log_format` to `out`, the last of them just before `end` (Unix seconds)."""
    traffic = Traffic(seed)
    render = FORMATS[log_format]
    with out.open("w", encoding="ascii", newline="\n") as log:
        for start, count in hours(lines, days, end):
            times = completion_times(traffic.rng, start, count)
            for first in range(0, count, BATCH_LINES):
                log.write("\n".join(render(traffic.batch(times[first : first + BATCH_LINES]))))
                log.write("\n")


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(prog="python -m proxyweb.demo.generate", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--format", choices=sorted(FORMATS), default="squid")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--end", type=int, default=END, help="Unix seconds before which the log ends")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    generate(given.out, lines=given.lines, log_format=given.format, seed=given.seed, days=given.days, end=given.end)


if __name__ == "__main__":
    main()
