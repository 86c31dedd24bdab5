"""What Squid asks before it lets a request pass: a line a request on one descriptor, a line an answer on another.

    15 http://a.test/?q=1 GET 10.0.0.7 a.test curl/8.5.0 - -
    15 ERR

`OK` denies, since the access rule `deny` matches; `ERR` lets pass. Notes stand behind both. Squid has no time limit for
an answer, and denies what gets none: so there is one for each line, whatever its bytes, and soon.
"""

from __future__ import annotations

import codecs
import os
import re
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from proxyweb.waf.policy import Answer, Beside, Complaints, Policy, Unjudged, beside_url, judge

FORMAT = "%#>ru %#>rm %>a %#>rd %#{User-Agent}>h %#{Referer}>h"
"""What Squid is to send of a request. With `#` it escapes `%` as well, so that `%27` and `'` can be told apart."""

CHUNK = 1 << 16
LONGEST_LINE = 1 << 20  # Squid takes headers of 64 KB together, and an escaped byte has three
LONGEST_FIELD = 3 * 8192  # the engine looks at 6 KB of a text, and at the first 6 and the last 2 of a URL
CHUNK_SECONDS = 0.25
PORTION = 16
REMEMBERED = 4096
LONGEST_REMEMBERED = 1024
MISSING = b"-"
Remembered = TypeVar("Remembered")
_CHANNEL = re.compile(rb"\d{1,20}(?=[ \r]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Overloaded(Unjudged):
    """Its turn came too late."""


class Asker(NamedTuple):
    """What a line holds beside the URL, in the order in which `beside_url` takes it; absent texts are empty."""

    client: str
    method: str
    host: str
    agent: str
    referer: str


class Lines:
    """Whole lines out of chunks. Of an overlong line, the beginning: memory stays bounded."""

    def __init__(self) -> None:
        self._rest = b""

    def of(self, chunk: bytes) -> list[bytes]:
        """The lines that end in `chunk`."""
        whole, end, rest = chunk.rpartition(b"\n")
        if not end:
            self._rest = (self._rest + chunk)[:LONGEST_LINE]
            return []
        lines = (self._rest + whole).split(b"\n")
        self._rest = rest
        return lines


class Helper:
    """Answers with the policy that stands at the moment."""

    def __init__(self, policy: Callable[[], Policy], clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._complaints = Complaints(clock)
        self._remembered_of: Policy | None = None
        self._replies: dict[bytes, bytes] = {}  # to what was asked before under the same policy
        self._besides: dict[bytes, Beside] = {}  # what stood behind a URL before

    def run(self, questions: int, answers: int) -> None:
        """Answer what comes from one descriptor on the other, until either is closed."""
        lines = Lines()
        try:
            while chunk := os.read(questions, CHUNK):
                for written in self.answered(lines.of(chunk)):
                    while written:
                        written = written[os.write(answers, written) :]
        except (BrokenPipeError, ConnectionResetError):  # Squid has ended, or restarts its helpers
            return

    def answered(self, lines: list[bytes]) -> Iterator[bytes]:
        """The answers on lines that came together, in order; some at a time, so that Squid can go on with these.

        Lines that take too long are not judged.
        """
        deadline = self._clock() + CHUNK_SECONDS
        for start in range(0, len(lines), PORTION):
            policy = self._policy()
            if policy is not self._remembered_of:
                self._remembered_of, self._replies, self._besides = policy, {}, {}
            yield b"".join([self._answer(line, policy, deadline) for line in lines[start : start + PORTION]])

    def _answer(self, line: bytes, policy: Policy, deadline: float) -> bytes:
        channel = _CHANNEL.match(line)
        if channel is None:
            if line.strip():
                self._complaints.say("a line without an answer", Unjudged("it has no channel; is concurrency set?"))
            return b""
        fields = line[channel.end() + 1 :]
        known = self._replies.get(fields)
        if known is not None:
            return channel[0] + known
        try:
            if self._clock() > deadline:
                raise Overloaded(f"more requests at once than can be judged in {CHUNK_SECONDS:g} s")
            url, _, rest = fields.partition(b" ")
            answer = reply(judge(policy, unescaped(url), self._beside(policy, rest)))
        except Exception as error:
            self._complaints.say(f"not judged, {'passed' if policy.fails_open else 'denied'}", error)
            return channel[0] + reply(Answer(deny=not policy.fails_open))
        _remember(self._replies, fields, answer)
        return channel[0] + answer

    def _beside(self, policy: Policy, rest: bytes) -> Beside:
        known = self._besides.get(rest)
        if known is None:
            known = beside_url(policy, *asker(rest))
            _remember(self._besides, rest, known)
        return known


def _remember(known: dict[bytes, Remembered], text: bytes, value: Remembered) -> None:
    if len(text) <= LONGEST_REMEMBERED:
        if len(known) >= REMEMBERED:
            known.clear()
        known[text] = value


def asker(rest: bytes) -> Asker:
    """Who asks, from the line behind the URL. Raises Unjudged where there is too little of it."""
    given = rest.rstrip(b"\r").split(b" ")
    if len(given) < 3:
        raise Unjudged("a line that holds no request; is the format as documented?")
    method, client, host, agent, referer = map(unescaped, (*given[:5], MISSING, MISSING)[:5])
    return Asker(client, method, host, agent, referer)


def unescaped(field: bytes) -> str:
    """A field as the client sent it. Bytes that are no UTF-8 stay escaped; of an overlong one, both ends."""
    if field == MISSING:
        return ""
    if len(field) > LONGEST_FIELD:
        field = field[: LONGEST_FIELD * 3 // 4] + field[-LONGEST_FIELD // 4 :]
    return (unquote_to_bytes(field) if b"%" in field else field).decode("utf-8", "proxyweb.escaped")


@lru_cache(REMEMBERED)
def reply(answer: Answer) -> bytes:
    """What Squid reads, behind the channel: in quotes, it takes a backslash and a quote where a backslash precedes."""
    result = " OK" if answer.deny else " ERR"
    if answer.score:
        category, rule = _quoted(answer.category), _quoted(answer.rule)
        result += f" waf_category={category} waf_score={answer.score} waf_rule={rule}"
    elif answer.score is not None:
        result += " waf_score=0"
    return f"{result}\n".encode("utf-8", "replace")


def _quoted(text: str) -> str:
    return '"' + _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escaped(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "".join(f"%{octet:02X}" for octet in error.object[error.start : error.end]), error.end


codecs.register_error("proxyweb.escaped", _escaped)
