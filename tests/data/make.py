"""Writes the log files beside it: one set of requests through a real Squid, logged in every format.

Run ``python -m tests.data.make`` in the checkout. Ports are fixed, so that two runs differ in
times only.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from pathlib import Path

from proxyweb.ingest.logformat import LOGFORMAT
from tests.e2e.origin import Origin
from tests.e2e.squid import BANNED_IP, Squid

HERE = Path(__file__).parent
ORIGIN_PORT, TUNNEL_PORT, SQUID_PORT = 18080, 18443, 13128
CLOSED_PORT = 1

LOGS = {
    "access.log": "native.log",
    "common.log": "common.log",
    "combined.log": "combined.log",
    "proxyweb.log": "proxyweb.log",
}
"""Squid's file → the fixture it becomes."""

RULES = """\
acl p451 urlpath_regex ^/p451
deny_info 451:ERR_ACCESS_DENIED p451
http_access deny p451
acl p404 urlpath_regex ^/p404
deny_info 404:ERR_ACCESS_DENIED p404
http_access deny p404
acl p302 urlpath_regex ^/p302
deny_info http://other.test/why?rule=p302 p302
http_access deny p302
acl reset urlpath_regex ^/reset
deny_info TCP_RESET reset
http_access deny reset
acl members urlpath_regex ^/members
acl known proxy_auth REQUIRED
http_access deny members !known
acl attack url_regex -i union.*select
acl marked annotate_transaction waf_category=sqli waf_rule=942100 waf_score=9
http_access deny attack marked
acl probe url_regex -i etc/passwd
acl probed annotate_transaction waf_category=lfi,recon waf_rule=930120 waf_score=3
http_access allow probe probed
acl replies rep_mime_type -i ^application/x-msdownload$
http_reply_access deny replies""".splitlines()

FIREFOX = b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
)

Send = Callable[..., None]


def _password_check(folder: Path) -> str:
    """A helper for ``auth_param``: everybody whose password is ``right``."""
    helper = folder / "passwords"
    helper.write_text(
        '#!/bin/sh\nwhile read -r name password; do [ "$password" = right ] && echo OK || echo ERR; done\n'
    )
    helper.chmod(0o755)
    folder.chmod(0o755)
    return str(helper)


def _login(name: bytes, password: bytes = b"right") -> bytes:
    return b"Proxy-Authorization: Basic " + base64.b64encode(name + b":" + password)


def _sender(squid: Squid) -> Send:
    """A function that sends one request and waits for its record, so that the order is fixed."""
    sent = 0

    def send(
        line: bytes, *headers: bytes, body: bytes = b"", records: int = 1, ipv6: bool = False, wait: float = 2.0
    ) -> None:
        nonlocal sent
        end = b"\r\n".join([b"Host: x", b"Connection: close", *headers]) + b"\r\n\r\n" if b"HTTP/" in line else b""
        squid.raw(line + b"\r\n" + end + body, ipv6=ipv6, wait=wait)
        sent += records
        squid.log_lines(sent)

    return send


def _everyday(send: Send, origin: Origin) -> None:
    """What a proxy sees on a working day: allowed, cached, failing at the origin."""
    at = f"http://origin.test:{origin.port}".encode()
    send(b"GET %s/ HTTP/1.1" % at, b"User-Agent: " + FIREFOX)
    send(
        b"GET %s/index.html HTTP/1.1" % at,
        b"User-Agent: " + CHROME,
        b"Referer: http://www.origin.test/search?q=proxy%20logs",
    )
    send(
        b"GET http://www.origin.test:%d/style.css HTTP/1.1" % origin.port,
        b"User-Agent: " + CHROME,
        b"Referer: %s/index.html" % at,
    )
    send(b"GET %s/bytes/100000 HTTP/1.1" % at, b"User-Agent: curl/8.5.0")
    send(b"HEAD %s/report.pdf HTTP/1.1" % at, b"User-Agent: Wget/1.21")
    send(
        b"POST %s/form HTTP/1.1" % at, b"User-Agent: python-requests/2.32.3", b"Content-Length: 11", body=b"hello=world"
    )
    send(b"PUT %s/upload.bin HTTP/1.1" % at, b"Content-Length: 5000", body=b"u" * 5000)
    send(b"DELETE %s/thing/7 HTTP/1.1" % at)
    send(b"OPTIONS %s/ HTTP/1.1" % at)
    send(b"GET %s/type?ct=image/png HTTP/1.1" % at, b"User-Agent: " + FIREFOX)
    send(b"GET %s/type?ct=text/html%%3B%%20charset%%3Dutf-8 HTTP/1.1" % at)
    send(b"GET %s/type?ct=caf%%E9%%20%%22x%%22 HTTP/1.1" % at)
    send(b"GET %s/type?ct=pw1 HTTP/1.1" % at)
    send(b"GET %s/type HTTP/1.1" % at)
    for status in (204, 301, 401, 403, 404, 500, 503):
        send(b"GET %s/%d HTTP/1.1" % (at, status), b"User-Agent: " + FIREFOX)
    for path, *headers in (
        (b"/cache",),
        (b"/cache",),
        (b"/cache", b"If-Modified-Since: Sun, 05 Jan 2025 10:00:00 GMT"),
        (b"/cache", b'If-None-Match: "one"'),
        (b"/cache", b"Cache-Control: no-cache"),
        (b"/stale",),
        (b"/stale",),
    ):
        send(b"GET %s%s HTTP/1.1" % (at, path), *headers)
    send(b"GET %s/slow/400 HTTP/1.1" % at, b"User-Agent: " + FIREFOX, wait=0.1)
    send(b"GET http://nosuch.test/ HTTP/1.1")
    send(b"GET http://origin.test:%d/ HTTP/1.1" % CLOSED_PORT)
    send(b"GET %s/ok HTTP/1.1" % at, ipv6=True)
    send(b"GET http://[::1]:%d/ok HTTP/1.1" % origin.port)
    send(b"GET http://origin6.test:%d/ok HTTP/1.1" % origin.port, ipv6=True)
    send(b"CONNECT origin.test:%d HTTP/1.1" % origin.tunnel_port, b"User-Agent: " + CHROME, body=b"x" * 3000, wait=0.2)
    send(b"CONNECT [::1]:%d HTTP/1.1" % origin.tunnel_port, body=b"x", wait=0.2)
    send(b"CONNECT origin.test:%d HTTP/1.1" % CLOSED_PORT)


def _refused(send: Send, origin: Origin) -> None:
    """Every way in which Squid says no, and those that only look like it."""
    at = f"http://origin.test:{origin.port}".encode()
    send(b"GET http://banned.test/ HTTP/1.1", b"User-Agent: " + FIREFOX)
    send(b"POST http://www.banned.test/login?user=x HTTP/1.1", b"Content-Length: 0")
    send(b"CONNECT www.banned.test:443 HTTP/1.1", b"User-Agent: " + CHROME)
    send(b"GET http://www.banned.test/ HTTP/1.1", ipv6=True)
    send(b"GET http://%s/ HTTP/1.1" % BANNED_IP.encode())
    send(b"CONNECT %s:443 HTTP/1.1" % BANNED_IP.encode())
    send(b"GET ftp://www.banned.test/pub/ HTTP/1.1")
    send(b"GET http://squid.test:%d/squid-internal-mgr/offline_toggle HTTP/1.1" % SQUID_PORT)
    for path in (b"/p451", b"/p404", b"/p302?from=here", b"/reset"):
        send(b"GET %s%s HTTP/1.1" % (at, path), b"User-Agent: " + FIREFOX)
    send(b"GET %s/type?ct=application/x-msdownload HTTP/1.1" % at)
    send(b"GET %s/item?id=1+UNION+SELECT+password HTTP/1.1" % at, b"User-Agent: sqlmap/1.8")
    send(b"GET %s/?file=../../etc/passwd HTTP/1.1" % at, b"User-Agent: Nikto/2.5")
    send(b"GET %s/members HTTP/1.1" % at, b"User-Agent: " + CHROME)
    send(b"GET %s/members HTTP/1.1" % at, _login(b"mallory", b"wrong"))
    send(b"GET %s/members HTTP/1.1" % at, b"Proxy-Authorization: Bearer abc")
    for name in (b"ahmet", b"ayse yilmaz", b"dom\\bob", b"j\xfcrgen", b'o"neil', b"100%", b"x HIER_NONE/- text/html"):
        send(b"GET %s/members HTTP/1.1" % at, _login(name))


def _hostile(send: Send, origin: Origin) -> None:
    """Odd methods, odd targets, raw bytes, and attempts to write somebody else's record."""
    at = f"http://origin.test:{origin.port}".encode()
    for method in (b"FOO-BAR", b"open", b"PROPFIND", b"X!#$%&'*+.^_`|~"):
        send(b"%s %s/ok HTTP/1.1" % (method, at))
    for path in (
        b"/my file.doc",
        b"/x - HIER_NONE/- text/html",
        b"/x - HIER_NONE/- text/html pw1 1 200 ua ref ERR_X -",
        b"/x - HIER_NONE/- text/html pw1 1 200 ua ref - - sqli 99 1",
        b"/caf\xe9",
        b"/caf\xc3\xa9?q=\xe6\x97\xa5",
        b"/caf%E9?q=100%25&r=%zz",
        b"/a\"b'c<d>{e}|f\\g^h`i[j]~",
        b"/a\tb\x0bc",
        b"/?",
    ):
        send(b"GET %s%s HTTP/1.1" % (at, path))
    send(b"GET %s/ok HTTP/1.1" % at, b'User-Agent: x" TCP_DENIED:HIER_NONE')
    send(b"GET %s/ok HTTP/1.1" % at, b"User-Agent: ua ref - - sqli 99 1", b'Referer: a"b\\c\td\xe9 %41')
    send(b"GET %s/ok HTTP/1.1" % at, b"User-Agent: Mozilla " + b"\xe9" * 300, b"Referer: %s/?" % at + b"r" * 1100)
    send(b"GET %s/ok HTTP/1.1" % at, b"User-Agent: one", b"User-Agent: two")
    send(b"GET %s/ok HTTP/1.1" % at, b"User-Agent:", b"Referer: -")
    send(b"GARBAGE", wait=0.3)
    send(b"", wait=0.3)
    send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", wait=0.3)
    send(b"GET /local/path HTTP/1.1")
    send(b"GET ahmet HTTP/1.1")
    send(b"GET a b HTTP/1.1")
    send(b"GET %s/\x01 HTTP/1.1" % at)
    send(b"GET %s/ok HTTP/9.9" % at, wait=0.3)
    send(b"OPTIONS * HTTP/1.1")
    send(b"GET urn:foo:bar HTTP/1.1")
    send(b"PRI * HTTP/2.0", records=2, wait=0.3)
    send(b"GET cache_object://localhost/counters HTTP/1.0")
    send(b"GET %s/ok HTTP/1.1" % at, b"User-Agent: " + b"u" * 70000)


def _by_default(send: Send, origin: Origin) -> None:
    """What Squid's defaults do to a URL: the query is cut, blanks are taken out."""
    at = f"http://origin.test:{origin.port}".encode()
    for path in (b"/search?q=secret&lang=en", b"/my file.doc?x=a b", b"/plain"):
        send(b"GET %s%s HTTP/1.1" % (at, path))


def _record(traffic: list[Callable[[Send, Origin], None]], settings: list[str], rules: list[str]) -> dict[str, bytes]:
    """Log file → content after that traffic through a Squid of its own."""
    more = {"common.log": "common", "combined.log": "combined", "proxyweb.log": "proxyweb"}
    with (
        Origin(ORIGIN_PORT, TUNNEL_PORT) as origin,
        Squid(settings=[LOGFORMAT, *settings], rules=rules, more_logs=more, port=SQUID_PORT, caching=True) as squid,
    ):
        send = _sender(squid)
        for part in traffic:
            part(send, origin)
        return {name: (squid.folder / name).read_bytes() for name in LOGS}


def _glued() -> bytes:
    """Three requests, of which the built-in format runs the second and the third together."""
    with Origin(ORIGIN_PORT, TUNNEL_PORT) as origin, Squid(port=SQUID_PORT) as squid:
        for number, path in enumerate((b"/before", b"/" + b"long" * 2100, b"/after")):
            squid.raw(
                b"GET http://origin.test:%d%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % (origin.port, path)
            )
            squid.log_lines(min(number + 1, 2))
        return squid.access_log.read_bytes()


def main() -> None:
    """Write every file again."""
    with tempfile.TemporaryDirectory() as folder:
        login = [
            f"auth_param basic program {_password_check(Path(folder))}",
            "auth_param basic children 1",
            "auth_param basic realm test",
        ]
        open_eyes = ["strip_query_terms off", "uri_whitespace allow", *login]
        for headers, wanted in (([], LOGS), (["log_mime_hdrs on"], {"access.log": "mime_hdrs.log"})):
            detailed = _record([_everyday, _refused, _hostile], [*open_eyes, *headers], RULES)
            plain = _record([_by_default], headers, [])
            for name, fixture in wanted.items():
                (HERE / fixture).write_bytes(detailed[name] + plain[name])
    (HERE / "glued.log").write_bytes(_glued())


if __name__ == "__main__":
    main()
