"""Who asks and who is asked: 500 clients and 20,000 hosts, each with what stays the same about it."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from random import Random

from proxyweb.demo.agents import BROWSERS, user_agents
from proxyweb.demo.apportion import pool, zipf

HOSTS = 20_000
CLIENTS = 500
LITERAL_IPV4, LITERAL_IPV6 = 60, 20
NAMED_EVERY = 17
"""One client in so many signs in to the proxy; the others are logged as `-`."""

# Pools are lists in which everybody stands as often as their weight asks: 2**20 slots give the rarest host five.
HOST_SLOTS, CLIENT_SLOTS = 1 << 20, 1 << 16

SUBDOMAINS = (
    "www",
    "api",
    "cdn",
    "static",
    "img",
    "assets",
    "mail",
    "login",
    "app",
    "media",
    "shop",
    "s3",
    "edge-7",
    "m",
)
SUFFIXES = {
    ".com": 9,
    ".net": 2,
    ".org": 2,
    ".de": 2,
    ".co.uk": 1,
    ".fr": 1,
    ".eu": 1,
    ".io": 1,
    ".com.tr": 1,
    ".jp": 1,
}
SERVER_NETS = (13, 18, 20, 23, 34, 40, 52, 54, 63, 81, 88, 91, 93, 104, 142, 151, 185, 193, 199, 204, 212, 217)


@dataclass(frozen=True, slots=True)
class Client:
    """A machine in the local network with one of the programs that run on it."""

    address: str
    user: str
    agent: str
    agent_escaped: str


@dataclass(frozen=True, slots=True)
class Destination:
    """A host as URLs begin with it (IPv6 in brackets), with one of its stable peers as Squid's `%Sh/%<a`."""

    tunnel_url: str
    site: str
    site_escaped: str
    hierarchy: str


def url_escape(value: str) -> str:
    """Escape as Squid's `%#` modifier does: blanks and the unsafe characters of RFC 1738, section 2.2."""
    return "".join(f"%{ord(char):02X}" if char <= " " or char in "<>\"#%{}|\\^~[]`'" else char for char in value)


def names(kind: str) -> list[str]:
    """A list out of the folder beside this file: `words`, `well_known_hosts`, `given_names` or `family_names`."""
    return (Path(__file__).with_name("names") / f"{kind}.txt").read_text().split()


def clients(rng: Random, count: int = CLIENTS, named_every: int = NAMED_EVERY) -> list[Client]:
    """A pool of clients: all appear, the busiest about a hundred times as often as the quietest."""
    nets = [f"10.{rng.randrange(40)}.{rng.randrange(256)}" for _ in range(16)] + [
        "192.168.1",
        "192.168.20",
        "192.168.178",
    ]
    addresses = [f"{net}.{number}" for net in nets for number in range(1, 255)]
    agents, given_names, family_names = user_agents(), names("given_names"), names("family_names")
    browser_count = sum(len(systems) * len(versions) for _, systems, versions in BROWSERS)
    members: list[Client] = []
    weights: list[float] = []
    for rank, (address, weight) in enumerate(zip(rng.sample(addresses, count), zipf(count, 0.75), strict=True), 1):
        user = "-" if rank % named_every else f"{rng.choice(given_names)}.{rng.choice(family_names)}"
        own = [rng.choice(agents[:browser_count]), *rng.sample(agents, rng.randrange(1, 5))]
        members += [Client(address, user, agent, url_escape(agent)) for agent in own]
        weights += [weight * share for share in (0.7, *[0.3 / (len(own) - 1)] * (len(own) - 1))]
    return pool(members, weights, CLIENT_SLOTS)


def destinations(rng: Random, count: int = HOSTS) -> list[Destination]:
    """A pool of destinations: hosts by Zipf's law, a host's share divided among its one to four peers."""
    members: list[Destination] = []
    weights: list[float] = []
    for host, weight in zip(host_names(rng, count), zipf(count, 1.0), strict=True):
        own = host_destinations(rng, host)
        members += own
        weights += [weight / len(own)] * len(own)
    return pool(members, weights, HOST_SLOTS)


def host_destinations(rng: Random, host: str) -> list[Destination]:
    """A host with each of its one to four peers; a literal address has itself."""
    bare = host.strip("[]")
    literal = bare != host or bare.replace(".", "").isdigit()
    peers = [bare] if literal else [peer_address(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 4)))]
    site = f"http://{host}"
    return [Destination(f"{host}:443", site, url_escape(site), f"HIER_DIRECT/{peer}") for peer in peers]


def host_names(rng: Random, count: int) -> list[str]:
    """`count` distinct hosts, busiest first: well-known names, then invented ones with literal addresses among them."""
    well_known, words = names("well_known_hosts"), names("words")
    wanted = count - len(well_known) - LITERAL_IPV4 - LITERAL_IPV6
    invented: dict[str, None] = {}
    while len(invented) < wanted:
        suffix = rng.choices(list(SUFFIXES), list(SUFFIXES.values()))[0]
        domain = rng.choice(words) + rng.choice(words) + suffix
        invented |= {f"{subdomain}.{domain}": None for subdomain in rng.sample(SUBDOMAINS, rng.choice((1, 1, 2, 4)))}
    rest = list(invented)[:wanted]
    rest += [ipv4(rng) for _ in range(LITERAL_IPV4)]
    rest += [f"[{ipv6(rng)}]" for _ in range(LITERAL_IPV6)]
    rng.shuffle(rest)
    return well_known + rest


def peer_address(rng: Random) -> str:
    """An origin server's address, one in eight of them IPv6."""
    return ipv6(rng) if rng.random() < 0.125 else ipv4(rng)


def ipv4(rng: Random) -> str:
    """An address out of networks that belong to public servers."""
    return f"{rng.choice(SERVER_NETS)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"


def ipv6(rng: Random) -> str:
    """An address in 2a00::/12, compressed as Squid prints it."""
    return str(IPv6Address((0x2A00 << 112) | (rng.getrandbits(28) << 84) | rng.getrandbits(24)))
