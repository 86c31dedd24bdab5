"""Prometheus' text read by Prometheus' own library, and held to its conventions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

NAME = re.compile(r"proxyweb(_[a-z]+)+")
LABEL = re.compile(r"[a-z]+")
OTHER_UNITS = re.compile(r"(milli|micro|nano|kilo|mega)|_(ms|minutes|hours|days|kb|mb|percent)(_|$)")


def read(text: str) -> dict[str, Metric]:
    """The metrics by name. What promtool would complain of fails the test."""
    assert text.endswith("\n")
    families = list(text_string_to_metric_families(text))
    names = Counter(family.name for family in families)
    assert names.most_common(1)[0][1] == 1, "each is told in one piece"
    for family in families:
        complaints = list(_complaints(family))
        assert not complaints, (family.name, complaints)
    declared = Counter(re.findall(r"^# (HELP|TYPE) (\S+)", text, re.MULTILINE))
    assert set(declared.values()) == {1}
    assert len(declared) == 2 * len(families), "everything has a HELP and a TYPE"
    return {family.name: family for family in families}


def value(metrics: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample with this name and these labels."""
    found = [sample for sample in _samples(metrics) if sample.name == name and labels.items() <= sample.labels.items()]
    assert len(found) == 1, (name, labels, found)
    return float(found[0].value)


def _samples(metrics: dict[str, Metric]) -> Iterator[Sample]:
    return (sample for metric in metrics.values() for sample in metric.samples)


def _complaints(family: Metric) -> Iterator[str]:
    if not NAME.fullmatch(family.name):
        yield "a name is proxyweb_ and words in lower case"
    if OTHER_UNITS.search(family.name):
        yield "units are base units"
    if not family.documentation.endswith("."):
        yield "its purpose is a sentence"
    if family.type not in ("counter", "gauge", "histogram"):
        yield "its type is told"
    if not family.samples:
        yield "it has no samples"
    for (name, labels), times in Counter((s.name, tuple(sorted(s.labels.items()))) for s in family.samples).items():
        if times > 1:
            yield f"{name}{labels} is told twice"
        if not all(LABEL.fullmatch(label) for label, _ in labels):
            yield f"{name}{labels} has labels that are no words"
    for sample in family.samples:
        if (family.type == "counter") != sample.name.endswith("_total"):
            yield "counters end in _total, others don't"
        if family.type != "gauge" and sample.value < 0:
            yield "counters are never negative"
        if family.name.endswith("_info") and sample.value != 1:
            yield "an info is 1"
    if family.type == "histogram":
        yield from _complaints_of_histogram(family)


def _complaints_of_histogram(family: Metric) -> Iterator[str]:
    by_labels: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, text) for name, text in sample.labels.items() if name != "le"))
        by_labels.setdefault(labels, []).append(sample)
    for samples in by_labels.values():
        buckets = [(float(s.labels["le"]), s.value) for s in samples if s.name == f"{family.name}_bucket"]
        totals = {s.name.removeprefix(family.name): s.value for s in samples if "le" not in s.labels}
        if buckets != sorted(buckets) or [count for _, count in buckets] != sorted(count for _, count in buckets):
            yield "buckets are in order and cumulative"
        if totals.keys() != {"_sum", "_count"} or buckets[-1] != (float("inf"), totals["_count"]):
            yield "the last bucket holds all"
