"""How fast a log is read, beside other programs on the same requests: `python -m tests.bench.ingest`."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proxyweb.demo.generate import DAYS, END, SEED
from tests.bench.corpus import DEFAULT_FOLDER, Corpus
from tests.bench.measure import Finished, run
from tests.bench.readers import READERS, Reader
from tests.bench.table import table

HEAD = ("tool", "lines", "seconds", "lines/s", "vs GoAccess", "peak MB", "db/log bytes", "remarks")


@dataclass(frozen=True, slots=True)
class Result:
    """A reader's best run; `remark` says what a reader of the table must know, above all what went wrong."""

    reader: Reader
    lines: int
    finished: Finished | None = None
    database_share: float | None = None
    remark: str = ""

    @property
    def rate(self) -> float | None:
        """Lines a second, unless it did not run to its end."""
        return self.lines / self.finished.seconds if self.finished else None


def measure(reader: Reader, corpus: Corpus, lines: int, repeat: int) -> Result:
    """Run a reader `repeat` times, each in a fresh folder beside the logs; keep the fastest, or one that failed."""
    if not reader.installed():
        return Result(reader, lines, remark="not installed")
    log = reader.log(corpus, lines)
    results = []
    for _ in range(repeat):
        with tempfile.TemporaryDirectory(dir=corpus.folder, prefix="run-") as folder:
            results.append(_once(reader, log, lines, Path(folder)))
    return min(results, key=lambda result: result.finished.seconds if result.finished else 0)


def _once(reader: Reader, log: Path, lines: int, scratch: Path) -> Result:
    reader.prepare(scratch)
    finished = run(reader.command(log, scratch), reader.environment(scratch))
    if finished.exit_code:
        return Result(reader, lines, remark=f"failed with exit code {finished.exit_code}: {finished.last_line[:120]}")
    kept, read = reader.kept_bytes(scratch), reader.lines_read(scratch)
    return Result(
        reader,
        lines,
        finished,
        database_share=None if kept is None else kept / log.stat().st_size,
        remark=f"took in {read:,} of {lines:,} lines" if read not in (None, lines) else "",
    )


def rows(results: list[Result]) -> Iterator[tuple[str, ...]]:
    """The table's rows; a rate is compared with the yardstick of the same class and the same number of lines."""
    yardsticks = {(it.reader.comparison, it.lines): it.rate for it in results if it.reader.is_yardstick}
    for result in results:
        finished, rate = result.finished, result.rate
        yardstick = yardsticks.get((result.reader.comparison, result.lines))
        yield (
            result.reader.name,
            f"{result.lines:,}",
            f"{finished.seconds:.2f}" if finished else "-",
            f"{rate:,.0f}" if rate else "-",
            f"{rate / yardstick:.2f}" if rate and yardstick else "-",
            f"{finished.peak_rss_mb:.0f}" if finished else "-",
            f"{result.database_share:.2f}" if result.database_share is not None else "-",
            result.remark,
        )


def compare(corpus: Corpus, line_counts: list[int], repeat: int) -> str:
    """Measure every reader at every length, announcing each on stderr, and lay out the table."""
    results = []
    for lines in line_counts:
        for reader in READERS:
            print(f"{reader.name}, {lines:,} lines", file=sys.stderr)
            results.append(measure(reader, corpus, lines, repeat))
    return "\n".join((table(HEAD, list(rows(results))), *summaries(results)))


def summaries(results: list[Result]) -> Iterator[str]:
    """What a reader that keeps the log said at its end."""
    for it in results:
        if it.finished and it.database_share is not None:
            yield f"{it.reader.name}, {it.lines:,} lines: {it.finished.last_line}"


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ingest", description=__doc__)
    parser.add_argument("--lines", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the best counts")
    parser.add_argument(
        "--workdir", type=Path, default=DEFAULT_FOLDER, help="where generated logs are kept (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--end", type=int, default=END, help="Unix seconds before which the logs end")
    given = parser.parse_args()
    print(compare(Corpus(given.workdir, given.seed, given.days, given.end), given.lines, given.repeat))


if __name__ == "__main__":
    main()
