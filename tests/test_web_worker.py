"""A request takes a thread once it is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.web_arrival import LONGEST_BODY, LONGEST_HEAD, MOST_CHUNKS, NeverWhole, missing

POST = b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n"
WHOLE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    POST + b"\r\n",
    POST + b"Content-Length: 0\r\n\r\n",
    POST + b"content-length:2\r\n\r\n{}",
    POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
)


@pytest.mark.parametrize("request_bytes", WHOLE)
def test_a_request_is_whole_with_its_last_byte(request_bytes: bytes) -> None:
    assert missing(request_bytes) == 0
    for length in range(len(request_bytes)):
        assert 0 < missing(request_bytes[:length]) <= len(request_bytes) - length


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"x" * LONGEST_HEAD,
        POST + b"Content-Length: %d\r\n\r\n" % (LONGEST_BODY + 1),
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"x" * (LONGEST_BODY + 1),
        POST + b"Content-Length: 99999999999\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
    ],
)
def test_what_is_refused_anyway_is_not_waited_for(request_bytes: bytes) -> None:
    assert missing(request_bytes) == 0


@pytest.mark.parametrize(
    ("body", "lacks"),
    [
        (b"FF\r\n0\r\n\r\n", 0xFF - 5 + 2 + 5),
        (b"5;x=y\r\n0\r\n\r\n", 2 + 5),
        (b"2\r\n{}\r\n", 1),
        (b"0\r\nTrailer: x\r\n", 1),
        (b"0\r\nTrailer: x\r\n\r\n", 0),
        (b"no size\r\n", 0),
        (b"no size", 1),
        (b"2\r\n{}\r\n" * MOST_CHUNKS, None),
    ],
)
def test_what_stands_in_a_chunk_is_not_its_end(body: bytes, lacks: int | None) -> None:
    sent = POST + b"Transfer-Encoding: chunked\r\n\r\n" + body
    if lacks is None:
        with pytest.raises(NeverWhole):
            missing(sent)
    else:
        assert missing(sent) == lacks


@given(st.binary(max_size=200), st.sampled_from([b"", POST + b"Transfer-Encoding: chunked\r\n\r\n"]))
def test_any_bytes_are_whole_or_not(arrived: bytes, before: bytes) -> None:
    assert missing(before + arrived) >= 0
