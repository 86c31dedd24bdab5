"""gunicorn's log in the same form as everything else that the program says.

Requests are logged by the application (`api/observation.py`), which knows routes and users: gunicorn's own access log
stays off.
"""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger as GunicornLogger  # type: ignore[import-untyped]

from proxyweb.config import load
from proxyweb.program_log import handler


class Logger(GunicornLogger):  # type: ignore[misc]
    """`logger_class` of `proxyweb serve`."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers = [handler(load().log_format)]
