"""Squid's access-log formats, line by line: pure functions from text to a Record or the reason why there is none.

Formats change in the middle of a file, so each line is recognised by itself: `squid` (native), `common`, `combined`,
and our own `proxyweb` (see `docs/squid.md`), each also behind a syslog prefix or with the two header blocks of
`log_mime_hdrs` at its end. This is the careful path; `batch.py` has the fast one for the lines that fit.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import datetime
from urllib.parse import unquote_to_bytes

from proxyweb.ingest.record import NO_VERDICT, Record, ResultKind, WafVerdict, reason_for

MIN_MS = 631_152_000_000  # 1990
MAX_MS = 7_258_118_400_000  # 2200
MAX_BYTES = 1 << 43  # 8 TiB in one request: more is a broken field, and would overflow sums
MAX_ELAPSED_MS = 1 << 40
MAX_LINE = 65_536

NATIVE_FIELDS = 10
MARK = "pw1"
PROXYWEB_FIELDS = NATIVE_FIELDS + 10  # the mark and nine fields of our own
SCORE_FIELD = PROXYWEB_FIELDS - 2

_SYSLOG = re.compile(
    r"(?:<\d{1,3}>)?(?:\d )?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S{8,32})"
    r" (?:[^\s:]+ )?\(?squid[^\s:]{0,32}: +",
)
_HEADER_BLOCKS = re.compile(r" \[[^\[\]]*\] \[[^\[\]]*\]$")
_NATIVE_HEAD = re.compile(
    r"(\d{9,11}(?:\.\d{1,9})?) +(-?\d{1,15}|-) +(\S{1,255}) +([A-Z][A-Z_]{2,63})/(\d{1,3}|-) +(-?\d{1,19}|-) +(\S+)"
    r" +(.*)",
    re.DOTALL | re.ASCII,
)
_HIERARCHY = (
    r"((?:TIMEOUT_)?(?:HIER_[A-Z_]{2,40}|NONE|DIRECT|PINNED|ORIGINAL_DST|CARP|STANDBY_POOL|NO_DIRECT_FAIL|SOURCE_FASTEST"
    r"|CLOSEST_DIRECT|(?:SIBLING|PARENT|CD_PARENT|CD_SIBLING)_HIT|(?:FIRST|CLOSEST)_PARENT_MISS"
    r"|(?:DEFAULT|SINGLE|FIRST_UP|FIRSTUP|ROUNDROBIN|CLOSEST|ANY|ANY_OLD|USERHASH|SOURCEHASH)_PARENT))/(\S*)"
)
_NATIVE_TAIL = re.compile(rf"(.*) {_HIERARCHY}(?: +(\S+))?(?: .*)?", re.DOTALL | re.ASCII)
_NATIVE_FIELDS = (
    re.compile(r"\d{9,11}(?:\.\d{1,9})?", re.ASCII),
    re.compile(r"-?\d{1,15}|-", re.ASCII),
    re.compile(r".{1,255}"),
    re.compile(r"[A-Z][A-Z_]{2,63}/(?:\d{1,3}|-)", re.ASCII),
    re.compile(r"-?\d{1,19}|-", re.ASCII),
    re.compile(r".+"),
    re.compile(r".+"),
    re.compile(r".+"),
    re.compile(r"[A-Z][A-Z_]{3,63}/.*"),
    re.compile(r".+"),
)
# In three parts, each of which looks at a character once: as one expression, 60 KB of hostile quotes take 16 seconds.
_COMMON_HEAD = re.compile(
    r"(\S{1,255}) \S+ (.{1,512}?) \[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\] "
    r'"(\S+) ',
    re.DOTALL | re.ASCII,
)
_REPLY = r' [A-Z]+/\d+(?:\.\d+)?" (\d{1,3}) (-?\d{1,19}|-)'
_COMMON_REPLY = re.compile(_REPLY + r"\Z", re.ASCII)
_COMBINED_REPLY = re.compile(_REPLY + ' "', re.ASCII)
_COMMON_RESULT = re.compile(r"([A-Z][A-Z_]{2,63}):([A-Z][A-Z_]{3,63})")
_COMMON_CUT = re.compile(r"\S{1000,}", re.ASCII)  # cut at 8 KB, in the URL
_NO_LINE = "not a line of Squid's access log"
_CUT_ESCAPE = re.compile(r"%[0-9A-Fa-f]?$")
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}  # noqa: SIM905


class Rejected(ValueError):
    """A line that means no request; `str()` is the reason, one of a few fixed texts."""


def decode(line: bytes) -> str:
    """UTF-8, or Latin-1 when it isn't: Squid writes what clients sent, byte for byte."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def parse_line(line: bytes) -> Record:
    """The request that one line tells of. Raises Rejected with the reason, and nothing else, whatever the bytes."""
    if len(line) > MAX_LINE:
        raise Rejected("longer than 64 KiB")
    text = decode(line).strip("\r\n ")
    if not text:
        raise Rejected("blank")
    if "\0" in text:
        raise Rejected("NUL bytes")
    if not text[0].isdigit() or text[1:2].isalpha():
        prefix = _SYSLOG.match(text)
        if prefix:
            text = text[prefix.end() :]
    elif len(text) > 20 and text[4] == "-" and (prefix := _SYSLOG.match(text)):
        text = text[prefix.end() :]
    if text.endswith("]"):
        blocks = _HEADER_BLOCKS.search(text)
        if blocks:
            text = text[: blocks.start()]
    fields = [field for field in text.split(" ") if field]
    if len(fields) in (NATIVE_FIELDS, PROXYWEB_FIELDS) and shaped(fields):
        return from_fields(fields)
    if head := _NATIVE_HEAD.match(text):
        return _native(head)
    if head := _COMMON_HEAD.match(text):
        return _common(head, text[head.end() :])
    raise Rejected(_NO_LINE)


def is_score(field: str) -> bool:
    """Whether a field can be our format's score. In a native line whose URL holds blanks and forged fields, the second
    field from the end is the hierarchy, which never looks like this: so it can't be taken for one of ours."""
    return field == "-" or (field.isascii() and field.isdigit())


def is_result(field: str) -> bool:
    """Whether a field is `%Ss/%>Hs`: a result code and a status."""
    return _NATIVE_FIELDS[3].fullmatch(field) is not None


def is_hierarchy(field: str) -> bool:
    """Whether a field is `%Sh/%<a`: a hierarchy code and the address that was asked."""
    return _NATIVE_FIELDS[8].fullmatch(field) is not None


def shaped(fields: list[str]) -> bool:
    """Whether blank-separated fields stand where the native format, or ours, has them."""
    if len(fields) == PROXYWEB_FIELDS and not (fields[NATIVE_FIELDS] == MARK and is_score(fields[SCORE_FIELD])):
        return False
    return all(pattern.fullmatch(field) for pattern, field in zip(_NATIVE_FIELDS, fields, strict=False))


def from_fields(fields: list[str]) -> Record:
    """The record of a line whose fields are `shaped`: ten of the native format, or those and our own behind them."""
    stamp, elapsed, client, result, size, method, url, user, hierarchy_and_peer, content_type = fields[:NATIVE_FIELDS]
    code, _, status = result.partition("/")
    hierarchy, _, peer = hierarchy_and_peer.partition("/")
    extra = fields[NATIVE_FIELDS + 1 :]
    if extra:
        user, content_type = unescaped(user), unescaped(content_type)
    else:
        user, content_type = native_user(user), _given(content_type)
    kind = ResultKind(method, code, status_number(status), hierarchy, content_type)
    return _record(_time_ms(stamp), elapsed, client, kind, url, size, peer, user, extra)


def _native(head: re.Match[str]) -> Record:
    """A native line, or one of ours, that is not plain: blanks in URL or user, a field missing, extra or cut off."""
    stamp, elapsed, client, code, status, size, method, tail = head.groups()
    parts = tail.rsplit(" ", PROXYWEB_FIELDS - NATIVE_FIELDS + 3)
    extra: list[str] = []
    if len(parts) == PROXYWEB_FIELDS - NATIVE_FIELDS + 4 and parts[4] == MARK and is_score(parts[-2]):
        url, (hierarchy, _, peer), extra = parts[0], parts[2].partition("/"), parts[5:]
        user, content_type = unescaped(parts[1]), unescaped(parts[3])
    elif match := _NATIVE_TAIL.fullmatch(tail):
        target, hierarchy, peer, content_type = match.groups("")
        url, user = _url_and_user(target.strip(" "))
        user, content_type = native_user(user), _given(content_type)
    else:  # cut at 8 KB: what is left of the URL, and nothing behind it
        url, user, hierarchy, peer, content_type = tail, "", "", "", ""
    kind = ResultKind(method, code, status_number(status), hierarchy, content_type)
    return _record(_time_ms(stamp), elapsed, client, kind, url, size, peer, user, extra)


def _record(
    time_ms: int, elapsed: str, client: str, kind: ResultKind, url: str, size: str, peer: str, user: str,
    extra: list[str],
) -> Record:  # fmt: skip
    """What both ways of reading a native line end in; `extra` are our own fields, or none."""
    if not url.strip(" "):
        raise Rejected("no URL")
    bytes_in, agent, referer, verdict = 0, "", "", NO_VERDICT
    if extra:
        bytes_in = _size(extra[0])
        agent, referer = unescaped(extra[2]), unescaped(extra[3])
        verdict = waf_verdict(*extra[6:9])
        kind = with_origin(kind, *extra[1:2], *extra[4:6])
    kind = kind._replace(reason=reason_for(kind, waf_blocked=verdict.score > 0))
    return Record(
        time_ms, _elapsed(elapsed), client, kind, url, _size(size), _given(peer), user, agent, bytes_in, referer,
        verdict,
    )  # fmt: skip


def with_origin(kind: ResultKind, origin_status: str, error_code: str, bump_mode: str) -> ResultKind:
    """The kind with what only our own format tells."""
    return kind._replace(
        origin_status=status_number(origin_status), error_code=unescaped(error_code), bump_mode=_given(bump_mode)
    )


def _time_ms(stamp: str) -> int:
    seconds, _, fraction = stamp.partition(".")
    return checked_time(int(seconds) * 1000 + int((fraction + "000")[:3]))


def _common(head: re.Match[str], rest: str) -> Record:
    client, user, day, month, year, hour, minute, second, sign, east_hours, east_minutes, method = head.groups()
    body, _, result = rest.rpartition(" ")
    quoted = body.endswith('"')  # combined
    reply = (_COMBINED_REPLY if quoted else _COMMON_REPLY).search(body, 0, len(body) - quoted)
    if reply and (outcome := _COMMON_RESULT.fullmatch(result)):
        url, (status, size), (code, hierarchy) = body[: reply.start()], reply.groups(), outcome.groups()
        # Quotes inside a user agent are not escaped by Squid, so the border is a guess; the fields around it are not.
        referer, _, agent = body[reply.end() : -1].partition('" "')
    elif _COMMON_CUT.fullmatch(rest):
        url, status, size, code, hierarchy, referer, agent = rest, "-", "-", "-", "", "", ""
    else:
        raise Rejected(_NO_LINE)
    if not url.strip(" "):
        raise Rejected("no URL")
    try:
        moment = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), min(int(second), 59))
    except (ValueError, KeyError):
        raise Rejected("timestamp out of range") from None
    offset = (int(east_hours) * 60 + int(east_minutes)) * (60 if sign == "+" else -60)
    kind = ResultKind(method, code, status_number(status), hierarchy, "")
    kind = kind._replace(reason=reason_for(kind))
    return Record(
        checked_time((timegm(moment.timetuple()) - offset) * 1000), 0, client, kind, url, _size(size),
        user=native_user(user), user_agent=_given(agent), referer=_given(referer),
    )  # fmt: skip


def _url_and_user(target: str) -> tuple[str, str]:
    """`URL user`, where either may hold blanks in the native format. `-` at the end is nobody, and the rest the URL;
    otherwise a URL holds no blank (Squid's default strips them) and the rest is the name."""
    url, blank, user = target.rpartition(" ")
    if not blank:
        return target, ""
    if user == "-":
        return url, ""
    url, _, user = target.partition(" ")
    return url, user


def checked_time(time_ms: int) -> int:
    if not MIN_MS <= time_ms < MAX_MS:
        raise Rejected("timestamp out of range")
    return time_ms


def _elapsed(text: str) -> int:
    return min(max(int(text), 0), MAX_ELAPSED_MS) if text != "-" else 0


def _size(text: str) -> int:
    try:
        size = int(text) if text != "-" else 0
    except ValueError:
        raise Rejected("a size that is no number") from None
    if size > MAX_BYTES:
        raise Rejected("size out of range")
    return max(size, 0)


def status_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 0


def _given(text: str) -> str:
    return "" if text == "-" else text


def unescaped(text: str) -> str:
    """A field written with Squid's `%#` modifier: percent-escaped, `-` when absent.

    A `%` itself is escaped too, so one at the end was cut by the field's width and is dropped.
    """
    if text == "-":
        return ""
    if "%" not in text:
        return text
    return decode(unquote_to_bytes(_CUT_ESCAPE.sub("", text))).replace("\0", "\ufffd")


def native_user(text: str) -> str:
    """A user name as `%[un` writes it: `%`, brackets, control and 8-bit bytes percent-escaped, backslashes doubled."""
    if text == "-":
        return ""
    if "%" not in text and "\\" not in text:
        return text
    return decode(unquote_to_bytes(text.replace("\\\\", "\\"))).replace("\0", "\ufffd")


def waf_verdict(categories: str, score: str, rules: str) -> WafVerdict:
    """The helper's three notes; `-` on requests that it did not judge."""
    if categories == "-" and score == "-":
        return NO_VERDICT
    return WafVerdict(points(score), unescaped(categories), unescaped(rules))


def points(score: str) -> int:
    """What a verdict's score is, from 0 on."""
    return int(score) if score.isascii() and score.isdigit() and len(score) <= 6 else 0
