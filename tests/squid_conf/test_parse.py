"""Squid's own parser takes the file, whatever the settings are."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import pytest

from proxyweb.settings import BY_NAME, SETTINGS, Value
from proxyweb.squid_conf.build import Build, ask
from proxyweb.squid_conf.include_file import Places
from tests.e2e.squid import squid_binary
from tests.squid_conf.places import values, written

SLOWER = "optimisation of regular expressions failed"  # so many that Squid tries them one by one; they count as well
MAIN = """\
http_port 127.0.0.1:3128
visible_hostname squid.test
pid_filename none
acl local src 127.0.0.1
http_access deny !local
include "{file}"
http_access allow local
http_access deny all
"""
IN_THE_FILE = ("ssl_bump_enabled", "enable_content_filtering", "enable_rate_limiting", "enable_time_restrictions")
BY_THE_HELPER = ("enable_waf", "enable_domain_blacklist", "enable_ip_blacklist", "block_direct_ip", "gdpr_mode")


@pytest.fixture(scope="module")
def build() -> Build:
    squid_binary()
    found = ask("squid", os.environ["PATH"])
    assert found
    return found


def complaints(folder: Path, content: str) -> str:
    """What `squid -k parse` has against a file; nothing when it takes it."""
    file, main = folder / "proxy web.conf", folder / "squid.conf"
    folder.mkdir(exist_ok=True)
    file.write_text(content)
    main.write_text(MAIN.format(file=file))
    run = subprocess.run([squid_binary(), "-k", "parse", "-f", main], capture_output=True, text=True, timeout=60)
    said = [line for line in run.stderr.splitlines() if any(word in line for word in ("FATAL", "ERROR", "WARNING"))]
    said = [line for line in said if SLOWER not in line]
    return "\n".join(said) or ("" if run.returncode == 0 else run.stderr)


def places(folder: Path) -> Places:
    return Places(folder / "access.log", folder / "in stance", ("/opt/it's/proxyweb",))


def test_every_combination_of_the_switches(tmp_path: Path, build: Build) -> None:
    """512 combinations are 16 files, since the helper's switches change nothing; each is parsed once."""
    switches = {declared.name for declared in SETTINGS if isinstance(declared.default, bool)}
    assert switches == {*IN_THE_FILE, *BY_THE_HELPER, "waf_score_log"}  # which is no business of Squid's
    files: dict[str, dict[str, Value]] = {}
    for switched in product((False, True), repeat=len(IN_THE_FILE + BY_THE_HELPER)):
        settings = values(**dict(zip(IN_THE_FILE + BY_THE_HELPER, switched, strict=True)))
        files.setdefault(written(places(tmp_path), build, settings), settings)
    assert len(files) == 2 ** len(IN_THE_FILE)
    with ThreadPoolExecutor(2) as threads:
        said = threads.map(lambda item: complaints(tmp_path / str(item[0]), item[1]), enumerate(files))
        for settings, words in zip(files.values(), said, strict=True):
            assert words == "", settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("working_hours", "SMTWHFAD 00:00-24:00, M 23:59-24:00, D 00:00-00:01"),
        ("rate_limit_connections", 1),
        ("rate_limit_connections", 65_535),
        ("content_filter_extensions", ",".join(f"{number:010}" for number in range(100))),
        ("content_filter_extensions", "exe,msi,msix,appx,bat,hta,jar,lnk,vbs,apk,deb,rpm,dmg,iso,7z"),
        ("ssl_bump_exceptions", ",".join(f"{number}{'.a' * 120}.example" for number in range(100))),
        ("ssl_bump_exceptions", "b.a.example,a.example,.a.example,_x.ba.example,xn--bcher-kva.example"),
    ],
)
def test_parameters_at_their_bounds(tmp_path: Path, build: Build, name: str, value: Value) -> None:
    settings = {**values(), **dict.fromkeys(IN_THE_FILE, True), name: BY_NAME[name].parse(value)}
    content = written(places(tmp_path), build, settings)
    assert complaints(tmp_path, content) == ""


def test_the_parser_would_complain(tmp_path: Path, build: Build) -> None:
    assert "FATAL" in complaints(tmp_path, written(places(tmp_path), build) + "acl proxyweb_x maxconn\nnonsense x\n")
