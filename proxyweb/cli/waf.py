"""`proxyweb waf check`: what the engine makes of requests, a line each."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO

import click

from proxyweb.config import load as load_config
from proxyweb.waf.custom import load as load_own
from proxyweb.waf.custom import with_own
from proxyweb.waf.engine import THRESHOLD, Engine
from proxyweb.waf.rules import load

LONGEST = 16 << 20


@click.group()
def waf() -> None:
    """Try the web application firewall out."""


@waf.command()
@click.option("--threshold", type=click.IntRange(1), default=THRESHOLD, show_default=True, help="Score that blocks.")
@click.option("--disable", multiple=True, metavar="CATEGORY", help="A category that is off; may be given again.")
def check(threshold: int, disable: tuple[str, ...]) -> None:
    """Judge requests from standard input, one JSON object a line, whatever the settings say.

    Each is {"id", "method", "url", "headers"}; method and headers may be left out. The answer to each, in order, is
    {"id", "blocked", "score", "categories", "rules"}, and has an "error" as well where the line is no request.
    """
    instance = load_config().instance
    categories = with_own(load(), load_own(instance))
    names = {category.name for category in categories}
    for name in disable:
        if name not in names:
            raise click.BadParameter(f"{name} is not a category; they are {', '.join(sorted(names))}")
    engine = Engine(categories, names - set(disable), threshold, instance / "cache")
    judge_lines(engine, sys.stdin.buffer, sys.stdout.buffer)


def judge_lines(engine: Engine, requests: BinaryIO, answers: BinaryIO) -> None:
    """One answer for each line, at once; none for blank lines."""
    while line := requests.readline(LONGEST):
        whole = len(line) < LONGEST or line.endswith(b"\n")
        if not whole:
            _skip_line(requests)
        if line.strip():
            answers.write(_answer(engine, line if whole else None))
            answers.flush()


def _skip_line(requests: BinaryIO) -> None:
    while (rest := requests.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _answer(engine: Engine, line: bytes | None) -> bytes:
    answer: dict[str, Any] = {"id": None, "blocked": False, "score": 0, "categories": [], "rules": []}
    try:
        if line is None:
            raise ValueError(f"a line may have {LONGEST:,} bytes")
        request = _request(line)
        answer["id"] = request.get("id")
        method, url, headers = request.get("method", "GET"), request.get("url"), request.get("headers") or {}
        if not isinstance(method, str) or not isinstance(url, str):
            raise ValueError("method and url must be text")
        if not _is_texts(headers):
            raise ValueError("headers must be an object of texts")
        answer.update(engine.judge(method, url, headers)._asdict())
    except (ValueError, RecursionError) as error:
        answer["error"] = str(error)
    return json.dumps(answer).encode() + b"\n"


def _request(line: bytes) -> dict[str, Any]:
    """The object in a line. Bytes that are no UTF-8 and halves of surrogates are taken as they are."""
    request = json.loads(line.decode("utf-8", "surrogateescape"))
    if not isinstance(request, dict):
        raise ValueError("a request must be a JSON object")
    return request


def _is_texts(headers: object) -> bool:
    return isinstance(headers, Mapping) and all(isinstance(value, str) for value in headers.values())
