"""A client, a user and an e-mail address in every spelling, which nobody may see where masking is on."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from tests.ingest.factory import Request, log

V4 = IPv4Address("198.51.100.213")
V6 = IPv6Address("2001:db8:77:4242::beef")
SPELLINGS = (
    str(V4), f"::ffff:{V4}", f"::FFFF:{V4}", "::ffff:c633:64d5", str(int(V4)), hex(int(V4)), "0306.063.0144.0325",
    f"{V4}:4711", str(V6), V6.exploded, str(V6).upper(), f"{V6}%eth0", f"[{V6}]", "canary-laptop.lan",
)  # fmt: skip
TRACES = re.compile(
    rf"{re.escape(str(V4))}|c633:64d5|{int(V4)}|{hex(int(V4))}|0325|4711|4242|beef|eth0|canary", re.IGNORECASE
)
# Those of them that no figure, digest or time holds by accident.
UNMISTAKABLE = re.compile(
    rf"{re.escape(str(V4))}|c633:64d5|{int(V4)}|{hex(int(V4))}|0306\.063|2001:0?db8:0*77:4242|canary|%eth0",
    re.IGNORECASE,
)
DIGESTS = {"ETag", "X-Request-ID"}
PSEUDONYM = re.compile(r"(?:host|user)-[0-9a-f]{8}")  # in which, as in a digest, any hexadecimal digits may stand
# Behind a metric's labels: seconds and bytes, with digits as they fall.
FIGURE = re.compile(r" [\d.e+-]+$", re.MULTILINE)
USER = "canary.person"
MAIL = "http://site.test/canary@mail.example/?to=canary.two%40mail.example&cc=canary%2540mail.example"


def canaries(now: float) -> bytes:
    """A log of them, a request for each spelling, all before `now`."""
    return log(
        *(
            Request(
                time_ms=(int(now) - number) * 1000,
                client=client,
                user=USER,
                url=MAIL,
                referer=MAIL,
                status=(200, 404, 403)[number % 3],
            )
            for number, client in enumerate(SPELLINGS)
        ),
        log_format="proxyweb",
    )
