"""Whether and how requests are scored as the log is read: by the settings as they stand in the database."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING

from proxyweb.db.database import generation
from proxyweb.errors import ConfigError
from proxyweb.settings import read

if TYPE_CHECKING:
    from proxyweb.ingest.inspection import Scoring

log = logging.getLogger("proxyweb.ingest")
PULSE_SECONDS = 0.2


class Scorer:
    """Gives an instance's scoring. The patterns are loaded on first use; the very first time, that takes seconds."""

    def __init__(self, instance: Path | None, pulse: Callable[[], None] = lambda: None) -> None:
        """Without an instance folder, nothing is scored. `pulse` is called now and then while patterns are loaded; what
        it raises ends the waiting for them."""
        self._instance = instance
        self._pulse = pulse
        self._every_category: Scoring | None = None
        self._settings = -1
        self.scoring: Scoring | None = None
        """As it was when `renew` was last called; None where nothing is to be scored."""

    def renew(self, conn: sqlite3.Connection) -> bool:
        """Take up what the settings say now; whether they have changed since the last time."""
        stand = generation(conn, "settings")
        if self._instance is None or stand == self._settings:
            return False
        self._settings = stand
        before, self.scoring = self.scoring, self._scoring(conn, self._instance)
        return before is not None or self.scoring is not None

    def _scoring(self, conn: sqlite3.Connection, instance: Path) -> Scoring | None:
        if not read(conn)["waf_score_log"]:
            return None
        from proxyweb.waf.policy import enabled

        if self._every_category is None:
            try:
                self._every_category = self._loaded(instance)
            except ConfigError as error:
                log.warning("requests are not scored: %s", error.detail)
                return None
        return self._every_category.with_engine(enabled(conn, self._every_category.engine))

    def _loaded(self, instance: Path) -> Scoring:
        """The scoring of all categories, made in a thread so that others hear meanwhile that this process is well.

        Raises ConfigError.
        """
        made: Future[Scoring] = Future()
        threading.Thread(target=_make, args=(instance, made), name="patterns", daemon=True).start()
        while not made.done():
            self._pulse()
            wait([made], PULSE_SECONDS)
        return made.result()


def _make(instance: Path, made: Future[Scoring]) -> None:
    try:
        from proxyweb.ingest.inspection import Scoring  # hyperscan may be missing
        from proxyweb.waf.policy import load_engine

        made.set_result(Scoring(load_engine(instance), instance / "cache"))
    except Exception as error:
        made.set_exception(error)
