"""A request takes a thread once it is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.web_worker import LONGEST_BODY, LONGEST_HEAD, is_whole

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
    assert is_whole(request_bytes)
    assert not any(is_whole(request_bytes[:length]) for length in range(len(request_bytes)))


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
    assert is_whole(request_bytes)


@given(st.binary(max_size=200))
def test_any_bytes_are_whole_or_not(arrived: bytes) -> None:
    assert is_whole(arrived) in (True, False)
