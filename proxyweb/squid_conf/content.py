"""Content filtering as POSIX regular expressions, which stand in squid.conf without quotes: no blanks, no `"`.

A file is known by three things, each of which a server may leave out: the path, the name it is to be saved under, and
the type. Squid unescapes `%65xe` before it looks at a path, and hands over path and query as one text without the host,
so that `.com` at the end of a name is never seen.
"""

from __future__ import annotations

from collections.abc import Iterable

TYPES = {
    "exe": "x-msdownload x-msdos-program x-dosexec x-exe vnd.microsoft.portable-executable",
    "msi": "x-msi x-ms-installer x-windows-installer",
    "msix": "msix vnd.ms-appx",
    "appx": "appx vnd.ms-appx",
    "bat": "bat x-bat x-msdos-batch",
    "hta": "hta",
    "jar": "java-archive x-java-archive",
    "lnk": "x-ms-shortcut",
    "vbs": "x-vbs",
    "apk": "vnd.android.package-archive",
    "deb": "vnd.debian.binary-package x-debian-package",
    "rpm": "x-rpm x-redhat-package-manager",
    "dmg": "x-apple-diskimage",
    "iso": "x-iso9660-image",
}
"""MIME types below `application/` by the extension that means the same. Others come as `octet-stream`, or as text."""


def path_pattern(extensions: Iterable[str]) -> str:
    """URL paths that end in one of these: before the query, `;jsessionid=…`, what Windows drops (`.`, blanks)."""
    return rf"^[^?]*\.({'|'.join(extensions)})[.[:space:]]*(;[^?]*)?([?]|$)"


def name_pattern(extensions: Iterable[str]) -> str:
    """`Content-Disposition` headers whose file name ends in one of these, in quotes or not, also as `filename*=`."""
    return rf"filename[*]?[[:space:]]*=.*\.({'|'.join(extensions)})[^[:alnum:]]*(;|$)"


def types_pattern(extensions: Iterable[str]) -> str:
    """The types of these, or nothing where none has one of its own."""
    names = dict.fromkeys(name for extension in extensions for name in TYPES.get(extension, "").split())
    return f"^application/({'|'.join(names).replace('.', '[.]')})([[:space:];]|$)" if names else ""
