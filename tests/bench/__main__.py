"""Both benchmarks, one after the other: `python -m tests.bench [--quick]`.

Logs are read and compared with other programs, then the API is asked about what was read. The logs end at the last full
hour, so that "the last 24 hours" holds something.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from tests.bench import http, ingest
from tests.bench.corpus import DEFAULT_FOLDER, Corpus
from tests.bench.feed import feeding
from tests.bench.measure import run
from tests.bench.readers import PROXYWEB, instance_environment
from tests.bench.server import serving


def api_report(corpus: Corpus, lines: int, seconds: int, rate: int) -> str:
    """Import a log into a fresh instance and load its API, at rest and while `rate` lines a second arrive."""
    if not PROXYWEB.exists():
        return "API: proxyweb is not installed"
    if shutil.which("wrk") is None:
        return "API: wrk is not installed"
    with tempfile.TemporaryDirectory(dir=corpus.folder, prefix="instance-") as folder:
        instance = Path(folder)
        imported = run([str(PROXYWEB), "import", str(corpus.log("proxyweb", lines))], instance_environment(instance))
        if imported.exit_code:
            return f"API: import failed with exit code {imported.exit_code}: {imported.last_line}"
        growing = instance / "access.log"
        growing.touch()
        with serving(instance, log=growing) as server:
            at_rest = http.compare(server, http.PATHS, http.CONNECTIONS, seconds)
            with feeding(growing, rate) as feed:
                following = http.compare(server, http.PATHS, http.CONNECTIONS, seconds)
        return f"API, {lines:,} lines stored\n{at_rest}\n\nAPI, {feed.lines:,} lines arriving meanwhile\n{following}"


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each reader, of which the best counts")
    parser.add_argument("--seconds", type=int, default=5, help="length of each run against the API")
    parser.add_argument("--rate", type=int, default=2000, help="lines a second appended while the API is asked again")
    parser.add_argument(
        "--workdir", type=Path, default=DEFAULT_FOLDER, help="where generated logs are kept (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="100,000 lines, one run of each, one second")
    given = parser.parse_args()
    lines, repeat, seconds = (100_000, 1, 1) if given.quick else (given.lines, given.repeat, given.seconds)
    corpus = Corpus(given.workdir, end=int(time.time()) // 3600 * 3600)
    print(ingest.compare(corpus, [lines], repeat), end="\n\n", flush=True)
    print(api_report(corpus, lines, seconds, given.rate))


if __name__ == "__main__":
    main()
