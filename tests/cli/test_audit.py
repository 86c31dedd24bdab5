"""`proxyweb audit verify` as a person meets it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from click.testing import CliRunner, Result

from proxyweb.cli import main
from proxyweb.db.connection import connect
from tests.clients import Client


def verify(instance: Path, *options: str) -> Result:
    environment = {"PROXYWEB_INSTANCE": str(instance), "PROXYWEB_ACCESS_LOG": ""}
    return CliRunner().invoke(main, ["audit", "verify", *options], env=environment, prog_name="proxyweb")


def test_a_whole_log_and_one_that_was_cut(instance: Path, admin: Client) -> None:
    for days in range(1, 6):
        assert admin.put("/api/settings/log_retention_days", json={"value": days}).status_code == 200
    assert admin.post("/api/logs/clear").status_code == 200
    result = verify(instance)
    assert result.exit_code == 0
    assert result.output.startswith("ok    The audit log is whole: 6 entries, all as written.\n")
    mark = result.output.split()[-1]
    assert verify(instance, "--known", mark).exit_code == 0
    assert verify(instance, "--from", "6").output.startswith("ok    The audit log is whole: 1 entry,")
    with closing(connect(instance / "proxyweb.sqlite")) as conn:
        conn.execute("DROP TRIGGER audit_log_is_not_deleted")
        conn.execute("DELETE FROM audit_log WHERE id = 6")
    result = verify(instance)
    assert (result.exit_code, result.output) == (
        1, "WRONG The end is missing: there were 6 entries, and the last one there is entry 5.\n",
    )  # fmt: skip


def test_what_can_not_be_a_mark(instance: Path) -> None:
    for text in ("", "5", "5:", "0:" + "0" * 64, "5:xyz"):
        result = verify(instance, "--known", text)
        assert result.exit_code == 1
        assert "must be what an earlier run printed" in result.output


def test_an_instance_without_a_database(tmp_path: Path) -> None:
    result = verify(tmp_path / "none")
    assert result.exit_code == 1
    assert "There is no database" in result.output
