"""The secret key: made once, whole, for its owner alone."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxyweb.errors import ConfigError
from proxyweb.secret import derived, load


def test_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        secret = load(tmp_path / "secret.key")
    finally:
        os.umask(before)
    assert len(secret) == 32
    assert load(tmp_path / "secret.key") == secret
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "secret.key").chmod(0o644)
    assert load(tmp_path / "secret.key") == secret
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_those_who_make_it_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: load(tmp_path / "secret.key"), range(32)))
    assert len(secrets) == 1


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"too short")
    with pytest.raises(ConfigError, match="not a secret key"):
        load(tmp_path / "secret.key")
    with pytest.raises(ConfigError, match="can't be read or made"):
        load(tmp_path / "nowhere" / "secret.key")


def test_every_purpose_has_a_key_of_its_own() -> None:
    keys = {derived(secret, purpose) for secret in (b"a" * 32, b"b" * 32) for purpose in ("tokens", "pseudonyms")}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
