"""The helper's answers: one for each line, in order, whatever its bytes."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.db.connection import connect, transaction
from proxyweb.db.database import advance
from proxyweb.waf.engine import Engine
from proxyweb.waf.helper import (
    CHUNK_SECONDS,
    LONGEST_LINE,
    LONGEST_REMEMBERED,
    PORTION,
    REMEMBERED,
    Helper,
    Lines,
    asker,
    reply,
    unescaped,
)
from proxyweb.waf.policy import Answer, Networks, Policy
from tests.conftest import Clock

ATTACK = b"http://a.test/?id=1%2520union%2520select%2520a,b%2520from%2520t GET 10.0.0.1 a.test curl/8 - -"
BENIGN = b"http://a.test/ GET 10.0.0.1 a.test curl/8 - -"
ANSWER = re.compile(
    rb'\d+ (?:OK|ERR)(?: waf_category="(?:\\.|[^"\\\n])*" waf_score=\d+ waf_rule="(?:\\.|[^"\\\n])*"| waf_score=0)?'
)
INNOCENT = b" waf_score=0"
NOTES = b' waf_category="SQL_INJECTION" waf_score=5 waf_rule="sql-union-select"'
SECONDS = 10.0
CONCURRENCY, MANY, MOMENT_SECONDS = 200, 10_000, 1.0


@pytest.fixture
def policy(engine: Engine) -> Policy:
    return Policy(inspects=True, engine=engine)


def answered(helper: Helper, *lines: bytes) -> list[bytes]:
    """The answers on lines that came together."""
    return b"".join(helper.answered(list(lines))).splitlines()


def answers(policy: Policy, *lines: bytes) -> list[bytes]:
    return answered(Helper(lambda: policy), *lines)


class Late(Clock):
    """Time of which every look takes 0.1 s."""

    def __call__(self) -> float:
        self.now += 0.1
        return self.now


# --- lines ---


def test_lines_out_of_chunks() -> None:
    lines = Lines()
    assert lines.of(b"1 a") == []
    assert lines.of(b" b") == []
    assert lines.of(b"\n2 c\n3") == [b"1 a b", b"2 c"]
    assert lines.of(b"\n") == [b"3"]
    assert lines.of(b"\n\n") == [b"", b""]


@given(st.binary(), st.lists(st.integers(1, 9)))
def test_however_it_is_cut_the_lines_are_the_same(content: bytes, sizes: list[int]) -> None:
    lines, found, rest = Lines(), [], content + b"\n"
    for size in sizes:
        found += lines.of(rest[:size]) if rest else []
        rest = rest[size:]
    found += lines.of(rest) if rest else []
    assert found == (content + b"\n").split(b"\n")[:-1]


def test_an_endless_line_takes_bounded_memory() -> None:
    lines = Lines()
    lines.of(b"7 http://a.test/")
    for _ in range(40):
        assert lines.of(b"x" * (1 << 16)) == []
        assert len(lines._rest) <= LONGEST_LINE
    (line,) = lines.of(b" GET\n")
    assert line.startswith(b"7 http://a.test/xxx")
    assert lines.of(b"8 b\n") == [b"8 b"]


# --- requests ---


def test_what_squid_sends_is_taken_apart() -> None:
    line = b"GET ::1 %5B::1%5D Mozilla/5.0%20(X11) http://b.test/%2527?q=%25E9%E9%C3%A9 -"
    assert asker(line) == ("::1", "GET", "[::1]", "Mozilla/5.0 (X11)", "http://b.test/%27?q=%E9%E9é")
    assert asker(b"CONNECT 10.0.0.1 a.test - - -") == ("10.0.0.1", "CONNECT", "a.test", "", "")
    assert asker(b"GET 10.0.0.1 a.test\r") == ("10.0.0.1", "GET", "a.test", "", "")


def test_of_an_overlong_text_both_ends_are_kept() -> None:
    field = b"http://a.test/" + b"%41" * 50_000 + b"end"
    text = unescaped(field)
    assert text.startswith("http://a.test/AAAA")
    assert text.endswith("AAAAend")
    assert len(text) >= 8192


# --- answers ---


def test_denied_and_passed(policy: Policy) -> None:
    assert answers(policy, b"0 " + ATTACK, b"17 " + BENIGN) == [b"0 OK" + NOTES, b"17 ERR" + INNOCENT]


def test_what_is_detected_passes_with_its_notes(engine: Engine) -> None:
    policy = Policy(inspects=True, blocks=False, engine=engine)
    assert answers(policy, b"0 " + ATTACK) == [b"0 ERR" + NOTES]


def test_notes_are_quoted_as_squid_reads_them() -> None:
    answer = Answer(True, 'A "B" \\', 5, "a\nb\0c ü")
    assert reply(answer) == ' OK waf_category="A \\"B\\" \\\\" waf_score=5 waf_rule="a b c ü"\n'.encode()


@pytest.mark.parametrize(
    "line",
    [
        b"5", b"5 ", b"5 x", b"5 a b c", b"5     ", b"5 \xff\xfe\x00 \x80 \xc0 \xaf \xed\xa0\x80 %ED%A0%80",
        b"5 % %1 %zz %%", b"5 - - - - - -", b"5 " + b"%" * 100_000 + b" a b c", b"5 " + b"a " * 100_000,
        b"5 http://[::1 GET [ [ [ [", b"5 \xf0\x9f\x92\xa9 G\xcc\x81T \x85 \x1c",
        b"5 http://a.test/\x00 GET 10.0.0.1 " + b"." * 5000, b"5 " + b"x" * LONGEST_LINE,
    ],
    ids=range(14),
)  # fmt: skip
@pytest.mark.parametrize("fails_open", [True, False])
def test_garbage_is_answered(engine: Engine, line: bytes, fails_open: bool) -> None:
    policy = Policy(inspects=True, fails_open=fails_open, engine=engine)
    first, second = answers(policy, line, b"6 " + ATTACK)
    assert first.startswith(b"5 ")
    assert ANSWER.fullmatch(first)
    assert second == b"6 OK" + NOTES


@pytest.mark.parametrize("line", [b"", b"\r", b"   ", b"x", b"-1 a", b"1x a", BENIGN, b"\xb2 a", b"9" * 30 + b" a"])
def test_a_line_without_a_channel_has_no_answer(policy: Policy, line: bytes) -> None:
    assert answers(policy, line, b"6 " + BENIGN) == [b"6 ERR" + INNOCENT]


@given(st.lists(st.tuples(st.integers(0, 999), st.binary().filter(lambda text: b"\n" not in text))))
def test_one_answer_a_line_in_order(lines: list[tuple[int, bytes]]) -> None:
    given = [b"%d %b" % line for line in lines]
    found = answers(Policy(inspects=True, denies_addresses=True, domains=frozenset({"a.test"})), *given)
    assert [answer.split()[0] for answer in found] == [b"%d" % channel for channel, _ in lines]
    assert all(ANSWER.fullmatch(answer) for answer in found)


@pytest.mark.parametrize(("fails_open", "result"), [(True, b"ERR"), (False, b"OK")])
def test_what_cannot_be_judged_is_answered_as_the_setting_says(
    fails_open: bool, result: bytes, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    helper = Helper(lambda: Policy(inspects=True, fails_open=fails_open), clock)
    lines = [b"%d " % number + ATTACK for number in range(100)]
    assert answered(helper, *lines) == [b"%d " % number + result for number in range(100)]
    assert len(caplog.records) == 1
    clock.now += 61
    answered(helper, *lines)
    assert len(caplog.records) == 2
    assert "and 99 times before" in caplog.records[1].message


@pytest.mark.parametrize(("fails_open", "result"), [(True, b"ERR"), (False, b"OK")])
def test_what_comes_too_late_is_answered_as_the_setting_says(engine: Engine, fails_open: bool, result: bytes) -> None:
    policy = Policy(inspects=True, fails_open=fails_open, engine=engine)
    asked = BENIGN if result == b"OK" else ATTACK
    lines = [b"%d %b%d" % (number, asked, number) for number in range(9)]
    found = answered(Helper(lambda: policy, Late()), *lines)
    judged = int(CHUNK_SECONDS / 0.1)
    other = b"OK" if result == b"ERR" else b"ERR"
    assert [answer.split()[1] for answer in found] == [other] * judged + [result] * (9 - judged)


def test_some_answers_at_a_time(policy: Policy) -> None:
    lines = [b"%d http://a.test/%d GET 10.0.0.1 a.test - - -" % (number, number) for number in range(3 * PORTION + 1)]
    portions = [portion.count(b"\n") for portion in Helper(lambda: policy).answered(lines)]
    assert portions == [PORTION] * 3 + [1]


def test_what_was_answered_before_is_known_until_the_policy_changes(engine: Engine) -> None:
    policies = [Policy(inspects=True, engine=engine), Policy(engine=engine)]
    helper = Helper(lambda: policies[0])
    assert answered(helper, b"1 " + ATTACK, b"2 " + ATTACK) == [b"1 OK" + NOTES, b"2 OK" + NOTES]
    del policies[0]
    assert answered(helper, b"3 " + ATTACK) == [b"3 ERR"]


def test_who_is_refused_is_known_until_the_policy_changes(engine: Engine) -> None:
    policies = [Policy(), Policy(domains=frozenset({"a.test"})), Policy(networks=Networks(["10.0.0.0/8"]))]
    helper = Helper(lambda: policies[0])
    for number, wanted in enumerate((b"ERR", b"OK", b"OK")):
        assert answered(helper, b"1 http://a.test/%d GET 10.0.0.1 a.test - - -" % number) == [b"1 " + wanted]
        del policies[0]


def test_what_is_remembered_is_bounded(engine: Engine) -> None:
    policy = Policy()
    helper = Helper(lambda: policy)
    for number in range(3 * REMEMBERED):
        agent = b"x" * 2000 * (number % 2)
        answered(helper, b"1 http://a.test/%d GET 10.0.0.1 a.test %d%b - -" % (number, number, agent))
        for known in (helper._replies, helper._besides):
            assert len(known) <= REMEMBERED
            assert max(map(len, known)) <= LONGEST_REMEMBERED


# --- the process ---


@pytest.fixture
def process(instance: Path, compiled: Path, engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    (instance / "cache").symlink_to(compiled)
    with closing(connect(instance / "proxyweb.sqlite")) as conn, transaction(conn):
        conn.execute("REPLACE INTO settings VALUES ('enable_waf', 'true')")
        advance(conn, "settings")
    process = started(instance)
    yield process
    process.kill()
    ended(process)


def started(instance: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": ""}
    command = [sys.executable, "-m", "proxyweb", "waf-helper"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, bufsize=0)


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """The exit code, and what was said on stderr."""
    code = process.wait(SECONDS)
    said = pipe(process.stderr).read() if process.stderr and not process.stderr.closed else b""
    for end in (process.stdin, process.stdout, process.stderr):
        pipe(end).close()
    return code, said


def pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


def told(process: subprocess.Popen[bytes], count: int) -> list[bytes]:
    """So many answers, as they come."""
    found = b""
    deadline = time.monotonic() + SECONDS
    answers = pipe(process.stdout).fileno()
    while found.count(b"\n") < count:
        left = deadline - time.monotonic()
        assert left > 0, found
        assert select.select([answers], [], [], left)[0], found
        block = os.read(answers, 1 << 16)
        assert block, "it has ended"
        found += block
    return found.splitlines()


def test_it_judges_until_its_input_ends(process: subprocess.Popen[bytes]) -> None:
    pipe(process.stdin).write(b"0 " + ATTACK + b"\n1 " + BENIGN + b"\n2 half a li")
    assert told(process, 2) == [b"0 OK" + NOTES, b"1 ERR" + INNOCENT]
    pipe(process.stdin).close()
    assert ended(process) == (0, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    pipe(process.stdin).write(b"0 " + BENIGN + b"\n")
    told(process, 1)
    process.send_signal(number)
    assert ended(process) == (0, b"")


def test_a_closed_pipe_ends_it(process: subprocess.Popen[bytes]) -> None:
    pipe(process.stdin).write(b"0 " + BENIGN + b"\n")
    told(process, 1)
    pipe(process.stdout).close()
    pipe(process.stdin).write(b"0 " + BENIGN + b"\n")
    assert ended(process) == (0, b"")


def test_thousands_at_once_and_garbage_between(process: subprocess.Popen[bytes]) -> None:
    """More than pipes hold, so that it has to wait with its answers; and lines longer than it keeps."""
    every = (BENIGN, ATTACK, b"\xff\x00\xfe" * 50, b"x" * 300_000, b"", b"%" * 5000)
    lines = [b"%d %b\n" % (number, every[number % len(every)]) for number in range(600)]
    sent = b"".join([*lines, b"no channel\n\n", b"600 " + b"y" * (3 * LONGEST_LINE) + b"\n", b"601 " + ATTACK + b"\n"])
    writing = threading.Thread(target=lambda: pipe(process.stdin).write(sent))
    writing.start()
    time.sleep(0.3)
    found = told(process, 602)
    writing.join()
    assert [answer.split()[0] for answer in found] == [b"%d" % number for number in range(602)]
    assert all(ANSWER.fullmatch(answer) for answer in found)
    assert found[-1] == b"601 OK" + NOTES
    pipe(process.stdin).close()
    code, said = ended(process)
    assert code == 0
    assert len(said.splitlines()) == 1


def test_asked_as_much_as_squid_may_each_waits_a_moment(process: subprocess.Popen[bytes]) -> None:
    """Whatever is answered is asked anew at once, other attacks each time."""
    free = [b"%d" % number for number in range(CONCURRENCY)]
    asked: dict[bytes, float] = {}
    waited: list[float] = []
    attacks = (ATTACK.replace(b"?id=1", b"%d?id=%d" % (number, number)) for number in range(MANY))
    while len(waited) < MANY:
        for channel, attack in zip(free, islice(attacks, len(free)), strict=False):
            asked[channel] = time.monotonic()
            pipe(process.stdin).write(b"%b %b\n" % (channel, attack))
        free.clear()
        for answer in told(process, 1):
            channel, _, rest = answer.partition(b" ")
            assert rest == b"OK" + NOTES
            waited.append(time.monotonic() - asked.pop(channel))
            free.append(channel)
    waited.sort()
    assert waited[len(waited) * 99 // 100] < MOMENT_SECONDS


def test_without_a_database_everything_passes(tmp_path: Path, compiled: Path, engine: Engine) -> None:
    (tmp_path / "cache").symlink_to(compiled)
    process = started(tmp_path)
    pipe(process.stdin).write(b"0 " + ATTACK + b"\n")
    assert told(process, 1) == [b"0 ERR"]
    pipe(process.stdin).close()
    code, said = ended(process)
    assert code == 0
    assert len(said.splitlines()) == 1
    assert b"the last settings stay in force" in said


def test_it_loads_no_more_than_it_needs() -> None:
    code = "import proxyweb.cli.waf_helper, proxyweb.waf.engine, proxyweb.waf.custom, sys; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"flask", "sqlalchemy", "pydantic", "orjson", "alembic"}
