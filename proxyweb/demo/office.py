"""An office whose machines are put behind a proxy, week by week: its month, and what goes on in it now.

It is a Wednesday afternoon there when the demo starts, wherever one looks at it from.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from proxyweb.demo import clock
from proxyweb.demo.attacks import ATTACKS
from proxyweb.demo.exchanges import DENIED, Exchange
from proxyweb.demo.formats import proxyweb
from proxyweb.demo.population import Client, Destination, host_destinations, names
from proxyweb.demo.traffic import Batch, Traffic, url

SEED = 11
CLIENTS, NAMED_EVERY, HOSTS = 72, 2, 2500
WEDNESDAY_AFTERNOON = 1_717_599_600
"""2024-06-05 15:00 UTC."""

DAYS = 31
DOUBLING_SECONDS = 7 * 86_400
"""How long it takes until twice as many machines are behind the proxy."""

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
HOUR_MS = 3_600_000
BATCH_LINES = 400
SERVICE_SHARE, NEW_SERVICE_SHARE = 0.02, 0.004
ATTACK_SHARE, BOUT_SHARE = 0.0008, 0.03
BOUT_EVERY_HOURS = 9
NOTED_ONLY = 0.15
"""Share of the attacks that were let through: the WAF notes what it finds before it is told to block."""


class OfficeTraffic(Traffic):
    """Ordinary traffic, with refusals where one expects them, services nobody asked for, and bouts of attacks."""

    def __init__(self, now: float, seed: int = SEED) -> None:
        super().__init__(seed, CLIENTS, NAMED_EVERY, HOSTS)
        self._now_ms = int(now * 1000)
        self._refused = self._named("refused_hosts")
        self._services = self._named("services")
        self._new_services = self._named("new_services")
        self._sites = [place for host in ("shop.example", "intranet.example", "files.example")
                       for place in host_destinations(self.rng, host)]  # fmt: skip
        self._fans = _fans(self.rng, self._services + self._new_services, self._clients)
        self._suspects = [client for client in self.rng.sample(self._clients, 40) if "Mozilla" not in client.agent][:4]
        self._attacks = list(_attacks(self.rng))
        self._tunnels = [it for it in self._exchanges if it.tunnel and it.result != DENIED.result]

    def batch(self, times: list[int]) -> Batch:
        drawn = super().batch(times)
        for place, (moment, it) in enumerate(zip(times, drawn.exchanges, strict=True)):
            told = self._told_otherwise(moment, it)
            if told:
                client, target, it = told
                drawn.clients[place] = client or drawn.clients[place]
                drawn.destinations[place], drawn.exchanges[place] = target, it
                drawn.urls[place] = url(target, it, f"{self.rng.getrandbits(48):012x}")
        return drawn

    def _told_otherwise(self, moment: int, it: Exchange) -> tuple[Client | None, Destination, Exchange] | None:
        """Another client (or None for the same), destination and exchange in the place of an ordinary one."""
        chance = self.rng.random()
        age_ms = self._now_ms - moment
        attack_share = BOUT_SHARE if age_ms // HOUR_MS % BOUT_EVERY_HOURS == 2 else ATTACK_SHARE
        if chance < attack_share:
            return self.rng.choice(self._suspects), self.rng.choice(self._sites), self.rng.choice(self._attacks)
        if it.result == DENIED.result:
            return None, self._refused[_front_loaded(self.rng, len(self._refused))], it
        chance -= attack_share
        if chance < NEW_SERVICE_SHARE and age_ms < WEEK_MS:
            return self._of_service(self._new_services[: 1 + (WEEK_MS - age_ms) // DAY_MS])  # one more every day
        if chance - NEW_SERVICE_SHARE < SERVICE_SHARE:
            return self._of_service(self._services)
        return None

    def _of_service(self, services: list[Destination]) -> tuple[Client, Destination, Exchange]:
        service = services[_front_loaded(self.rng, len(services))]
        return self.rng.choice(self._fans[service]), service, self.rng.choice(self._tunnels)

    def _named(self, kind: str) -> list[Destination]:
        return [host_destinations(self.rng, host)[0] for host in names(kind)]


def history(requests: int, days: int, now: int) -> Iterator[bytes]:
    """About `requests` lines of the project's own format, in blocks: the `days` days before `now` (Unix seconds)."""
    traffic = OfficeTraffic(now)
    for start, count in clock.hours(requests, days, now, lambda moment: busyness(moment, now)):
        times = clock.completion_times(traffic.rng, start, count)
        for first in range(0, count, BATCH_LINES):
            yield lines(traffic, times[first : first + BATCH_LINES])


def lines(traffic: Traffic, times: list[int]) -> bytes:
    """A request for each of the times (ms), as Squid would append them."""
    return "".join(f"{line}\n" for line in proxyweb(traffic.batch(times))).encode("ascii")


def busyness(moment: int, now: int) -> float:
    """How busy the office is in the hour from `moment`: by its own clock, and by how many machines take part yet."""
    age = now - moment
    growth: float = 2 ** (-age / DOUBLING_SECONDS)
    return clock.activity(WEDNESDAY_AFTERNOON - age) * growth


def _attacks(rng: Random) -> Iterator[Exchange]:
    """Each attack, refused by the proxy for the WAF's verdict or, seldom, passed and only noted."""
    for attack in ATTACKS:
        for number in range(20):
            is_noted_only = number < 20 * NOTED_ONLY
            size = rng.randrange(3300, 4200)
            yield Exchange(
                method="GET",
                result="TCP_MISS" if is_noted_only else DENIED.result,
                status="404" if is_noted_only else DENIED.status,
                direct=is_noted_only,
                origin_status="404" if is_noted_only else "-",
                error="-" if is_noted_only else "ERR_ACCESS_DENIED",
                elapsed=str(rng.randrange(80, 400) if is_noted_only else rng.randrange(3)).rjust(6),
                bytes_to_client=str(size),
                bytes_from_client=str(rng.randrange(180, 600)),
                content_type="text/html",
                tunnel=False,
                fresh=False,
                path=attack.path,
                tail="",
                referer_path="",
                notes=attack.notes,
            )


def _fans(rng: Random, services: list[Destination], clients: list[Client]) -> dict[Destination, list[Client]]:
    """Who uses a service: two or three people mostly, and some services a dozen."""
    return {service: rng.sample(clients, rng.choice((2, 2, 3, 3, 5, 12))) for service in services}


def _front_loaded(rng: Random, count: int) -> int:
    """A place in a list, the first ones more often than the last."""
    return int(count * rng.random() ** 2)
