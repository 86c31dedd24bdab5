"""With masking on, no spelling of an address tells whose it is, neither by what is shown nor by what can be asked."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from apiflask import APIFlask

from tests.clients import Client, anonymous
from tests.conftest import START
from tests.ingest.importing import import_log
from tests.security.canaries import DIGESTS, FIGURE, PSEUDONYM, SPELLINGS, TRACES, USER, V4, V6, canaries
from tests.security.routes import routes


@pytest.fixture
def masked(admin: Client, instance: Path) -> Client:
    assert import_log(instance, canaries(START), "canaries.log").rows == len(SPELLINGS)
    assert admin.put("/api/settings/gdpr_mode", json={"value": True}).status_code == 200
    return admin


def test_no_answer_shows_a_spelling(app: APIFlask, masked: Client) -> None:
    asked = 0
    for method, _, path in routes(app):
        if method != "GET":
            continue
        for query in ("", "?window=all", "?limit=3", "?sort=client_ip", "?format=ndjson"):
            with masked.get(f"{path}{query}") as answer:
                if answer.status_code == 200:
                    headers = "".join(value for name, value in answer.headers if name not in DIGESTS)
                    text = answer.get_data(as_text=True)
                    text = FIGURE.sub("", text) if path == "/metrics" else text
                    found = TRACES.search(PSEUDONYM.sub("", text) + headers)
                    assert not found, (path, query, found)
                    asked += 1
    assert asked > 40


def test_no_pattern_that_is_tried_shows_an_e_mail_address(masked: Client) -> None:
    answer = masked.post("/api/waf/test-rule", json={"regex": "site[.]test", "hours": 168}).json["data"]
    assert (answer["matched"], answer["examples"]) == (
        len(SPELLINGS), ["http://site.test/e-mail/?to=e-mail&cc=e-mail"],
    )  # fmt: skip


def test_what_is_whole_can_not_be_asked_for(masked: Client) -> None:
    """Otherwise the number of entries would tell whether somebody is there."""
    for spelling in SPELLINGS:
        for path in ("/api/logs", "/api/logs/export"):
            assert masked.get(path, query_string={"client": spelling}).status_code == 400, spelling
        assert masked.get(f"/api/clients/{spelling}/details").status_code in {400, 404}, spelling
    for network in (f"{V4}/32", "198.51.100.208/29", "198.51.100.0/25", f"{V6}/128", "2001:db8:77:4242::/64"):
        assert masked.get("/api/logs", query_string={"client": network}).status_code == 400, network
    assert masked.get("/api/logs", query_string={"user": USER}).status_code == 400
    for search in ("canary@mail.example", "x=canary%40mail.example"):
        assert masked.get("/api/logs", query_string={"search": search}).status_code == 400


def test_the_order_of_clients_tells_nothing_of_their_last_part(masked: Client) -> None:
    """Who is masked alike stands together, in the order of entries."""
    entries = masked.get("/api/logs?sort=client_ip&order=asc&limit=100").json["data"]
    blocks = [(client, [entry["id"] for entry in found]) for client, found in groupby(entries, _client)]
    groups = dict(blocks)
    assert len(blocks) == len(groups)
    assert all(ids == sorted(ids) for ids in groups.values())
    assert len(groups["198.51.100.x"]) >= 4


def _client(entry: dict[str, str]) -> str:
    return entry["client_ip"]


def test_a_pseudonym_stays_the_same(app: APIFlask, masked: Client) -> None:
    users = {entry["user"] for entry in masked.get("/api/logs").json["data"]}
    hosts = {entry["client_ip"] for entry in masked.get("/api/logs").json["data"]}
    assert len(users) == 1
    assert masked.get(f"/api/logs?user={users.pop()}").json["total"] == len(SPELLINGS)
    assert {entry["client_ip"] for entry in masked.get("/api/logs?limit=50").json["data"]} == hosts


def test_errors_and_pages_of_nobody_tell_nothing(app: APIFlask, masked: Client) -> None:
    for path in ("/", "/clients", "/sign-in", "/api/health", "/api/logs", "/nope"):
        assert not TRACES.search(anonymous(app).get(path).get_data(as_text=True))
