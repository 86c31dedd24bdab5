"""What the WAF finds and what it costs: `python -m tests.bench.waf FILE… [--hold-out] [--sample N]`.

A file holds a request a line as JSON, plain or gzip: `{"source", "label", "method", "url", "headers"}`, the label being
`attack` or `benign`. The table has a line a source: the share that is blocked, which is the detection rate of attacks
and the false alarms of the rest. `--hold-out` leaves out each source of attacks in turn: the threshold is chosen on all
others, as the lowest at which at most 0.1 % of the benign requests are blocked, and the source is reported with it.
"""

import argparse
import gzip
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxyweb.waf.engine import Engine
from proxyweb.waf.rules import load
from tests.bench.table import table

FALSE_ALARMS = 0.001
THRESHOLDS = range(2, 16)
START = "from pathlib import Path; from proxyweb.waf.engine import Engine; from proxyweb.waf.rules import load; "


@dataclass
class Source:
    """The scores of one source's requests, and what each verdict cost in µs."""

    name: str
    attack: bool
    scores: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def blocked(self, threshold: int) -> float:
        """The share that reaches `threshold`."""
        return sum(score >= threshold for score in self.scores) / len(self.scores)

    def row(self, threshold: int) -> list[str]:
        share = f"{self.blocked(threshold):.2%}"
        shares = [share, ""] if self.attack else ["", share]
        return [self.name, f"{len(self.costs):,}", *shares, *_spread(self.costs)]


def _spread(costs: Iterable[float]) -> list[str]:
    """Median and 99th percentile."""
    ordered = sorted(costs)
    return [f"{ordered[len(ordered) // 2]:.0f}", f"{ordered[len(ordered) * 99 // 100]:.0f}"]


def requests_in(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The requests of all files, plain or gzip."""
    for file in files:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            yield from map(json.loads, lines)


def judged(engine: Engine, files: Iterable[Path], sample: int) -> list[Source]:
    """Each source with its scores, attacks first; of each, at most `sample` requests."""
    requests = defaultdict(list)
    for request in requests_in(files):
        requests[request["label"] != "attack", request["source"]].append(request)
    sources = []
    for (benign, name), own in sorted(requests.items()):
        source = Source(name, not benign)
        for request in random.Random(1).sample(own, min(sample, len(own))):
            begun = time.perf_counter_ns()
            verdict = engine.judge(request.get("method", "GET"), request["url"], request.get("headers") or {})
            source.costs.append((time.perf_counter_ns() - begun) / 1000)
            source.scores.append(verdict.score)
        sources.append(source)
    return sources


def by_source(sources: Sequence[Source], threshold: int) -> str:
    """The table, and all attacks and all others below it: macro averages of the shares, and what a verdict cost."""
    head = ["source", "requests", "detected", "false alarms", "median µs", "p99 µs"]
    rows = [source.row(threshold) for source in sources]
    for attack, place in ((True, 2), (False, 3)):
        alike = [source for source in sources if source.attack is attack]
        if alike:
            row = ["all attacks" if attack else "all others", f"{sum(len(source.costs) for source in alike):,}", "", ""]
            row[place] = f"{sum(source.blocked(threshold) for source in alike) / len(alike):.2%} (macro average)"
            rows.append([*row, *_spread(cost for source in alike for cost in source.costs)])
    return table(head, rows)


def held_out(sources: Sequence[Source]) -> str:
    """For each source of attacks, the threshold chosen without it, and what is found of it."""
    benign = [source for source in sources if not source.attack]
    rows, found = [], []
    for source in (source for source in sources if source.attack):
        others = [other for other in sources if other.attack and other is not source]
        threshold = _chosen(others, benign)
        found.append(source.blocked(threshold))
        rows.append([source.name, str(threshold), f"{found[-1]:.2%}"])
    rows.append(["macro average", "", f"{sum(found) / len(found):.2%}"])
    return table(["left out", "threshold", "detected"], rows)


def _chosen(attacks: Sequence[Source], benign: Sequence[Source]) -> int:
    """Of the thresholds with few enough false alarms, the one that finds most; the highest where there is none."""
    requests = sum(len(source.scores) for source in benign)
    fine = [
        threshold
        for threshold in THRESHOLDS
        if sum(source.blocked(threshold) * len(source.scores) for source in benign) <= FALSE_ALARMS * requests
    ]
    return max(fine, key=lambda threshold: sum(source.blocked(threshold) for source in attacks), default=THRESHOLDS[-1])


def start_time(cache: Path) -> float:
    """Milliseconds a new process takes until its engine is ready, the patterns being compiled already; best of five."""
    command = [sys.executable, "-c", f"{START}Engine(load(), cache=Path({str(cache)!r}))"]
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(command, check=True)
        best = min(best, time.perf_counter() - begun)
    return best * 1000


def main() -> None:
    """Parse the command line and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.waf", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--threshold", type=int, default=5)
    parser.add_argument("--sample", type=int, default=1_000_000, help="requests of each source")
    parser.add_argument("--disable", action="append", default=[], metavar="CATEGORY")
    parser.add_argument("--only", action="append", default=[], metavar="SOURCE", help="benign sources that count")
    parser.add_argument("--hold-out", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        categories = load()
        begun = time.perf_counter()
        engine = Engine(categories, cache=Path(folder))
        compiled = time.perf_counter() - begun
        engine = engine.with_enabled(engine.enabled - set(given.disable))
        sources = judged(engine, given.files, given.sample)
        if given.only:
            sources = [source for source in sources if source.attack or source.name in given.only]
        print(by_source(sources, given.threshold))
        if given.hold_out:
            print(f"\n{held_out(sources)}")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rules = sum(len(category.rules) for category in categories)
        print(
            f"\n{rules} rules in {len(categories)} categories; compiled in {compiled:.1f} s, started in"
            f" {start_time(Path(folder)):.0f} ms; {memory:.0f} MB at the peak, the requests of the files included."
        )


if __name__ == "__main__":
    main()
