"""User agents as programs send them, and what is said of each."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyweb.catalogue import agents
from proxyweb.catalogue.agent_rules import OTHER, RULES, SERVICE_TYPES
from proxyweb.catalogue.agents import Agent, classify
from proxyweb.demo.agents import user_agents

with (Path(__file__).parent / "agents.tsv").open(encoding="utf-8", newline="") as opened:
    SEEN = list(csv.DictReader(opened, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: seen["user_agent"][:60])
def test_what_a_user_agent_says(seen: dict[str, str]) -> None:
    system, device = (seen[column].removesuffix("-") for column in ("system", "device"))
    assert classify(seen["user_agent"]) == Agent(seen["name"], system, device, seen["service_type"])


def test_there_are_examples_of_every_kind() -> None:
    assert {seen["service_type"] for seen in SEEN} == set(SERVICE_TYPES)


@pytest.mark.parametrize("agent", ["", " ", "-"])
def test_nothing_said(agent: str) -> None:
    assert classify(agent) == Agent("Unknown", "", "", OTHER)


def test_what_an_office_sends_is_known() -> None:
    unknown = [agent for agent in user_agents() if classify(agent).service_type == OTHER]
    assert unknown == ["-"]


@settings(deadline=None)  # the first one loads ua-parser
@given(st.text(st.characters(codec="utf-8"), max_size=2000))
def test_any_text_is_taken_and_gets_a_printable_name(text: str) -> None:
    found = classify(text)
    assert found.service_type in SERVICE_TYPES
    assert 1 <= len(found.name) <= agents.LONGEST_NAME
    assert found.name.isprintable()


def test_every_rule_is_well_formed() -> None:
    for service_type, name, pattern in RULES:
        assert service_type in SERVICE_TYPES
        text = pattern if isinstance(pattern, str) else pattern.pattern
        assert name and text == text.lower().replace("\\s", ""), f"{name}: a folded text can't match {text}"
        if isinstance(pattern, re.Pattern) and text[0] == "^":
            assert all(part[0] == "^" for part in alternatives(text)), f"{text} is tried at the beginning only"


def alternatives(pattern: str) -> list[str]:
    """What stands between the `|` that are in no group."""
    while "(" in pattern:
        pattern = re.sub(r"\([^()]*\)", "", pattern.replace(r"\(", "").replace(r"\)", ""))
    return pattern.split("|")


def test_ua_parser_is_loaded_on_first_use_only() -> None:
    code = (
        "import sys\n"
        "from proxyweb.catalogue.agents import classify\n"
        "print('ua_parser' in sys.modules)\n"
        "classify('curl/8.5.0')\n"
        "print('ua_parser' in sys.modules, 'ua_parser_rs' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "True", "True"]
