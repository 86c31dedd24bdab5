"""The programs that are compared at reading a log, each with how it is called and how its result is checked."""

import atexit
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from proxyweb.db.migrate import migrate
from proxyweb.ingest.inspection import Scoring
from proxyweb.waf.policy import load_engine
from tests.bench.corpus import Corpus

NATIVE, RICH = "native", "rich"
"""Classes within which rates are compared: ten fields a line, or those with user agent and referer."""

PROXYWEB = Path(sys.executable).with_name("proxyweb")

SPLIT_LOOP = "import sys\nfor line in open(sys.argv[1], 'rb'):\n    line.split()"

# Debian's GoAccess 1.7 expands `--log-format=SQUID` to a format with a syslog prefix, which no native line fits.
GOACCESS_SQUID = ("--log-format=%x.%^ %~%L %h %^/%s %b %m %U", "--date-format=%s", "--time-format=%s")
GOACCESS_COMBINED = (
    '--log-format=%h %^ %e [%d:%t %^] "%r" %s %b "%R" "%u" %^',
    "--date-format=%d/%b/%Y",
    "--time-format=%T",
)
# Without --no-strict-status it refuses lines with status 000, which Squid writes when the client has gone.
GOACCESS_OPTIONS = ("--no-strict-status", "--no-global-config", "--no-progress")

SQLITE_COLUMNS = "time, elapsed, client, result, bytes, method, url, user, hierarchy, type"


@dataclass(frozen=True, slots=True)
class Reader:
    """A program that reads a log: its command for a log and an empty folder to write to.

    `prepare` makes the folder ready, which is not measured.

    `lines_read` says afterwards from that folder how many lines it took in, or None where the program doesn't say;
    `kept_bytes` how much it keeps of them.
    """

    name: str
    comparison: str
    log: Callable[[Corpus, int], Path]
    command: Callable[[Path, Path], list[str]]
    environment: Callable[[Path], Mapping[str, str]] = field(default=lambda scratch: {})
    lines_read: Callable[[Path], int | None] = field(default=lambda scratch: None)
    kept_bytes: Callable[[Path], int | None] = field(default=lambda scratch: None)
    prepare: Callable[[Path], None] = field(default=lambda scratch: None)
    is_yardstick: bool = False

    def installed(self) -> bool:
        """Whether the program is there to be run."""
        return shutil.which(self.command(Path(), Path())[0]) is not None


def _goaccess(name: str, comparison: str, log_format: str, options: tuple[str, ...]) -> Reader:
    def command(log: Path, scratch: Path) -> list[str]:
        return ["goaccess", str(log), *options, *GOACCESS_OPTIONS, "-o", str(scratch / "report.json")]

    def valid_requests(scratch: Path) -> int:
        report = json.loads((scratch / "report.json").read_text(errors="replace"))
        return int(report["general"]["valid_requests"])

    return Reader(
        name,
        comparison,
        lambda corpus, lines: corpus.log(log_format, lines),
        command,
        lines_read=valid_requests,
        is_yardstick=True,
    )


def _proxyweb(comparison: str, log_format: str) -> Reader:
    return Reader(
        f"proxyweb import, {log_format} format",
        comparison,
        lambda corpus, lines: corpus.log(log_format, lines),
        lambda log, scratch: [str(PROXYWEB), "import", str(log)],
        environment=instance_environment,
        lines_read=lambda instance: _row_count(instance / "proxyweb.sqlite", "proxy_logs"),
        kept_bytes=lambda scratch: sum(
            path.stat().st_size for path in scratch.glob("proxyweb.sqlite*") if path.suffix != ".sqlite-shm"
        ),
    )


def _scored(name: str, *launcher: str) -> Reader:
    """An import that scores every request, into an instance whose patterns are compiled already."""
    plain = _proxyweb(NATIVE, "squid")
    return replace(
        plain,
        name=f"proxyweb import, {name}",
        command=lambda log, scratch: [*launcher, *plain.command(log, scratch)],
        prepare=_copy_scoring_instance,
    )


def _copy_scoring_instance(scratch: Path) -> None:
    shutil.copytree(_scoring_instance(), scratch, dirs_exist_ok=True)


@cache
def _scoring_instance() -> Path:
    """A new instance that scores; removed at the end of the process."""
    folder = Path(tempfile.mkdtemp(prefix="proxyweb-scoring-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate(folder / "proxyweb.sqlite")
    with closing(sqlite3.connect(folder / "proxyweb.sqlite")) as connection, connection:
        connection.execute("INSERT INTO settings VALUES ('waf_score_log', 'true')")
    Scoring(load_engine(folder), folder / "cache")
    return folder


def instance_environment(instance: Path) -> dict[str, str]:
    """What makes proxyweb keep everything in `instance`."""
    return {"PROXYWEB_INSTANCE": str(instance)}


def _row_count(database: Path, name: str) -> int:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0])


def _sqlite_import(log: Path, scratch: Path) -> list[str]:
    database = str(scratch / "log.sqlite")
    return [
        "sqlite3",
        "-batch",
        database,
        f"CREATE TABLE log({SQLITE_COLUMNS})",
        ".mode ascii",
        '.separator " " "\\n"',
        f".import {log} log",
    ]


READERS = (
    Reader(
        "wc -l", NATIVE, lambda corpus, lines: corpus.log("squid", lines), lambda log, scratch: ["wc", "-l", str(log)]
    ),
    Reader(
        "Python, split each line",
        NATIVE,
        lambda corpus, lines: corpus.log("squid", lines),
        lambda log, scratch: [sys.executable, "-c", SPLIT_LOOP, str(log)],
    ),
    Reader(
        "sqlite3 .import, no index",
        NATIVE,
        lambda corpus, lines: corpus.squeezed(lines),
        _sqlite_import,
        lines_read=lambda scratch: _row_count(scratch / "log.sqlite", "log"),
    ),
    _goaccess("GoAccess, squid format", NATIVE, "squid", GOACCESS_SQUID),
    _proxyweb(NATIVE, "squid"),
    _scored("scoring"),
    _scored("scoring, on one processor", "taskset", "-c", "0"),
    _goaccess("GoAccess, combined format", RICH, "combined", GOACCESS_COMBINED),
    _proxyweb(RICH, "proxyweb"),
)
