"""How the settings page groups the settings, and which of them Squid has to be told of."""

from __future__ import annotations

from typing import NamedTuple

from proxyweb.settings import BY_NAME, Declared

GROUPS = {
    "retention": ("log_retention_days", "max_database_mb"),
    "privacy": ("gdpr_mode",),
    "waf": ("enable_waf", "waf_mode", "waf_threshold", "waf_on_failure", "waf_score_log"),
    "protection": (
        "enable_domain_blacklist",
        "enable_ip_blacklist",
        "block_direct_ip",
        "enable_content_filtering",
        "content_filter_extensions",
        "enable_rate_limiting",
        "rate_limit_connections",
        "enable_time_restrictions",
        "working_hours",
        "ssl_bump_enabled",
        "ssl_bump_exceptions",
    ),
}
TOLD_TO_SQUID = {
    "enable_content_filtering", "content_filter_extensions", "enable_rate_limiting", "rate_limit_connections",
    "enable_time_restrictions", "working_hours", "ssl_bump_enabled", "ssl_bump_exceptions",
}  # fmt: skip
"""In force once Squid's include file is written anew and Squid reconfigured; the others act at once."""


class Shown(NamedTuple):
    """A setting with the control that it is changed by, and when a change is in force: `at_once` or `told_to_squid`."""

    setting: Declared
    control: str
    in_force: str


def grouped() -> dict[str, list[Shown]]:
    """The settings of each group."""
    return {group: [_shown(BY_NAME[name]) for name in names] for group, names in GROUPS.items()}


def _shown(setting: Declared) -> Shown:
    kinds = {bool: "switch", int: "number", str: "choice" if setting.choices else "text"}
    return Shown(setting, kinds[type(setting.default)], "told_to_squid" if setting.name in TOLD_TO_SQUID else "at_once")
