"""Pages and what they load: who may see them, what they say, what is safe in them, and how long it is kept."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from proxyweb.api.gate import is_api
from proxyweb.dashboard import assets
from proxyweb.dashboard.pages import PAGES
from proxyweb.dashboard.setting_groups import TOLD_TO_SQUID, grouped
from proxyweb.dashboard.words import words
from proxyweb.settings import BY_NAME
from tests.clients import Client
from tests.dashboard.signing_in import session

FOLDER = Path(assets.__file__).parent
SCRIPTS = sorted((FOLDER / "static/js").rglob("*.js"))
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
OF_THE_DOCUMENTATION = {"/api/docs", "/api/openapi.json"}
OPEN = {"/sign-in", "/sign-out", "/assets/<made_for>/<path:name>", "/static/<path:filename>"}


def test_every_other_page_leads_to_sign_in(app: APIFlask, client: Client) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if not is_api(rule.rule) and rule.rule not in OPEN]
    assert len(rules) == len(PAGES)
    for rule in rules:
        _, path = rule.build(dict.fromkeys(rule.arguments, "x")) or ("", "")
        answer = client.get(path, query_string={"a": "b"})
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"/sign-in?next={path}?a%3Db"
        assert client.post(path).status_code == 405


def test_pages_are_not_kept_and_hold_no_inline_code(app: APIFlask, client: Client) -> None:
    mine = session(app)
    for answer in (client.get("/sign-in"), *(mine.get(page.path) for page in PAGES if "<" not in page.path)):
        page = answer.get_data(as_text=True)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page)
        assert all(re.search(r"src=", tag) for tag in re.findall(r"<script[^>]*>", page))
        assert not re.search(r"(?:src|href)=\"(?!/|#)", page)


def test_the_page_one_is_on_is_marked(app: APIFlask) -> None:
    mine = session(app)
    for page in PAGES:
        if page.icon:
            assert mine.get(page.path).get_data(as_text=True).count('aria-current="page"') == 1


def test_what_a_page_loads_is_there_and_kept_for_good(app: APIFlask, client: Client) -> None:
    page = session(app).get("/").get_data(as_text=True)
    loaded = set(re.findall(r'(?:src|href)="(/assets/[^"#]+)', page))
    assert len(loaded) > 10
    for path in loaded:
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        if "/vendor/" in path and answer.status_code == 404:
            continue  # not set up; the browser's tests need it, these don't
        assert answer.status_code == 200, path
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Vary"] == "Accept-Encoding"
        name = path.split("/", 3)[3]
        assert gzip.decompress(answer.data) == (FOLDER / "static" / name).read_bytes()
        assert client.get(path).data == (FOLDER / "static" / name).read_bytes()


@pytest.mark.parametrize(
    "name", ["nope.js", "../pages.py", "%2e%2e/pages.py", "js/../../pages.py", "/etc/passwd", ".copied"]
)
def test_nothing_else_is_served(client: Client, name: str) -> None:
    assert client.get(assets.address(name)).status_code in (404, 308)


def test_another_versions_address_is_not_kept(client: Client) -> None:
    assert client.get("/assets/0/js/theme.js").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_make_text_and_no_html(script: Path) -> None:
    """All of it goes through `el`, which makes text nodes."""
    unsafe = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc"
    code = r"\beval\(|new Function|setTimeout\(\s*[\"'`]|https?://(?!www\.w3\.org/2000/svg)"
    assert not re.search(f"{unsafe}|{code}", script.read_text("utf-8"))


def leaves(part: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(part, str):
        yield prefix
        return
    for name, value in part.items():
        yield from leaves(value, f"{prefix}.{name}" if prefix else name)


def test_every_word_is_there_and_is_used() -> None:
    """Keys stand in the sources whole, or with a name in their middle that is known only later."""
    said = "\n".join(path.read_text("utf-8") for path in (*SCRIPTS, *TEMPLATES, *FOLDER.glob("*.py")))
    keys = set(leaves(words()))
    whole = set(re.findall(r"""["'`]([a-z_]+(?:\.\w+)+)["'`]""", said))
    assert set(re.findall(r"""\bsay\(\s*["'`]([\w.]+)["'`][,)]""", said)) <= keys, "there are no words for these"
    in_parts = re.findall(r"""["'`]((?:[a-z_]+\.)+)(?:\$\{[^`]*?\}|["'] ~ [\w.]+(?: ~ ["'])?)([\w.]*)["'`)]""", said)
    patterns = [r"\w+\.title", *(f"{re.escape(start)}[a-z0-9_]+{re.escape(end)}" for start, end in in_parts)]
    unused = {key for key in keys - whole if not any(re.fullmatch(pattern, key) for pattern in patterns)}
    assert not unused, "nobody says these"


def test_every_read_of_the_api_is_used(app: APIFlask) -> None:
    """By a script or a template; what is in a path is put into it there."""
    said = "\n".join(path.read_text("utf-8") for path in (*SCRIPTS, *TEMPLATES))
    rules = [rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and "/api/" in rule.rule]
    reads = [rule for rule in rules if rule not in OF_THE_DOCUMENTATION]
    assert len(reads) > 25
    for rule in reads:
        path = r"\$\{[^`]+?\}".join(map(re.escape, re.split(r"<[^>]+>", rule)))
        assert re.search(rf"""["'`]{path}["'`?]""", said), rule


def test_every_icon_is_drawn() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (FOLDER / "static/icons.svg").read_text("utf-8")))
    assert {page.icon for page in PAGES if page.icon} <= drawn


def test_every_setting_has_its_place_on_the_settings_page() -> None:
    shown = [it.setting.name for group in grouped().values() for it in group]
    assert sorted(shown) == sorted(BY_NAME)
    assert set(BY_NAME) >= TOLD_TO_SQUID
