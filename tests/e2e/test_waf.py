"""A real Squid asks a real `proxyweb waf-helper`, and its log tells what was found."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxyweb.ingest.logformat import LOGFORMAT
from proxyweb.ingest.record import NO_VERDICT
from proxyweb.squid_conf.include_file import LIMITS
from proxyweb.waf.engine import Engine
from proxyweb.waf.helper import FORMAT
from proxyweb.waf.rules import Category, load
from tests.e2e.asking import IN_FORCE_SECONDS, change, changes, logged
from tests.e2e.origin import Origin
from tests.e2e.squid import Reply, Squid
from tests.test_supervisor import wait_for
from tests.waf.examples import request

SQL = "/?id=1%27%20union%20select%20a,b%20from%20t--"
TRAVERSAL = "/../../../../etc/passwd"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
BENIGN = [
    "/",
    "/index.html",
    "/search?q=select+a+table+from+the+union+catalogue",
    "/a%20b?c=d%27s&e=100%25",
    "/caf%C3%A9",
]
AT_ONCE, MANY = 48, 3000
ASKED = 8
SECONDS = 15.0
FAILS_WHERE_A_HELPER_DIES = "Write.cc:40"
RULES = ["acl waf_deny external waf", "http_access deny waf_deny"]


def asking(instance: Path, command: str = "", limits: str = LIMITS) -> Squid:
    """A Squid with the helper, or another command in its place. Set up as proxyweb squid-conf does."""
    helper = f"/usr/bin/env PROXYWEB_INSTANCE={instance} PROXYWEB_ACCESS_LOG= {sys.executable} -m proxyweb waf-helper"
    settings = [
        LOGFORMAT,
        f"external_acl_type waf {limits} {FORMAT} {command or helper}",
    ]
    return Squid(settings=settings, rules=RULES, log_format="proxyweb")


def example(engine: Engine, category: Category) -> tuple[str, str, dict[str, str]]:
    """A request that is blocked and of this category, of those that http.client can send."""
    for rule in category.rules:
        for given in rule.match:
            method, url, headers = request(rule, given)
            if not url.startswith("http://") or not url.isascii() or not url.isprintable() or " " in url:
                continue
            verdict = engine.judge(method, url, headers)
            if verdict.blocked and category.name in verdict.categories and method.isupper():
                return method, url, headers
    raise AssertionError(f"no example of {category.name}")


def test_every_category_denies_and_passes_when_it_is_off(judging: Path, compiled: Path, origin: Origin) -> None:
    engine = Engine(load(), cache=compiled)
    examples = {category.name: example(engine, category) for category in load()}

    def send(name: str) -> Reply:
        method, url, headers = examples[name]
        return squid.get(url, headers, method=method)

    with asking(judging) as squid:
        for number, name in enumerate(examples, 1):
            assert send(name).status == 403, examples[name]
            record = logged(squid, number)[-1]
            verdict = engine.judge(*examples[name])
            assert name in verdict.categories
            assert record.kind.reason == "waf"
            assert record.waf == (verdict.score, ",".join(verdict.categories), ",".join(verdict.rules))
        change(judging, "INSERT INTO waf_categories_off SELECT value, 0 FROM json_each(?)", (json_list(examples),))
        for name in examples:
            changes(lambda name=name: send(name).status == 403, False)  # type: ignore[misc]
        assert not logged(squid, 2 * len(examples))[-1].waf.score


def json_list(names: Mapping[str, object]) -> str:
    return "[" + ",".join(f'"{name}"' for name in names) + "]"


def test_ordinary_requests_pass(judging: Path, origin: Origin) -> None:
    with asking(judging) as squid:
        for path in BENIGN:
            assert squid.get(origin.url(path), {"User-Agent": AGENT, "Referer": origin.url("/a?b=c d")}).status == 200
        assert squid.connect(f"origin.test:{origin.tunnel_port}", b"hello", {"User-Agent": AGENT}).body == b"hello"
        assert {record.waf.score for record in logged(squid, len(BENIGN) + 1)} == {0}


def test_a_category_switched_off_and_on_again_is_in_force_within_two_seconds(judging: Path, origin: Origin) -> None:
    with asking(judging) as squid:

        def status() -> int:
            return squid.get(origin.url(SQL)).status

        assert status() == 403
        change(judging, "INSERT INTO waf_categories_off VALUES ('SQL_INJECTION', 0)")
        changes(status, 200)
        assert squid.get(origin.url(TRAVERSAL)).status == 403
        change(judging, "DELETE FROM waf_categories_off")
        changes(status, 403)


def test_detecting_lets_pass_and_notes(judging: Path, origin: Origin) -> None:
    change(judging, waf_mode="detect")
    with asking(judging) as squid:
        assert squid.get(origin.url(SQL)).status == 200
        (record,) = logged(squid, 1)
        assert (record.kind.reason, record.waf.categories) == ("", "SQL_INJECTION")
        assert record.waf.score >= 5
        assert record.waf.rules


def test_the_lists_deny_within_two_seconds_and_are_policy(instance: Path, compiled: Path, origin: Origin) -> None:
    (instance / "cache").symlink_to(compiled)
    change(instance, enable_domain_blacklist="true", enable_ip_blacklist="true")
    with asking(instance) as squid:

        def status(host: str = "www.origin.test") -> int:
            return squid.get(origin.url(host=host)).status

        assert status() == 200
        change(instance, "INSERT INTO domain_blacklist VALUES (NULL, 'origin.test', '', 0)")
        changes(status, 403)
        assert squid.connect(f"origin.test:{origin.tunnel_port}").status == 403
        assert logged(squid, 1)[-1].kind.reason == "policy"
        assert status("other.test") == 200
        change(instance, "DELETE FROM domain_blacklist")
        changes(status, 200)
        assert status("127.0.0.1") == status("2130706433") == 200
        change(instance, block_direct_ip="true")
        changes(lambda: status("127.0.0.1"), 403)
        assert status("2130706433") == 403
        assert squid.connect("[::1]:443").status == 403
        assert status() == 200
        change(instance, "INSERT INTO ip_blacklist VALUES (NULL, '127.0.0.0/8', '', 0)", block_direct_ip="false")
        changes(status, 403)
        records = logged(squid, 10)
        assert {record.kind.reason for record in records} == {"", "policy"}
        assert {record.waf for record in records} == {NO_VERDICT}


def test_odd_bytes_are_judged_as_they_were_sent(judging: Path, origin: Origin) -> None:
    """What the client escaped is told from what Squid escapes."""
    sent = [
        b"/?q=%2527%20or%201=1--", b"/..%c0%af..%c0%afetc/passwd", b"/..\xc0\xaf..\xc0\xafetc/passwd",
        b"/?q=<script>alert(1)</script>", b"/?q=${jndi:ldap://a/b}", b"/?q=%uff1cscript%uff1ealert(1)",
    ]  # fmt: skip
    with asking(judging) as squid:
        for path in sent:
            line = b"GET " + origin.url("").encode() + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert squid.raw(line).startswith(b"HTTP/1.1 403"), path
        for record in logged(squid, len(sent)):
            assert record.kind.reason == "waf"


def test_of_many_at_once_each_gets_its_own_verdict(judging: Path, origin: Origin) -> None:
    change(judging, waf_on_failure="closed")
    with asking(judging) as squid:

        def ask(number: int) -> tuple[bool, int, float]:
            begun, attacks = time.monotonic(), number % 3 == 0
            answer = squid.get(origin.url(f"/ok/{number}{SQL.removeprefix('/') if attacks else ''}"))
            return attacks, answer.status, time.monotonic() - begun

        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(ask, range(MANY)))
        unjudged = 0
        for record in logged(squid, MANY):
            unjudged += record.waf == NO_VERDICT  # a busy machine
            number = int(record.url.rpartition("/")[2].removesuffix("?"))  # Squid logs no queries
            assert (record.waf.categories == "SQL_INJECTION") == (number % 3 == 0) or record.waf == NO_VERDICT
    assert {status for attacks, status, _ in found if attacks} == {403}
    assert sum(status != 200 for attacks, status, _ in found if not attacks) <= unjudged < MANY // 10
    taken = sorted(seconds for *_, seconds in found)
    print(f"{AT_ONCE} at once: half within {taken[MANY // 2]:.3f} s, 99 % within {taken[MANY * 99 // 100]:.3f} s")
    assert taken[MANY * 99 // 100] < IN_FORCE_SECONDS


def helpers(squid: Squid) -> list[int]:
    """The helpers' process ids: children of Squid."""
    assert squid._process
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(squid._process.pid)], capture_output=True, text=True
    )
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "waf-helper" in line]


def test_a_killed_helper_comes_back_and_no_attack_passes_meanwhile(judging: Path, origin: Origin) -> None:
    """However often: with `children-startup` above 0, Squid ends itself when its helper dies twice in 30 s.

    Where a request is on its way to the dying helper, Squid 5.7 itself may fail an assertion, and is started again.
    """
    found: Counter[tuple[bool, int]] = Counter()
    slowest: list[float] = []
    with asking(judging) as squid:

        def status(url: str) -> int:
            try:
                return squid.get(url).status
            except ConnectionError:
                squid.start_again(after=FAILS_WHERE_A_HELPER_DIES)
                return 403  # nothing passed

        for _ in range(3):
            slowest.append(0.0)
            assert squid.get(origin.url()).status == 200
            killed = helpers(squid)
            assert killed
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
            for attack in (True, False) * 20:
                begun = time.monotonic()
                found[attack, status(origin.url(SQL if attack else "/"))] += 1
                slowest[-1] = max(slowest[-1], time.monotonic() - begun)
            assert not set(helpers(squid)) & set(killed)
    assert found[True, 403] == 60
    assert found[False, 403] <= 3  # what the helper was asked when it died
    assert found.total() == found[True, 403] + found[False, 403] + found[False, 200]
    assert min(slowest) < 1, "that long a new helper takes to its first answer"
    assert max(slowest) < IN_FORCE_SECONDS


def test_a_helper_that_cannot_start_denies_everything(judging: Path, origin: Origin) -> None:
    """Whatever `waf_on_failure` says: that is Squid's design."""
    with asking(judging, command="/bin/false") as squid:
        for _ in range(5):
            assert squid.get(origin.url()).status == 403
        assert {record.kind.reason for record in logged(squid, 5)} == {"policy"}


def test_what_finds_no_place_in_the_queue_is_denied(judging: Path, origin: Origin) -> None:
    """The helper is asked one request, and one waits; neither is answered."""
    ask = b"GET " + origin.url().encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    limits = "ttl=0 negative_ttl=0 grace=0 cache=0 children-max=1 children-startup=0 concurrency=1 queue-size=1"
    with asking(judging, "/bin/sleep 10", limits) as squid:
        waiting = [socket.create_connection(("127.0.0.1", squid.port)) for _ in range(3)]
        try:
            for client in waiting:
                client.sendall(ask.replace(b" HTTP", b"/%d HTTP" % client.fileno()))
                time.sleep(0.05)
            for _ in range(3):
                assert squid.get(origin.url()).status == 403
        finally:
            for client in waiting:
                client.close()


def test_of_ten_times_more_than_find_a_place_none_gets_anothers_verdict(judging: Path, origin: Origin) -> None:
    """All at once, while the helper stands still: it is asked about a tenth when it goes on, Squid denies the rest."""
    limits = f"ttl=0 negative_ttl=0 grace=0 cache=0 children-max=1 children-startup=0 concurrency={ASKED} queue-size=16"
    attempts = 10 * (ASKED + 16)
    with asking(judging, limits=limits) as squid, ThreadPoolExecutor(attempts) as pool:

        def ask(number: int) -> int:
            return squid.get(origin.url(f"/ok/{number}{SQL.removeprefix('/') if number % 3 == 0 else ''}")).status

        assert ask(1) == 200
        (helper,) = helpers(squid)
        os.kill(helper, signal.SIGSTOP)
        try:
            asked = [pool.submit(ask, number) for number in range(attempts)]
            wait_for(lambda: sum(future.done() for future in asked) >= attempts * 9 // 10, SECONDS)
            assert {future.result() for future in asked if future.done()} == {403}
        finally:
            os.kill(helper, signal.SIGCONT)
        begun = time.monotonic()
        passed = {number for number, future in enumerate(asked) if future.result() == 200}
        assert time.monotonic() - begun < IN_FORCE_SECONDS
        judged = {}
        for record in logged(squid, attempts + 1)[1:]:
            if record.waf != NO_VERDICT:
                judged[int(record.url.rpartition("/")[2].removesuffix("?"))] = record.waf.categories
        assert len(judged) == attempts // 10
        assert passed == {number for number in judged if number % 3}
        assert all((found == "SQL_INJECTION") == (number % 3 == 0) for number, found in judged.items())
        assert ask(1) == 200
        assert helpers(squid) == [helper]


@pytest.mark.parametrize(("setting", "status"), [("open", 200), ("closed", 403)])
def test_without_an_engine_the_setting_decides(instance: Path, origin: Origin, setting: str, status: int) -> None:
    """The patterns are still being compiled, as in a first start."""
    change(instance, enable_waf="true", waf_on_failure=setting)
    with asking(instance) as squid:
        assert squid.get(origin.url(SQL)).status == status
        assert squid.get(origin.url()).status == status
        assert {record.waf for record in logged(squid, 2)} == {NO_VERDICT}


def test_squid_ends_and_reconfigures_with_the_helper(judging: Path, origin: Origin) -> None:
    with asking(judging) as squid:
        assert squid.get(origin.url(SQL)).status == 403
        (before,) = helpers(squid)
        squid.reconfigure()
        assert squid.get(origin.url(SQL)).status == 403
        squid.rotate()
        assert squid.get(origin.url(SQL)).status == 403
        (after,) = helpers(squid)
        assert after != before
        squid.stop()
        deadline = time.monotonic() + IN_FORCE_SECONDS
        while any(Path(f"/proc/{pid}").exists() for pid in (before, after)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
