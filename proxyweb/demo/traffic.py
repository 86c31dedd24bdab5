"""Requests in batches: the same seed gives the same requests, whatever format they are printed in."""

from dataclasses import dataclass
from random import Random

from proxyweb.demo.exchanges import Exchange, exchanges
from proxyweb.demo.population import CLIENTS, HOSTS, NAMED_EVERY, Client, Destination, clients, destinations

TOKEN_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests as columns of one length; times are milliseconds since 1970, in the order of the log."""

    times: list[int]
    clients: list[Client]
    destinations: list[Destination]
    exchanges: list[Exchange]
    urls: list[str]


class Traffic:
    """An endless supply of requests."""

    def __init__(
        self, seed: int, client_count: int = CLIENTS, named_every: int = NAMED_EVERY, hosts: int = HOSTS
    ) -> None:
        self.rng = Random(seed)
        self._clients = clients(self.rng, client_count, named_every)
        self._destinations = destinations(self.rng, hosts)
        self._exchanges = exchanges(self.rng)

    def batch(self, times: list[int]) -> Batch:
        """Draw a request for each of the times."""
        count = len(times)
        chosen = self.rng.choices(self._exchanges, k=count)
        targets = self.rng.choices(self._destinations, k=count)
        tokens = self.rng.randbytes(count * TOKEN_LENGTH // 2).hex()
        urls = [
            url(target, it, tokens[place : place + TOKEN_LENGTH])
            for target, it, place in zip(targets, chosen, range(0, count * TOKEN_LENGTH, TOKEN_LENGTH), strict=True)
        ]
        return Batch(times, self.rng.choices(self._clients, k=count), targets, chosen, urls)


def url(target: Destination, it: Exchange, token: str) -> str:
    """What is asked for, as Squid logs it; a token makes a fresh one's URL its own."""
    return target.tunnel_url if it.tunnel else f"{target.site}{it.path}{token if it.fresh else ''}{it.tail}"
