"""The entropy of URLs, one by one and many at once."""

from __future__ import annotations

from collections import Counter
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.ingest.entropy import LONGEST, entropies, entropy_of


def shannon(text: str) -> float:
    octets = text.encode("utf-8", "surrogatepass")
    return -sum(count / len(octets) * log2(count / len(octets)) for count in Counter(octets).values())


@given(st.text(st.characters(), min_size=1, max_size=300))
def test_it_is_shannons(text: str) -> None:
    assert shannon(text) * 1000 - 1.01 < entropy_of(text) < shannon(text) * 1000 + 0.01


@given(st.lists(st.one_of(st.text(max_size=40), st.sampled_from(["", "a" * 9000])), max_size=30), st.integers(1, 60))
def test_many_at_once(texts: list[str], repeat: int) -> None:
    assert entropies(texts * repeat).tolist() == [entropy_of(text) for text in texts] * repeat


@pytest.mark.parametrize(
    ("text", "entropy"),
    [("", 0), ("aaaa", 0), ("ab", 1000), ("abcd" * 7, 2000), ("".join(map(chr, range(128))), 7000)],
)
def test_examples(text: str, entropy: int) -> None:
    assert entropy_of(text) == entropy


def test_of_an_endless_text_the_beginning() -> None:
    assert entropy_of("a" * LONGEST + "b" * LONGEST) == 0
