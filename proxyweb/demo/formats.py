"""A batch of requests as log lines, in Squid's own formats and in the project's."""

import time
from collections.abc import Callable
from types import MappingProxyType

from proxyweb.demo.exchanges import Exchange
from proxyweb.demo.population import Client, Destination
from proxyweb.demo.traffic import Batch

NO_PEER = "HIER_NONE/-"
SECONDS = tuple(f":{second:02d} +0000" for second in range(60))


class _Minutes(dict[int, str]):
    """The date, hour and minute of `%tl`, by minutes since 1970."""

    def __missing__(self, minute: int) -> str:
        self[minute] = text = time.strftime("%d/%b/%Y:%H:%M", time.gmtime(minute * 60))
        return text


def squid(batch: Batch) -> list[str]:
    """Squid's `squid` format: `%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt`."""
    return [
        f"{(stamp := str(moment))[:-3]}.{stamp[-3:]} {it.elapsed} {client.address} {it.result}/{it.status} "
        f"{it.bytes_to_client} {it.method} {url} {client.user} "
        f"{target.hierarchy if it.direct else NO_PEER} {it.content_type}"
        for moment, client, target, it, url in zip(
            batch.times, batch.clients, batch.destinations, batch.exchanges, batch.urls, strict=True
        )
    ]


def combined(batch: Batch) -> list[str]:
    """Squid's `combined` format.

    `%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh`.
    """
    minutes = _Minutes()
    return [
        f"{client.address} - {client.user} [{minutes[moment // 60_000]}{SECONDS[moment // 1000 % 60]}] "
        f'"{it.method} {url} HTTP/1.1" {it.status if it.status != "000" else 0} {it.bytes_to_client} '
        f'"{target.site + it.referer_path if it.referer_path else "-"}" "{client.agent}" '
        f"{it.result}:{'HIER_DIRECT' if it.direct else 'HIER_NONE'}"
        for moment, client, target, it, url in zip(
            batch.times, batch.clients, batch.destinations, batch.exchanges, batch.urls, strict=True
        )
    ]


def proxyweb(batch: Batch) -> list[str]:
    """The project's own format: the native fields, then `extra_fields`."""
    rows = zip(squid(batch), batch.clients, batch.destinations, batch.exchanges, strict=True)
    return [native + extra_fields(client, target, it) for native, client, target, it in rows]


def extra_fields(client: Client, target: Destination, it: Exchange) -> str:
    """` pw1 %>st %<Hs %#{User-Agent}>h %#{Referer}>h %err_code %ssl::bump_mode` and three notes."""
    referer = target.site_escaped + it.referer_path if it.referer_path else "-"
    return f" pw1 {it.bytes_from_client} {it.origin_status} {client.agent_escaped} {referer} {it.error} - {it.notes}"


FORMATS: MappingProxyType[str, Callable[[Batch], list[str]]] = MappingProxyType(
    {"squid": squid, "combined": combined, "proxyweb": proxyweb}
)
