"""Names that a program made up: how probable, by a logistic model of eleven features of the registered label.

The coefficients and the frequencies of letter pairs are data, in `dga_model.json`; `python -m
proxyweb.waf.hosts.dga_training` makes them. Names put together from dictionary words look like anybody's and are not
found.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from proxyweb.waf.hosts.names import parse

MODEL = Path(__file__).with_name("dga_model.json")
SHORTEST = 8
LIKELY = 0.9
SURE = 0.999
FEATURES = (
    "length", "letter pairs", "rarest pairs", "vowels", "digits", "consonants in a row", "digits in a row",
    "changes between letters and digits", "different characters", "entropy", "hyphens",
)  # fmt: skip
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]+")
_DIGITS = re.compile(r"\d+")
_CHANGES = re.compile(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)")


class Model(NamedTuple):
    """`pairs` are logarithms of how often a letter follows another; `unseen` is that of the others."""

    weights: tuple[float, ...]
    bias: float
    pairs: dict[str, float]
    unseen: float


@cache
def model() -> Model:
    """The trained model."""
    stored = json.loads(MODEL.read_text("utf-8"))
    return Model(tuple(stored["weights"]), stored["bias"], stored["pairs"], stored["unseen"])


def features(label: str, pairs: dict[str, float], unseen: float) -> list[float]:
    """What the model looks at, in the order of FEATURES, each about 0 to 1."""
    length = len(label)
    marked = f"^{label}$"
    scores = sorted(pairs.get(marked[place : place + 2], unseen) for place in range(length + 1))
    counts = {character: label.count(character) for character in set(label)}
    entropy = -sum(count / length * math.log2(count / length) for count in counts.values())
    return [
        length / 20,
        sum(scores) / len(scores) / 5,
        sum(scores[:4]) / 4 / 10,
        sum(map(label.count, "aeiouy")) / length,
        sum(map(label.count, "0123456789")) / length,
        max(map(len, _CONSONANTS.findall(label)), default=0) / 6,
        max(map(len, _DIGITS.findall(label)), default=0) / 6,
        len(_CHANGES.findall(label)) / 6,
        len(counts) / length,
        entropy / 4,
        label.count("-") / 2,
    ]


@lru_cache(1024)
def probability(host: str) -> float:
    """How probable it is that a program made the host's registered label up; 0 for what is too short to tell."""
    name = parse(host)
    if name is None or len(name.label) < SHORTEST or name.label.startswith("xn--") or not name.label.isascii():
        return 0.0
    return _of_label(name.label.lower())


@lru_cache(16_384)
def _of_label(label: str) -> float:
    trained = model()
    values = features(label, trained.pairs, trained.unseen)
    total = trained.bias + sum(weight * value for weight, value in zip(trained.weights, values, strict=True))
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))


def likely(host: str) -> bool:
    """A program probably made it up."""
    return probability(host) >= LIKELY


def sure(host: str) -> bool:
    """A program made it up, as far as a name can tell."""
    return probability(host) >= SURE
