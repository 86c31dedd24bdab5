"""What a shell would make of a text: quotes, escapes and its many blanks are gone, so that commands stand bare."""

from __future__ import annotations

import re

LONGEST = 2048
TRIGGER = (
    r"[;|&\x60$\n\r{^<>(]|\b(?:cmd|powershell|bash|sh|cat|ls|uname|ping|nc|wget|curl|nslookup|netstat"
    r"|ifconfig|ipconfig|net|rm|chmod|python|perl|php|ruby|dir|type|whoami|systeminfo|tasklist|reg|vssadmin|echo|phpinfo)\b|^/\w*bin/"
)
_BLANK = re.compile(r"\$\{?IFS\}?(?:\$\d|\$@)?|\$@|\$\*|\$\{?\d\}?|%[A-Za-z]+:~\d+,-?\d+%", re.IGNORECASE)
_BRACES = re.compile(r"\{([\w/.*?-]+(?:,[^{}\s,]*)+)\}")
_JOINED = re.compile(r"(?<=[\w/.])(?:''|\"\"|\\(?=[\w/])|\^(?=\w)|['\"](?=[\w/.]))")
_BREAK = re.compile(r"\\[nrt](?=[/|;&\s]|\Z)")


def form(text: str) -> list[str]:
    """One text in which commands and their words are bare."""
    text = text[:LONGEST]
    if "$" in text or "%" in text:
        text = _BLANK.sub(" ", text)
    if "{" in text:
        text = _BRACES.sub(lambda braces: " " + braces[1].replace(",", " "), text)
    text = _JOINED.sub("", _BREAK.sub("\n", text))
    return [text]
