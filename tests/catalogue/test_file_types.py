"""Which extension a path ends in, and what kind of file that is."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyweb.catalogue import file_types
from proxyweb.catalogue.file_types import category_of, extension_of


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("/app.js", ".js"),
        ("app.js", ".js"),
        ("/a/b.c/App.JS", ".js"),
        ("/a.tar.gz", ".gz"),
        ("/a.7z", ".7z"),
        ("/a.mp4?x=/b.css#c.png", ".mp4"),
        ("/a.mp4#c.png", ".mp4"),
        ("/a#b?c.png", ""),
        ("/a?file=b.css", ""),
        ("/a?/b.css", ""),
        ("/a.b/c", ""),
        ("/a.js/", ""),
        ("/.htaccess", ""),
        (".htaccess", ""),
        ("/a/.well.known", ".known"),
        ("/a.", ""),
        ("/..", ""),
        ("/a..js", ".js"),
        ("/v1.2", ""),
        ("/a.1b", ".1b"),
        ("/a.abcdefghij", ".abcdefghij"),
        ("/a.abcdefghijk", ""),
        ("/a.j-s", ""),
        ("/a.jsp;v=1", ""),
        ("/a.js%20", ""),
        ("/a.\u212aml", ""),  # the sign of Kelvin folds to k
        ("/a.jpé", ""),
        ("/", ""),
        ("", ""),
        ("*", ""),
    ],
)
def test_the_extension_of_a_path(path: str, extension: str) -> None:
    assert extension_of(path) == extension


ONE_EXTENSION = re.compile(r"(?:.*/)?[^/]+\.(?=[0-9]*[A-Za-z])([A-Za-z0-9]{1,10})", re.DOTALL)


@given(st.one_of(st.text(alphabet="ab1.J/?#é-", max_size=30), st.text()))
def test_the_extension_is_what_the_rule_says(path: str) -> None:
    found = ONE_EXTENSION.fullmatch(re.split("[?#]", path)[0])
    assert extension_of(path) == (f".{found[1].lower()}" if found else "")


@pytest.mark.parametrize(
    ("extension", "category"),
    [
        (".pdf", "documents"),
        (".xlsx", "spreadsheets"),
        (".pptx", "presentations"),
        (".webp", "images"),
        (".ts", "video"),
        (".mp3", "audio"),
        (".zip", "archives"),
        (".exe", "executables"),
        (".ps1", "scripts"),
        (".js", "web"),
        (".json", "data"),
        (".woff2", "fonts"),
        (".iso", "disk images"),
        (".sqlite", "databases"),
        (".java", "code"),
        (".crl", "certificates"),
        (".com", "other"),
        (".nosuch", "other"),
        ("", "other"),
    ],
)
def test_the_category_of_an_extension(extension: str, category: str) -> None:
    assert category_of(extension) == category
    assert category in file_types.CATEGORIES


def test_every_extension_has_one_category_and_can_be_met() -> None:
    extensions = [extension for names in file_types.EXTENSIONS.values() for extension in names.split()]
    assert [extension for extension, count in Counter(extensions).items() if count > 1] == []
    assert [extension for extension in extensions if extension_of(f"/a.{extension}") != f".{extension}"] == []
