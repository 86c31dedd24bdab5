"""The services known, which host belongs to which, and what an owner's own file may change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from proxyweb.catalogue import shadow_it
from proxyweb.catalogue.shadow_it import Catalogue, Service
from proxyweb.errors import ConfigError

BUILT_IN = shadow_it.load()
CATEGORIES = {
    "Generative AI", "File sharing", "Cloud storage", "Remote control", "VPN and tunnelling", "Encrypted DNS",
    "Peer-to-peer", "Paste", "Webmail", "Messaging", "Collaboration", "CRM", "Customer support", "Code hosting",
    "Social", "Streaming", "Video conferencing", "Scheduling", "Password managers", "Design", "Project management",
    "HR", "Finance", "Cryptocurrency", "Marketing", "Analytics", "Cloud hosting", "Developer tools", "Automation",
    "E-signature", "URL shorteners", "File conversion", "Translation", "Transcription", "Note taking",
    "Forms and surveys", "Gaming", "Dating", "Gambling",
}  # fmt: skip
DOMAINS = sorted(domain for service in BUILT_IN.services for domain in service.domains)


def name_of(catalogue: Catalogue, host: str) -> str | None:
    service = catalogue.match(host)
    return service.name if service else None


def written(folder: Path, text: str) -> Path:
    path = folder / "shadow_it.toml"
    path.write_text(text, "utf-8")
    return path


def test_there_are_many_services() -> None:
    assert len(BUILT_IN.services) >= 1200
    assert min(Counter(service.category for service in BUILT_IN.services).values()) >= 9


def test_every_category_is_known() -> None:
    assert set(BUILT_IN.categories) == {service.category for service in BUILT_IN.services} == CATEGORIES


def test_names_are_unique_whatever_their_case() -> None:
    names = Counter(service.name.casefold() for service in BUILT_IN.services)
    assert [name for name, count in names.items() if count > 1] == []


def test_no_domain_is_there_twice_or_below_another_of_its_service() -> None:
    assert len(DOMAINS) == len(set(DOMAINS))
    for service in BUILT_IN.services:
        for domain in service.domains:
            assert not [other for other in service.domains if domain.endswith(f".{other}")], domain


def test_every_domain_is_registrable_or_below_one_that_is() -> None:
    suffixes = PublicSuffixList(only_icann=True, accept_unknown=False)
    assert [domain for domain in DOMAINS if suffixes.privatesuffix(domain) is None] == []


def test_every_service_says_its_risk() -> None:
    assert {service.risk for service in BUILT_IN.services} == set(shadow_it.RISKS)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("box.com", "Box"),
        ("app.box.com", "Box"),
        ("a.b.c.d.e.f.g.app.box.com", "Box"),
        ("APP.Box.COM.", "Box"),
        ("notbox.com", None),
        ("box.com.evil.test", None),
        ("box.co", None),
        ("com", None),
        ("drive.google.com", "Google Drive"),
        ("docs.google.com", "Google Docs"),
        ("www.google.com", None),
        ("chat.openai.com", "ChatGPT"),
        ("api.openai.com", "OpenAI"),
        ("gist.github.com", "GitHub Gist"),
        ("api.github.com", "GitHub"),
        ("cloud.mail.ru", "Cloud Mail.ru"),
        ("e.mail.ru", "Mail.ru"),
        ("remoteassistance.support.services.microsoft.com", "Quick Assist"),
        ("eu.remoteassistance.support.services.microsoft.com", "Quick Assist"),
        ("support.services.microsoft.com", None),
        ("crm.zoho.com", "Zoho CRM"),
        ("www.zoho.com", "Zoho"),
        ("", None),
        (".", None),
        ("...", None),
        ("box.com..", None),
        ("-", None),
        ("192.0.2.1", None),
        ("::ffff:192.0.2.1", None),
        ("[2001:db8::1]", None),
        ("fe80::1%a.box.com", None),
        ("a." * 4000 + "box.com", "Box"),
        ("a." * 4000, None),
    ],
)
def test_a_host_belongs_to_the_longest_domain_above_it(host: str, name: str | None) -> None:
    assert name_of(BUILT_IN, host) == name


def naive(host: str) -> Service | None:
    """Every domain held against the host's labels, one after the other."""
    labels = host.lower().removesuffix(".").split(".")
    owners = {
        len(own): service
        for service in BUILT_IN.services
        for domain in service.domains
        if labels[-len(own := domain.split(".")) :] == own
    }
    return owners[max(owners)] if owners else None


LABELS = st.lists(st.sampled_from(["www", "box", "com", "google", "drive", "a-1", "", "co.uk", "xn--bcher-kva"]))
HOSTS = st.builds(
    lambda before, glue, domain, after: f"{'.'.join(before)}{glue}{domain}{after}",
    LABELS,
    st.sampled_from(["", ".", ".", ".", "-"]),
    st.one_of(st.sampled_from(DOMAINS), st.sampled_from(DOMAINS).map(str.upper), st.text(alphabet="abcom.-")),
    st.sampled_from(["", "", "", ".", ".com", "..", ".evil.test"]),
)


@given(st.one_of(HOSTS, st.text().filter(lambda text: ":" not in text)))
def test_matching_is_a_search_by_labels(host: str) -> None:
    assert BUILT_IN.match(host) is naive(host)


@given(st.ip_addresses())
def test_an_address_is_never_a_service(address: object) -> None:
    assert BUILT_IN.match(str(address)) is None
    assert BUILT_IN.match(f"[{address}]") is None


def test_an_empty_catalogue_knows_no_host() -> None:
    assert Catalogue([]).match("box.com") is None


def test_without_a_file_the_catalogue_is_the_built_in_one(tmp_path: Path) -> None:
    assert shadow_it.load(tmp_path / "shadow_it.toml").services == BUILT_IN.services
    assert shadow_it.load(written(tmp_path, "")).services == BUILT_IN.services


def test_a_file_adds_a_service(tmp_path: Path) -> None:
    text = '["Our own"]\n"Files" = { domains = ["Files.Example.com", "xn--bcher-kva.example"], note = "Ours." }'
    catalogue = shadow_it.load(written(tmp_path, text))
    service = Service("Files", "Our own", ("files.example.com", "xn--bcher-kva.example"), None, "Ours.")
    assert catalogue.match("eu.files.example.com") == catalogue.services[-1] == service
    assert catalogue.match("www.example.com") is None
    assert catalogue.categories == (*BUILT_IN.categories, "Our own")


def test_a_file_replaces_the_service_of_the_same_name(tmp_path: Path) -> None:
    catalogue = shadow_it.load(written(tmp_path, '[CRM]\n"BOX" = { domains = ["box.example"], risk = "low" }'))
    assert catalogue.match("box.com") is None
    assert catalogue.match("box.example") == Service("BOX", "CRM", ("box.example",), "low")
    assert len(catalogue.services) == len(BUILT_IN.services)


def test_a_file_removes_a_service(tmp_path: Path) -> None:
    catalogue = shadow_it.load(written(tmp_path, '["Cloud storage"]\nbox = { remove = true }'))
    assert catalogue.match("box.com") is None
    assert len(catalogue.services) == len(BUILT_IN.services) - 1


def test_a_file_takes_a_domain_from_the_service_that_has_it(tmp_path: Path) -> None:
    text = '["Our own"]\n"Post" = { domains = ["gmx.net", "web.de"] }'
    catalogue = shadow_it.load(written(tmp_path, text))
    names = {service.name: service for service in catalogue.services}
    assert name_of(catalogue, "www.gmx.net") == name_of(catalogue, "web.de") == "Post"
    assert name_of(catalogue, "www.gmx.de") == "GMX"
    assert "gmx.net" not in names["GMX"].domains
    assert "WEB.DE" not in names


def test_a_category_is_the_built_in_one_whatever_its_case(tmp_path: Path) -> None:
    catalogue = shadow_it.load(written(tmp_path, '["FILE sharing"]\n"Files" = { domains = ["files.example.com"] }'))
    assert catalogue.services[-1].category == "File sharing"
    assert catalogue.categories == BUILT_IN.categories


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[CRM", "can't be read: "),
        ("a = " + "[" * 100_000, "can't be read: "),
        ('CRM = "Files"', "'CRM' must be a category with services in it"),
        ('[" CRM"]', "' CRM' must be a category with services in it"),
        (
            '[Files]\ndomains = ["a.example"]',
            "'domains' in 'Files' must be written as { domains = [\"example.com\"] }.",
        ),
        ("[CRM]\nFiles = {}", "'Files' in 'CRM' must have a list of domains"),
        ("[CRM]\nFiles = { domains = [] }", "'Files' in 'CRM' must have a list of domains"),
        ('[CRM]\nFiles = { domains = "a.example" }', "'Files' in 'CRM' must have a list of domains"),
        ("[CRM]\nFiles = { domains = [1] }", "'Files' in 'CRM' has 1 among its domains"),
        ('[CRM]\nFiles = { domains = ["com"] }', "has 'com' among its domains"),
        ('[CRM]\nFiles = { domains = ["*.a.example"] }', "has '*.a.example' among its domains"),
        ('[CRM]\nFiles = { domains = ["https://a.example"] }', "has 'https://a.example' among its domains"),
        ('[CRM]\nFiles = { domains = ["a.example\\n"] }', "has 'a.example\\n' among its domains"),
        ('[CRM]\nFiles = { domains = ["bücher.example"] }', "has 'bücher.example' among its domains"),
        ('[CRM]\nFiles = { domains = ["192.0.2.1"] }', "has '192.0.2.1' among its domains"),
        ('[CRM]\nFiles = { domains = ["a.example"], risk = "grave" }', "must have low, medium or high as its risk."),
        ('[CRM]\nFiles = { domains = ["a.example"], risk = [] }', "must have low, medium or high as its risk."),
        (
            '[CRM]\nFiles = { domains = ["a.example"], note = 1 }',
            "must have a note of at most 200 printable characters.",
        ),
        ('[CRM]\nFiles = { domains = ["a.example"], owner = "us" }', "has the unknown key 'owner'"),
        ('[CRM]\n"a/b" = { domains = ["a.example"] }', "'a/b' in 'CRM' must have a name of 1 to 200 printable"),
        ('[CRM]\n"" = { domains = ["a.example"] }', "'' in 'CRM' must have a name"),
        ('[CRM]\nA = { domains = ["a.example"] }\na = { domains = ["b.example"] }', "'a' in 'CRM' is there twice."),
        ('[CRM]\nA = { domains = ["a.example", "A.example"] }', "has the domain a.example, which A has already."),
        ('[CRM]\nA = { domains = ["a.example"] }\n[HR]\nB = { domains = ["a.example"] }', "which A has already."),
        ("[CRM]\nBox = { remove = false }", "'Box' in 'CRM' must have nothing but remove = true to be removed."),
        ('[CRM]\nBox = { remove = true, risk = "low" }', "must have nothing but remove = true to be removed."),
        ("[CRM]\nNoSuch = { remove = true }", "NoSuch can't be removed; the catalogue has no service of that name."),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, text: str, fault: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as refused:
        shadow_it.load(path)
    assert refused.value.detail.startswith(f"{path}")
    assert fault in refused.value.detail
    assert refused.value.detail.endswith(".")
    assert "\n" not in refused.value.detail


def test_what_is_no_text_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    for path in (tmp_path, tmp_path / "latin.toml"):
        with pytest.raises(ConfigError, match="can't be read"):
            shadow_it.load(path)
