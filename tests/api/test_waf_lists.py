"""The blacklists over HTTP: what may be on them, who may change them, and what is shown to whom."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from proxyweb.api.waf_lists import ListedDomain, ListedNetwork
from proxyweb.db.connection import connect
from proxyweb.db.database import generation
from tests.clients import Client
from tests.conftest import START, Clock

DOMAINS, ADDRESSES = "/api/domain-blacklist", "/api/ip-blacklist"
FIELDS = {DOMAINS: "domain", ADDRESSES: "ip"}
BOTH = pytest.mark.parametrize(("path", "name"), [(DOMAINS, "bad.example.com"), (ADDRESSES, "10.0.0.7")])


def block(client: Client, path: str, name: object, **more: object) -> Any:
    return client.post(path, json={FIELDS[path]: name, **more})


def listed(client: Client, path: str, query: str = "") -> list[str]:
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.json
    shape = ListedDomain if path == DOMAINS else ListedNetwork
    for entry in answer.json["data"]:
        shape.model_validate(entry, strict=True)
    return [entry[FIELDS[path]] for entry in answer.json["data"]]


def stored(instance: Path, sql: str) -> list[Any]:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return conn.execute(sql).fetchall()


def settings_changed(instance: Path) -> int:
    with closing(connect(instance / "proxyweb.sqlite", readonly=True)) as conn:
        return generation(conn, "settings")


@BOTH
def test_an_entry_comes_and_goes(
    admin: Client, viewer: Client, instance: Path, clock: Clock, path: str, name: str
) -> None:
    field, noun = FIELDS[path], "domain" if path == DOMAINS else "address"
    empty = viewer.get(path)
    assert empty.json == {"status": "success", "data": [], "total": 0, "limit": 100, "offset": 0}
    changes = settings_changed(instance)
    added = block(admin, path, name, description="Seen in a phishing mail")
    assert added.status_code == 200
    assert added.json == {"status": "success", "message": f"{name} is on the {noun} blacklist.", "id": 1}
    assert settings_changed(instance) == changes + 1
    now = viewer.get(path, headers={"If-None-Match": empty.headers["ETag"]})
    assert now.json["data"] == [
        {"id": 1, field: name, "description": "Seen in a phishing mail", "added_date": "2026-02-02 02:40:00"}
    ]
    assert viewer.get(path, headers={"If-None-Match": now.headers["ETag"]}).status_code == 304
    count = f"{'domain' if path == DOMAINS else 'ip'}_blacklist_count"
    assert viewer.get("/api/dashboard/summary").json["data"][count] == 1
    clock.now += 60
    gone = admin.delete(f"{path}/1")
    assert gone.json == {"status": "success", "message": f"{name} is no longer on the {noun} blacklist."}
    assert settings_changed(instance) == changes + 2
    assert listed(viewer, path) == []
    assert viewer.get("/api/dashboard/summary").json["data"][count] == 0
    entries = admin.get("/api/audit-log").json["data"]
    assert [(entry["action"], entry["target"], entry["details"], entry["username"]) for entry in entries] == [
        (f"{noun} taken off the blacklist", name, "", "admin"),
        (f"{noun} blacklisted", name, "Seen in a phishing mail", "admin"),
    ]
    assert entries[0]["source_ip"] == "127.0.0.1"
    assert block(admin, path, name).json["id"] == 2


@BOTH
def test_an_entry_is_there_once(admin: Client, instance: Path, path: str, name: str) -> None:
    assert block(admin, path, name).status_code == 200
    changes = settings_changed(instance)
    other = f"{name.upper()}." if path == DOMAINS else f"{name}/32"
    answer = block(admin, path, other, description="another")
    assert (answer.status_code, answer.json["status"]) == (409, "error")
    assert name in answer.json["detail"]
    assert settings_changed(instance) == changes
    assert admin.get("/api/audit-log").json["total"] == 1
    assert [entry["description"] for entry in admin.get(path).json["data"]] == [""]


@BOTH
def test_who_may(admin: Client, viewer: Client, path: str, name: str) -> None:
    assert block(viewer, path, name).status_code == 403
    block(admin, path, name)
    assert viewer.delete(f"{path}/1").status_code == 403
    assert listed(viewer, path) == [name]


@BOTH
def test_what_is_not_there_is_not_taken_off(admin: Client, instance: Path, path: str, name: str) -> None:
    block(admin, path, name)
    changes = settings_changed(instance)
    for number in ("0", "2", str(2**63), "9" * 100):
        answer = admin.delete(f"{path}/{number}")
        assert (answer.status_code, "There is no entry" in answer.json["detail"]) == (404, True)
    assert admin.delete(f"{path}/x").status_code == 404
    assert (settings_changed(instance), listed(admin, path)) == (changes, [name])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("a-b._c.example.co.uk", "a-b._c.example.co.uk"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER。example", "xn--bcher-kva.example"),
        ("straße.de", "xn--strae-oqa.de"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("github.io", "github.io"),
        ("www.ck", "www.ck"),
        ("intranet", "intranet"),
        (f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 56}.test", f"{'a' * 63}.{'b' * 63}.{'c' * 63}.{'d' * 56}.test"),
    ],
)
def test_domains_are_kept_in_one_form(admin: Client, instance: Path, given: str, kept: str) -> None:
    answer = block(admin, DOMAINS, given)
    assert answer.status_code == 200, answer.json
    assert stored(instance, "SELECT domain, description, added_at FROM domain_blacklist") == [(kept, "", int(START))]


@pytest.mark.parametrize(
    "given",
    [
        "", ".", "..", "a..b", ".example.com", "*.example.com", "http://example.com/", "example.com/x",
        "example.com:80", "exa mple.com", " example.com", "example.com\n", "-a.com", "a-.com", "10.0.0.7", "1.2.3",
        "[::1]", "::1", "user@example.com", f"{'a' * 64}.com", f"{'a.' * 125}test", "ü" * 60 + ".com",
        "a\u0000.com", "\u202e.com", "com", "COM.", "co.uk", "рф", "xn--p1ai", "foo.ck", None, 5, ["example.com"],
    ],
)  # fmt: skip
def test_what_is_no_domain_is_refused(admin: Client, given: object) -> None:
    answer = block(admin, DOMAINS, given)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "domain")
    assert listed(admin, DOMAINS) == []


def test_a_public_suffix_is_named(admin: Client) -> None:
    assert "below co.uk" in block(admin, DOMAINS, "co.uk").json["errors"][0]["message"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.7/32", "10.0.0.7"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.7/8", "10.0.0.0/8"),
        ("2001:DB8:0::0001", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::/1", "::/1"),
    ],
)
def test_networks_are_kept_in_one_form(admin: Client, instance: Path, given: str, kept: str) -> None:
    answer = block(admin, ADDRESSES, given)
    assert answer.status_code == 200, answer.json
    assert stored(instance, "SELECT network FROM ip_blacklist") == [(kept,)]


@pytest.mark.parametrize(
    "given",
    [
        "", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/٨",
        "10.0.0.0/255.0.0.0", "10.0.0.0/8/8", " 10.0.0.7", "fe80::1%eth0", "2001:db8::/129", "[::1]", "example.com",
        "0.0.0.0/0", "10.0.0.7/0", "::/0", "::ffff:0:0/96", "10.0.0.7-10.0.0.9", "192.168.1.x", None, 167772167,
    ],
)  # fmt: skip
def test_what_is_no_network_is_refused(admin: Client, given: object) -> None:
    answer = block(admin, ADDRESSES, given)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, "ip")
    assert listed(admin, ADDRESSES) == []


@BOTH
def test_what_else_is_refused(admin: Client, path: str, name: str) -> None:
    for body, field in (
        ({}, FIELDS[path]),
        ({FIELDS[path]: name, "note": "x"}, "note"),
        ({FIELDS[path]: name, "description": "x" * 201}, "description"),
        ({FIELDS[path]: name, "description": None}, "description"),
    ):
        answer = admin.post(path, json=body)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)
    for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("offset=-1", "offset"), ("q=1", "q")):
        answer = admin.get(f"{path}?{query}")
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (400, field)
    assert block(admin, path, name, description="é" * 200).status_code == 200


def test_pages_and_search(admin: Client, viewer: Client) -> None:
    for number in range(5):
        block(admin, DOMAINS, f"a{number}.example.com", description=("Odd_one" if number % 2 else "100%"))
    assert listed(viewer, DOMAINS) == [f"a{number}.example.com" for number in (4, 3, 2, 1, 0)]
    assert listed(viewer, DOMAINS, "limit=2&offset=1") == ["a3.example.com", "a2.example.com"]
    assert listed(viewer, DOMAINS, "offset=5") == []
    answer = viewer.get(f"{DOMAINS}?search=ODD_&limit=1&offset=1").json
    assert [entry["domain"] for entry in answer["data"]] == ["a1.example.com"]
    assert (answer["total"], answer["limit"], answer["offset"]) == (2, 1, 1)
    assert listed(viewer, DOMAINS, "search=A2.Ex") == ["a2.example.com"]
    assert listed(viewer, DOMAINS, "search=%25") == ["a4.example.com", "a2.example.com", "a0.example.com"]
    assert listed(viewer, DOMAINS, "search=a_") == []
    assert listed(viewer, DOMAINS, "search=%5C") == []
    assert len(listed(viewer, DOMAINS, "search=")) == 5


def test_addresses_are_masked_everywhere_when_masking_is_on(admin: Client, viewer: Client) -> None:
    whole = ["10.1.2.77", "10.1.2.128/25", "10.1.2.0/24", "10.0.0.0/8", "2001:db8:1:2::3", "2001:db8:1:2::/64",
             "2001:db8:1::/48"]  # fmt: skip
    for network in reversed(whole):
        block(admin, ADDRESSES, network)
    assert listed(viewer, ADDRESSES) == whole
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    masked = ["10.1.2.x", "10.1.2.x", "10.1.2.0/24", "10.0.0.0/8", "2001:db8:1::x", "2001:db8:1::x", "2001:db8:1::/48"]
    for who in (admin, viewer):
        assert listed(who, ADDRESSES) == masked
        for hidden in ("2.77", "128", "1:2", "::3"):
            assert listed(who, ADDRESSES, f"search={hidden}") == []
        assert listed(who, ADDRESSES, "search=10.1.2.x") == ["10.1.2.x", "10.1.2.x"]
        audited = [entry["target"] for entry in who.get("/api/audit-log").json["data"][1 : len(whole) + 1]]
        assert audited == masked
    taken_off = admin.delete(f"{ADDRESSES}/{len(whole) - 1}")
    assert (taken_off.status_code, taken_off.json["message"].split()[0]) == (200, masked[1])
    admin.put("/api/settings/gdpr_mode", json={"value": False})
    assert listed(viewer, ADDRESSES, "search=2.77") == ["10.1.2.77"]
