"""The log format that Squid is to write for us: the built-in `squid` and, behind a mark, what analytics need."""

from __future__ import annotations


def logformat(bump_mode: str = "-") -> str:
    """The line that defines our format, with Squid's code for the bump mode where it knows one."""
    return (
        "logformat proxyweb %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %.4096ru %#.128un %Sh/%<a %#.128mt pw1"
        f" %>st %<Hs %#.512{{User-Agent}}>h %#.1024{{Referer}}>h %#.128err_code {bump_mode}"
        " %#.64{waf_category}note %#.16{waf_score}note %#.64{waf_rule}note"
    )


BUMP_MODE = "%ssl::bump_mode"
LOGFORMAT = logformat()
"""One line of `squid.conf`.

The first ten fields are those of Squid's built-in format, so that whatever reads that one reads this one too, with
these deviations:

- `%.4096ru`: a record longer than 8,191 bytes is cut where it is and the next one glued on; so every field that a
  client chooses has a width, and together they stay below.
- `%#.128un`, `%#.128mt`: `#` percent-escapes blanks, quotes, control and 8-bit bytes. The built-in format writes a MIME
  type as the origin sent it, with blanks and all, and escapes a user name in its own way.

Behind the mark `pw1`, which tells the format and its version, everything a client or an origin chooses is escaped as
well, so that no field can be forged:

- `%>st`: bytes from the client; `%<Hs`: the origin's own status, by which its 403 is told from ours.
- `%{User-Agent}>h`, `%{Referer}>h` by name: a bare `%>h` would switch the logging of all headers on for every log,
  `Proxy-Authorization` included.
- `%err_code`: why Squid answered by itself.
- `-`: the place of `%ssl::bump_mode`, which only builds with OpenSSL know; Squid refuses a format with an unknown code.
- `%{…}note`: what the WAF helper said of the request. The score stands between two escaped fields and is a number: that
  is how a line is told from a native one whose URL was made to look like it.
"""
