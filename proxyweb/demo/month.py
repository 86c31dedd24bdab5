"""The office's month as a log on standard output: `python -m proxyweb.demo.month REQUESTS DAYS NOW`."""

from __future__ import annotations

import sys

from proxyweb.demo.office import history


def main() -> None:
    """Write it; whoever reads may stop at any time."""
    requests, days, now = map(int, sys.argv[1:])
    try:
        sys.stdout.buffer.writelines(history(requests, days, now))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        sys.stderr.close()


if __name__ == "__main__":
    main()
