"""The configuration: where values come from, and one sentence for what can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxyweb.config import INSTANCE, VARIABLES, load
from proxyweb.errors import ConfigError

README = Path(__file__).parent.parent / "README.md"


def test_every_variable_is_documented_in_the_readme() -> None:
    lines = README.read_text("utf-8").splitlines()
    for name in (INSTANCE, *(variable.environment for variable in VARIABLES)):
        rows = [line for line in lines if line.startswith("|") and f"`{name}`" in line]
        assert rows, f"the README has no table row for {name}"


def test_defaults(tmp_path: Path) -> None:
    config = load({"PROXYWEB_INSTANCE": str(tmp_path), "PROXYWEB_ACCESS_LOG": ""})
    assert config.bind == "127.0.0.1:5001"
    assert (config.access_logs, config.trusted_proxies, config.admin_password) == ((), (), None)
    assert (config.workers, config.threads, config.login_attempts, config.login_window_seconds) == (2, 4, 5, 300)
    assert config.database == tmp_path / "proxyweb.sqlite"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        'workers = 3\nthreads = 5\naccess_log = ["/a.log", "/b.log"]\ntrusted_proxies = ["10.0.0.0/8", "::1"]\n'
    )
    config = load({"PROXYWEB_INSTANCE": str(tmp_path), "PROXYWEB_THREADS": "7"})
    assert (config.workers, config.threads) == (3, 7)
    assert config.access_logs == (Path("/a.log"), Path("/b.log"))
    assert [str(network) for network in config.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS_LOG", "relative.log"),
        ("BIND", "5001"),
        ("BIND", "127.0.0.1:0"),
        ("BIND", "127.0.0.1:65536"),
        ("ADMIN_USERNAME", "a\nb"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("THREADS", "65"),
        ("LOGIN_ATTEMPTS", "٥"),
        ("LOGIN_WINDOW_SECONDS", "-1"),
        ("ACCESS_TOKEN_SECONDS", "0"),
        ("REFRESH_TOKEN_SECONDS", "1e6"),
        ("QUERY_SECONDS", "nan"),
        ("QUERY_SECONDS", "0"),
        ("PROXY_HOST", ""),
        ("PROXY_PORT", "0"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("LOG_REQUESTS", "perhaps"),
        ("METRICS_BIND", "unix:/run/metrics.sock"),
        ("METRICS_BIND", "many"),
        ("METRICS_BIND", "127.0.0.1:5001"),
    ],
)
def test_a_value_that_can_not_be_used_names_its_variable(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"^PROXYWEB_{name} must be") as refused:
        load({"PROXYWEB_INSTANCE": str(tmp_path), f"PROXYWEB_{name}": value})
    assert refused.value.detail.endswith(".")


def test_names_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PROXYWEB_WORKRES"):
        load({"PROXYWEB_INSTANCE": str(tmp_path), "PROXYWEB_WORKRES": "2"})
    (tmp_path / "config.toml").write_text("workres = 2\n")
    with pytest.raises(ConfigError, match="workres"):
        load({"PROXYWEB_INSTANCE": str(tmp_path)})
    (tmp_path / "config.toml").write_text("workers = \n")
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load({"PROXYWEB_INSTANCE": str(tmp_path)})
    with pytest.raises(ConfigError, match="must be a folder"):
        load({"PROXYWEB_INSTANCE": str(tmp_path / "config.toml")})


def test_metrics_are_on_the_loopback_interface_unless_another_is_named(tmp_path: Path) -> None:
    def bind(text: str) -> str | None:
        return load({"PROXYWEB_INSTANCE": str(tmp_path), "PROXYWEB_METRICS_BIND": text}).metrics_bind

    assert [bind(text) for text in ("", "9101", "0.0.0.0:9101", "[::1]:9101")] == [
        None, "127.0.0.1:9101", "0.0.0.0:9101", "[::1]:9101",
    ]  # fmt: skip


def test_requests_are_logged_for_programs_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    def logged(form: str, requests: str) -> bool:
        given = {"PROXYWEB_LOG_FORMAT": form, "PROXYWEB_LOG_REQUESTS": requests}
        return load({"PROXYWEB_INSTANCE": str(tmp_path), **given}).logs_requests

    assert [logged(form, said) for form in ("text", "json") for said in ("", "yes", "no")] == [
        False, True, False, True, True, False,
    ]  # fmt: skip
    (tmp_path / "config.toml").write_text("log_requests = true\n")
    assert load({"PROXYWEB_INSTANCE": str(tmp_path)}).logs_requests
