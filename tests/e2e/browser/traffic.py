"""A log that has something for every part of the dashboard: ordinary traffic, the WAF's verdicts, hostile texts."""

from __future__ import annotations

import random
from pathlib import Path

from proxyweb.demo.generate import generate
from proxyweb.ingest.record import WafVerdict
from tests.ingest.factory import Request

LINES = 12_000
CATEGORIES = ("sql_injection", "xss_attacks", "directory_traversal", "log4shell")
HOSTILE = (
    "<img/src=x/onerror=alert(1)>",
    "\"><script>alert(1)</script>",
    "javascript:alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "'-alert(1)-'",
    "<svg/onload=alert(1)>",
)  # fmt: skip


def write(path: Path, now: float) -> None:
    """Three days of log up to `now`, in the project's own format."""
    generate(path, lines=LINES, log_format="proxyweb", days=3, end=int(now))
    with path.open("ab") as log:
        for request in (*attacks(now), *hostile(now)):
            log.write(request.line("proxyweb") + b"\n")


def attacks(now: float) -> list[Request]:
    """What the WAF blocked within the last day, and what it only noted."""
    chance = random.Random(5)
    return [
        Request(
            time_ms=int((now - age) * 1000),
            client=f"10.9.0.{age % 7 + 1}",
            result_code="TCP_DENIED" if age % 5 else "TCP_MISS",
            status=403 if age % 5 else 200,
            url=f"http://shop.example/?q=1%27+or+{age}",
            hierarchy="HIER_NONE" if age % 5 else "HIER_DIRECT",
            peer="" if age % 5 else "192.0.2.1",
            user_agent="curl/8.5.0",
            waf=WafVerdict(7, chance.choice(CATEGORIES), "rule-1"),
        )
        for age in range(60, 80_000, 777)
    ]


def hostile(now: float) -> list[Request]:
    """Requests whose every text tries to be code; the newest of all, so that every list shows them."""
    return [
        Request(
            time_ms=int((now - 5) * 1000) + number,
            client="10.9.9.9",
            result_code="TCP_DENIED",
            status=403,
            method="GET",
            url=f"http://evil.example/{text}",
            user=text,
            user_agent=text,
            referer=text,
            content_type=text,
            hierarchy="HIER_NONE",
            peer="",
        )
        for number, text in enumerate(HOSTILE)
    ]


def passing(now: float, number: int) -> bytes:
    """One more line, as Squid would append it."""
    url = f"http://fresh.example/{number}"
    return Request(time_ms=int(now * 1000), client="10.9.8.7", url=url).line("proxyweb") + b"\n"
