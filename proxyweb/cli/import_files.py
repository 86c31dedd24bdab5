"""`proxyweb import`: whole logs, plain or compressed."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import click

from proxyweb.cli.database import ready
from proxyweb.config import load
from proxyweb.db.connection import connect
from proxyweb.escaping import printable
from proxyweb.ingest.enrichment import Enrichment
from proxyweb.ingest.importer import Importer, ImportFailed, Summary

STDIN = Path("-")


@dataclass
class Total:
    """What an import did, over all its files. Sizes in bytes of content."""

    files: int = 0
    rows: int = 0
    rejected: int = 0
    skipped: int = 0
    unfinished: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, file: Path, summary: Summary) -> None:
        self.files += 1
        self.rows += summary.rows
        self.rejected += summary.rejected
        self.skipped += summary.skipped
        self.unfinished += summary.unfinished
        self.reasons += summary.reasons
        if summary.damage:
            self.damaged.append(f"{file} is {summary.damage}.")

    def sentences(self, seconds: float) -> Iterator[str]:
        """What a person wants to know; `seconds` is how long it took."""
        rate = (self.rows + self.rejected) / seconds if seconds else 0
        yield (
            f"Imported {_counted(self.rows, 'request')} from {_counted(self.files, 'file')} in {seconds:,.1f} s"
            f" ({rate:,.0f} lines/s)."
        )
        if self.rejected:
            reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self.reasons.most_common())
            yield f"Rejected {_counted(self.rejected, 'line')}: {reasons}."
        if self.skipped:
            yield f"Skipped {_counted(self.skipped, 'byte')} that had been read before."
        if self.unfinished:
            yield f"Left {_counted(self.unfinished, 'byte')} of a last line that has no end yet."
        yield from self.damaged


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--again", is_flag=True, help="Read everything, whatever was read before: after a clear.")
def import_files(files: Sequence[Path], again: bool) -> None:
    """Read access logs into the database.

    FILES may be plain or compressed (gz, bz2, xz, zst), or - for standard input. What was read before, under whatever
    name, is skipped; so the same file again adds nothing. Name the oldest file first.
    """
    config = load()
    os.umask(0o077)
    ready(config)
    size = sum(file.stat().st_size for file in files if file.is_file())
    total, begun = Total(), time.monotonic()
    try:
        with (
            closing(connect(config.database)) as conn,
            click.progressbar(length=size, label="Importing", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar,
        ):
            importer = Importer(
                conn, bar.update, enrichment=Enrichment(config.shadow_it_file), instance=config.instance
            )
            for file in files:
                try:
                    if file == STDIN:
                        total.add(file, importer.import_stream(sys.stdin.buffer))
                    else:
                        total.add(file, importer.import_file(file, again))
                except ImportFailed as error:
                    total.unreadable.append(error.detail)
    finally:
        for sentence in total.sentences(time.monotonic() - begun):
            click.echo(printable(sentence))
        for sentence in total.unreadable:
            click.echo(f"proxyweb: {printable(sentence)}", err=True)
    if total.damaged or total.unreadable:
        sys.exit(1)


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
