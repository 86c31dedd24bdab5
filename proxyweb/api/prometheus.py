"""Prometheus' text format, version 0.0.4: a name, what it means and of which type it is, and a line a sample.

Its own library brings the same in 12 MB and a tenth of a second for each process; the tests read with that library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """A metric and its samples: what is behind the name, the labels, and the number."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    purpose: str
    samples: Iterable[tuple[str, Labels, float]]


def gauge(name: str, purpose: str, value: float | None, **labels: str) -> Metric:
    """A number that goes up and down; None is not known."""
    return Metric(name, "gauge", purpose, [] if value is None else [("", labels, value)])


def counter(name: str, purpose: str, value: float) -> Metric:
    """A number that only grows, or begins anew."""
    return Metric(name, "counter", purpose, [("", {}, value)])


def histogram_samples(
    labels: Labels, bounds: Iterable[float], buckets: Iterable[int], total: float
) -> Iterator[tuple[str, Labels, float]]:
    """The samples of one histogram: `buckets` counts what is in each by itself, the last one beyond all `bounds`."""
    count = 0
    for bound, bucket in zip((*map(_number, bounds), "+Inf"), buckets, strict=True):
        count += bucket
        yield "_bucket", {**labels, "le": bound}, count
    yield "_sum", labels, total
    yield "_count", labels, count


def text(metrics: Iterable[Metric]) -> str:
    """All of them; those without a sample are left out."""
    return "".join(line for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    for number, (suffix, labels, value) in enumerate(metric.samples):
        if number == 0:
            yield f"# HELP {metric.name} {_escaped(metric.purpose)}\n# TYPE {metric.name} {metric.kind}\n"
        said = ",".join(
            f'{name}="{_escaped(text).replace(chr(34), chr(92) + chr(34))}"' for name, text in labels.items()
        )
        yield f"{metric.name}{suffix}{'{' + said + '}' if said else ''} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))
