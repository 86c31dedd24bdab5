"""Trains the model of `dga.py`: `python -m proxyweb.waf.hosts.dga_training`.

Names that people chose come from the catalogue of services, the brands and compounds of everyday words; names that
programs make up are made up here, in the ways malware is known to: random letters, letters and digits, hexadecimal,
base 32, remainders of a congruential generator, consonants and vowels in turn. The same seed gives the same model.
"""

from __future__ import annotations

import json
import math
import random
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from proxyweb.catalogue import shadow_it
from proxyweb.waf.hosts import brands
from proxyweb.waf.hosts.dga import FEATURES, LIKELY, MODEL, SHORTEST, SURE, features
from proxyweb.waf.hosts.names import parse

SEED = 7
MADE_UP = 6000
ROUNDS = 400
RATE = 0.6
WORDS = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))["words"].split()


def chosen() -> list[str]:
    """Labels that people registered, and compounds of words as they do."""
    rng = random.Random(SEED)
    hosts = [domain for service in shadow_it.load().services for domain in service.domains]
    labels = [name.label for name in map(parse, [*hosts, *brands.load().domains]) if name]
    for _ in range(4000):
        words = rng.sample(WORDS, rng.choice((1, 2, 2, 2, 3)))
        label = rng.choice(("", "", "", "-")).join(words)
        labels.append(label + rng.choice(("",) * 8 + ("1", "24", "2000", "online")))
    initials = "".join
    labels += [initials(rng.choice("abcdefghimnprstw") for _ in range(3)) + rng.choice(WORDS) for _ in range(900)]
    return [label for label in labels if len(label) >= SHORTEST]


def made_up() -> list[str]:
    """Labels as programs make them up."""
    rng = random.Random(SEED + 1)
    letters = "abcdefghijklmnopqrstuvwxyz"

    def of(alphabet: str, low: int, high: int) -> Callable[[], str]:
        return lambda: "".join(rng.choice(alphabet) for _ in range(rng.randint(low, high)))

    def congruential() -> str:
        state, label = rng.getrandbits(32), ""
        for _ in range(rng.randint(9, 18)):
            state = (state * 1664525 + 1013904223) % 2**32
            label += letters[state // 65536 % 26]
        return label

    def spoken() -> str:
        return "".join(rng.choice("bcdfghjklmnpqrstvwxz") + rng.choice("aeiouy") for _ in range(rng.randint(5, 9)))

    ways = (
        of(letters, 9, 26), of(letters, 8, 14), of(f"{letters}0123456789", 9, 26), of("0123456789abcdef", 10, 32),
        of(f"{letters}234567", 12, 30), of("abcdefghijklmnopqrst", 9, 20), congruential, spoken,
    )  # fmt: skip
    return [rng.choice(ways)() for _ in range(MADE_UP)]


def letter_pairs(labels: Iterable[str]) -> tuple[dict[str, float], float]:
    """The logarithm of how often a letter follows another, from 0 down, and that of pairs never seen."""
    counts: Counter[str] = Counter()
    for label in labels:
        marked = f"^{label}$"
        counts.update(marked[place : place + 2] for place in range(len(label) + 1))
    firsts: Counter[str] = Counter()
    for pair, count in counts.items():
        firsts[pair[0]] += count
    pairs = {pair: round(math.log((count + 0.5) / (firsts[pair[0]] + 20)), 3) for pair, count in counts.items()}
    return dict(sorted(pairs.items())), round(math.log(0.5 / 400), 3)


def fit(samples: list[list[float]], labels: list[int]) -> tuple[list[float], float]:
    """Weights and bias by gradient descent; mistaking a chosen name costs six times as much."""
    weights, bias, gains = [0.0] * len(FEATURES), 0.0, [0.0] * (len(FEATURES) + 1)
    for _ in range(ROUNDS):
        slope, bias_slope = [0.0] * len(weights), 0.0
        for sample, label in zip(samples, labels, strict=True):
            total = bias + sum(weight * value for weight, value in zip(weights, sample, strict=True))
            error = 1 / (1 + math.exp(-max(-60.0, min(60.0, total)))) - label
            error *= 1 if label else 6
            bias_slope += error
            for place, value in enumerate(sample):
                slope[place] += error * value
        for place, value in enumerate([*slope, bias_slope]):
            gains[place] += (value / len(samples)) ** 2
            change = RATE * value / len(samples) / (math.sqrt(gains[place]) + 1e-9)
            if place < len(weights):
                weights[place] -= change
            else:
                bias -= change
    return weights, bias


def main() -> None:
    """Train on four fifths, say how well the last fifth is told apart, and write the model."""
    rng = random.Random(SEED + 2)
    people, programs = chosen(), made_up()
    rng.shuffle(people)
    rng.shuffle(programs)
    kept = len(people) * 4 // 5, len(programs) * 4 // 5
    pairs, unseen = letter_pairs(people[: kept[0]])
    samples = [features(label, pairs, unseen) for label in [*people[: kept[0]], *programs[: kept[1]]]]
    weights, bias = fit(samples, [0] * kept[0] + [1] * kept[1])
    stored = {
        "features": FEATURES, "weights": [round(weight, 4) for weight in weights], "bias": round(bias, 4),
        "unseen": unseen, "pairs": pairs,
    }  # fmt: skip
    MODEL.write_text(json.dumps(stored, indent=None) + "\n", "utf-8")

    def share(labels: list[str], least: float) -> float:
        found = 0
        for label in labels:
            values = features(label, pairs, unseen)
            found += bias + sum(weight * value for weight, value in zip(weights, values, strict=True)) >= least
        return found / len(labels)

    for probability in (0.5, LIKELY, SURE):
        least = math.log(probability / (1 - probability))
        print(
            f"p ≥ {probability}: {share(programs[kept[1] :], least):.1%} found,"
            f" {share(people[kept[0] :], least):.2%} false"
        )


if __name__ == "__main__":
    main()
