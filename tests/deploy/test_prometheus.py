"""The alerts that come with the program ask for metrics that it gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from apiflask import APIFlask

from tests.api.exposition import read
from tests.api.test_metrics import LOG, at, heartbeat, stored
from tests.clients import basic, signed_in
from tests.conftest import VIEWER_PASSWORD

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bproxyweb(?:_[a-z]+)+\b")


def test_what_is_asked_for_and_described_is_given(make_app: Callable[..., APIFlask], instance: Path) -> None:
    stored(instance, at(0), rest="no line of a log\n")
    heartbeat(instance)
    viewer = signed_in(make_app(ACCESS_LOG=LOG), basic("viewer", VIEWER_PASSWORD))
    viewer.get("/api/status", buffered=True)
    metrics = read(viewer.get("/metrics").get_data(as_text=True))
    given = {sample.name for metric in metrics.values() for sample in metric.samples} | metrics.keys()
    alerts = set(NAME.findall((ROOT / "deploy/prometheus/proxyweb.rules.yml").read_text()))
    assert len(alerts) >= 7
    assert alerts <= given
    described = set(NAME.findall((ROOT / "docs/operations.md").read_text()))
    assert len(described) >= 15
    assert described <= given
