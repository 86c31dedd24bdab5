"""Settings over HTTP: typed, all or nothing, audited, and in force at once."""

from __future__ import annotations

from typing import Any

import pytest

from proxyweb.settings import RISKY
from tests.clients import Client


def stored(client: Client) -> dict[str, str]:
    return {entry["setting_name"]: entry["setting_value"] for entry in client.get("/api/settings").json["data"]}


def test_defaults(viewer: Client) -> None:
    assert stored(viewer) == {
        "log_retention_days": "30",
        "max_database_mb": "0",
        "gdpr_mode": "false",
        "enable_waf": "false",
        "waf_mode": "block",
        "waf_threshold": "5",
        "waf_on_failure": "open",
        "waf_score_log": "false",
        "ssl_bump_enabled": "false",
        "ssl_bump_exceptions": "",
        "enable_domain_blacklist": "false",
        "enable_ip_blacklist": "false",
        "block_direct_ip": "false",
        "enable_content_filtering": "false",
        "content_filter_extensions": RISKY,
        "enable_rate_limiting": "false",
        "rate_limit_connections": "100",
        "enable_time_restrictions": "false",
        "working_hours": "MTWHF 08:00-18:00",
    }


@pytest.mark.parametrize("value", [True, "true"])
def test_a_switch_is_taken_as_json_and_as_text(admin: Client, value: object) -> None:
    answer = admin.put("/api/settings/gdpr_mode", json={"value": value})
    assert answer.json == {"status": "success", "message": "gdpr_mode is set."}
    assert stored(admin)["gdpr_mode"] == "true"


def test_one_of_a_few_words(admin: Client) -> None:
    assert admin.put("/api/settings/waf_mode", json={"value": "detect"}).status_code == 200
    assert stored(admin)["waf_mode"] == "detect"
    for wrong in (["detect"], None, True, 1, "", "Detect"):
        answer = admin.put("/api/settings/waf_mode", json={"value": wrong})
        assert (answer.status_code, stored(admin)["waf_mode"]) == (400, "detect")
    assert answer.json["errors"] == [{"field": "waf_mode", "message": "must be block or detect"}]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("content_filter_extensions", ".EXE, iso", "exe,iso"),
        ("working_hours", "mtwhf 07:30-19:00,a 08:00-12:00", "MTWHF 07:30-19:00, A 08:00-12:00"),
        ("ssl_bump_exceptions", "Bank.example", "bank.example"),
        ("ssl_bump_exceptions", "", ""),
    ],
)
def test_a_text_is_kept_in_one_form(admin: Client, name: str, value: str, kept: str) -> None:
    assert admin.put(f"/api/settings/{name}", json={"value": value}).status_code == 200
    assert stored(admin)[name] == kept


@pytest.mark.parametrize("name", ["content_filter_extensions", "working_hours", "ssl_bump_exceptions"])
@pytest.mark.parametrize(
    "value", ["exe\nhttp_access allow all", "exe msi", 'exe"', "exe#", "$x", "\\", "\x00", "é", 5, True, None, ["exe"]]
)
def test_a_text_that_squid_could_read_otherwise(admin: Client, name: str, value: object) -> None:
    before = stored(admin)
    answer = admin.put(f"/api/settings/{name}", json={"value": value})
    assert answer.status_code == 400
    assert answer.json["errors"][0]["message"]
    assert stored(admin) == before


@pytest.mark.parametrize("value", [90, "90"])
def test_a_number_is_taken_as_json_and_as_text(admin: Client, value: object) -> None:
    assert admin.put("/api/settings/log_retention_days", json={"value": value}).status_code == 200
    assert stored(admin)["log_retention_days"] == "90"


@pytest.mark.parametrize(
    "value", [0, 3651, -1, "0", "1e2", "٣٠", 1.5, True, None, [30], {"a": 1}, "", "9" * 400, 10**30]
)
def test_a_number_out_of_range_or_none(admin: Client, value: Any) -> None:
    answer = admin.put("/api/settings/log_retention_days", json={"value": value})
    assert answer.status_code == 400
    assert answer.json["errors"]
    assert stored(admin)["log_retention_days"] == "30"


@pytest.mark.parametrize("value", [1, "yes", None, "TRUE", 0])
def test_a_switch_is_on_or_off(admin: Client, value: object) -> None:
    assert admin.put("/api/settings/gdpr_mode", json={"value": value}).status_code == 400


def test_several_at_once_are_all_or_nothing(admin: Client) -> None:
    answer = admin.post("/api/settings", json={"gdpr_mode": True, "log_retention_days": 0, "nonsense": 1})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json["errors"]] == ["log_retention_days", "nonsense"]
    assert stored(admin)["gdpr_mode"] == "false"
    assert admin.post("/api/settings", json={"gdpr_mode": True, "log_retention_days": "7"}).status_code == 200
    assert stored(admin).items() >= {"log_retention_days": "7", "gdpr_mode": "true"}.items()


def test_unknown_names(admin: Client) -> None:
    assert admin.put("/api/settings/nonsense", json={"value": 1}).status_code == 404
    assert admin.put("/api/settings/default_password_changed", json={"value": True}).status_code == 404
    assert admin.put("/api/settings/gdpr_mode", json={"value": True, "role": "admin"}).status_code == 400
    assert admin.put("/api/settings/gdpr_mode").status_code == 400


def test_a_change_is_audited_with_both_values_and_no_change_is_not(admin: Client) -> None:
    for _ in range(2):
        admin.put("/api/settings/log_retention_days", json={"value": 90})
    answer = admin.get("/api/audit-log").json
    assert answer["total"] == 1
    assert answer["data"] == [
        {
            "id": 1,
            "username": "admin",
            "action": "setting changed",
            "target": "log_retention_days",
            "details": "30 -> 90",
            "timestamp": "2026-02-02 02:40:00",
            "source_ip": "127.0.0.1",
        }
    ]


def test_the_audit_log_is_paged_newest_first_and_masked(admin: Client) -> None:
    for days in range(1, 6):
        admin.put("/api/settings/log_retention_days", json={"value": days})
    page = admin.get("/api/audit-log?limit=2&offset=1").json
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)
    assert [entry["details"] for entry in page["data"]] == ["3 -> 4", "2 -> 3"]
    assert admin.get("/api/audit-log?limit=201").status_code == 400
    admin.put("/api/settings/gdpr_mode", json={"value": True})
    assert {entry["source_ip"] for entry in admin.get("/api/audit-log").json["data"]} == {"127.0.0.x"}
