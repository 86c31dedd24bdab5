"""What is counted together, and that the table stays small."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyweb.accounts import lockout
from proxyweb.accounts.lockout import Lockout, bucket
from proxyweb.db.session import driver, open_session, transaction


@pytest.mark.parametrize(
    ("address", "together"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("local", "local"),
    ],
)
def test_an_ipv6_subscriber_counts_as_one(address: str, together: str) -> None:
    assert bucket(address) == together


def test_old_failures_go_and_the_rest_is_bounded(instance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockout, "MOST_KEPT", 10)
    limit = Lockout(5, 300)
    with transaction(open_session(instance / "proxyweb.sqlite")) as session:
        for number in range(30):
            assert limit.count(session, f"192.0.2.{number}", 1000) is None
        assert driver(session).execute("SELECT count(*) FROM login_failures").fetchone() == (11,)
        assert limit.count(session, "192.0.2.1", 1300) is None
        assert driver(session).execute("SELECT count(*) FROM login_failures").fetchone() == (1,)
