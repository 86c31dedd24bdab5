"""What a text says once every disguise is taken off: the form that rules see.

Attackers write `'` as `%27`, `%2527`, `%u0027`, `%c0%a7`, `&#39;`, `\\u0027` or `’`, and whatever stands behind the
proxy may undo any of them. So all are undone, in rounds, until the text stands still. The work is bounded:
`LONGEST` characters of a text, `ROUNDS` rounds, each linear.
"""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from urllib.parse import unquote_to_bytes

LONGEST = 6144
ROUNDS = 4
_PERCENT_U = re.compile(r"%u([0-9a-f]{4})", re.IGNORECASE)
_BACKSLASHED = re.compile(r"\\(?:u([0-9a-f]{4})|u\{([0-9a-f]{1,5})\}|x([0-9a-f]{2}))", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#|[a-z])", re.IGNORECASE)
# Longer forms of ASCII than UTF-8 allows, and the halves of them that some servers take: %c0%af and %c0%2f are slashes.
_OVERLONG = re.compile(rb"[\xc0\xc1][\x00-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}")
_INVISIBLE = re.compile(
    "[\x00\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")
# What looks like ASCII and isn't, beyond what NFKC folds.
_LOOKALIKES = {
    "'": "‘’‚‛′‵ʹʻʼʽˈ´`ʾʿ՚＇", '"': "“”„‟″‶ʺ˝«»", "<": "‹〈⟨❮≺˂ᐸ", ">": "›〉⟩❯≻˃ᐳ", "/": "∕⁄⧸╱⟋〳", "\\": "∖⧵⧹╲⟍",
    "-": "‐‑‒–—―−⁃˗", ".": "․۔܁", ";": "\u037e؛", ":": "∶ː։׃ꓽ", "=": "꓿═", "(": "❨❪", ")": "❩❫", "*": "∗⁎",
    "|": "∣ǀ", "%": "٪", "a": "аɑα", "b": "Ьƅ", "c": "сϲᴄ", "d": "ԁɗ", "e": "еҽε", "g": "ɡց", "h": "һհ",
    "i": "іıɩι", "j": "јϳ", "k": "κк", "l": "ⅼӏ", "m": "м", "n": "ո", "o": "оοօ", "p": "рρ", "q": "ԛ",
    "r": "гᴦ", "s": "ѕꜱſ", "t": "тτ", "u": "υսᴜ", "v": "νѵᴠ", "w": "ѡԝᴡ", "x": "хχ", "y": "уγү", "z": "ᴢ",
    "A": "АΑ", "B": "ВΒ", "C": "СϹ", "E": "ЕΕ", "H": "НΗ", "I": "ІΙӀ", "J": "Ј", "K": "КΚ", "M": "МΜ", "N": "Ν",
    "O": "ОΟ", "P": "РΡ", "S": "Ѕ", "T": "ТΤ", "X": "ХΧ", "Y": "УΥҮ", "Z": "Ζ",
}  # fmt: skip
_ASCII_FOR = {ord(other): ascii_ for ascii_, others in _LOOKALIKES.items() for other in others if other != "`"}


def normal(text: str, plus: bool = False) -> str:
    """The text with every encoding undone; `plus` where a plus sign stands for a space. Case is kept."""
    text = text[:LONGEST]
    if plus and "+" in text:
        text = text.replace("+", " ")
    for _ in range(ROUNDS):
        before = text
        if "%" in text:
            text = _percent(text)
        if "&" in text and _ENTITY.search(text):
            text = unescape(text)
        if text == before:
            break
    if "\\" in text:
        text = _BACKSLASHED.sub(_backslashed, text)
    if not text.isascii():
        text = skeleton(text)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text.replace("\x00", ""))
    return text


def skeleton(text: str) -> str:
    """ASCII for what only looks like it: NFKC, without invisible characters, and with lookalikes replaced."""
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", text.translate(_ASCII_FOR))).translate(_ASCII_FOR)


def _percent(text: str) -> str:
    if "%u" in text or "%U" in text:
        text = _PERCENT_U.sub(lambda found: chr(int(found[1], 16)), text)
    octets = unquote_to_bytes(text.encode("utf-8", "replace"))
    if octets.isascii():
        return octets.decode("ascii")
    return _OVERLONG.sub(_shortest, octets).decode("utf-8", "replace")


def _shortest(found: re.Match[bytes]) -> bytes:
    octets = found[0]
    if octets[-1] < 0x80:  # the second half is an ASCII character by itself
        return octets[-1:]
    code = octets[0] & (0x1F if len(octets) == 2 else 0x0F if len(octets) == 3 else 0x07)
    for octet in octets[1:]:
        code = code << 6 | octet & 0x3F
    return chr(code).encode()


def _backslashed(found: re.Match[str]) -> str:
    code = int(found[1] or found[2] or found[3], 16)
    return chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd"
