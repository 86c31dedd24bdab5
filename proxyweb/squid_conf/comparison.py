"""Whether Squid goes by the settings: is the include file there, what it should be, in force, and not bypassed?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proxyweb.settings import Value
from proxyweb.squid_conf import process
from proxyweb.squid_conf.build import Build
from proxyweb.squid_conf.directives import Configuration, Directive, read
from proxyweb.squid_conf.include_file import HEADING, MARK, Block, text, warnings

RELOAD = "'squid -k reconfigure' makes it"


class Finding(NamedTuple):
    """A sentence, and whether it is well; None where that could not be found out."""

    fine: bool | None
    sentence: str


def compare(main: Path, blocks: Sequence[Block], settings: Mapping[str, Value], build: Build) -> Iterator[Finding]:
    """What there is to say of the Squid whose configuration begins in `main`; `blocks` are what it should include."""
    configuration = read(main)
    yield from (Finding(None, sentence) for sentence in configuration.unread)
    ours = [path for path, content in configuration.files.items() if content.startswith(MARK)]
    if not configuration.files:
        return
    if not ours:
        yield Finding(False, f"{main} includes no file that 'proxyweb squid-conf' wrote.")
    for extra in ours[1:]:
        yield Finding(False, f"{extra} is included as well as {ours[0]}: keep one of them.")
    for path in ours[:1]:
        yield from _content(path, configuration.files[path], blocks)
        yield from _order(configuration, path)
    yield from (Finding(False, sentence) for sentence in warnings(settings, build))
    if settings["ssl_bump_enabled"] and build.can_bump and not _has_bumping_port(configuration):
        yield Finding(False, "HTTPS filtering is on, but no http_port has ssl-bump, so nothing is decrypted.")
    yield from _running(main, configuration, build)


def user_of(main: Path, build: Build) -> str:
    """As whom Squid runs its helpers, where root starts it."""
    named = [directive.words[1] for directive in read(main).of("cache_effective_user") if len(directive.words) > 1]
    return named[-1] if named else build.user


def _content(path: Path, found: str, blocks: Sequence[Block]) -> Iterator[Finding]:
    wanted = text(blocks)
    if found == wanted:
        yield Finding(True, f"{path} is what the settings ask for.")
        return
    there, expected = _by_heading(found), _by_heading(wanted)
    differing = [heading for heading in expected | there if there.get(heading) != expected.get(heading)]
    for heading in differing:
        yield Finding(False, f"{path} isn't what the settings ask for in: {heading.removeprefix(HEADING)}.")
    if not differing:
        yield Finding(False, f"{path} was changed by hand; write it anew.")


def _by_heading(content: str) -> dict[str, str]:
    """The text of each block by its heading; what stands before the first is left out."""
    parts = f"\n{content}".split(f"\n{HEADING}")[1:]
    return {heading: lines.strip() for heading, _, lines in (part.partition("\n") for part in parts)}


def _order(configuration: Configuration, ours: Path) -> Iterator[Finding]:
    """What in other files keeps ours from being heeded."""
    fine = True
    names = {directive.words[0] for directive in configuration.directives if directive.file == ours}
    for directive in _before(configuration, ours):
        allows = directive.words[1:2] == ("allow",) and "manager" not in directive.words
        if allows and directive.words[0] in {"http_access", "http_reply_access"} & names:
            fine = False
            yield Finding(False, f"{directive.place} lets pass before {ours} is asked.")
    if fine:
        yield Finding(True, f"No rule lets anything pass before {ours} is asked.")
    logs = [target for directive in configuration.of("access_log") if directive.file == ours
            for target in directive.words[1:2]]  # fmt: skip
    for directive in configuration.of("access_log"):
        if directive.file != ours and {_plain(word) for word in directive.words[1:2]} & set(map(_plain, logs)):
            yield Finding(False, f"{directive.place} writes every request into the same log once more.")


def _before(configuration: Configuration, ours: Path) -> Iterator[Directive]:
    for directive in configuration.directives:
        if directive.file == ours:
            return
        yield directive


def _plain(target: str) -> str:
    """The path of an `access_log`."""
    return target[target.find("/") :]


def _has_bumping_port(configuration: Configuration) -> bool:
    ports = [*configuration.of("http_port"), *configuration.of("https_port")]
    return any("ssl-bump" in directive.words for directive in ports)


def _running(main: Path, configuration: Configuration, build: Build) -> Iterator[Finding]:
    pid_file = _path(configuration, "pid_filename", build.pid_file)
    try:
        pid = process.process_id(pid_file)
        if pid is None:
            yield Finding(False, f"Squid isn't running: {pid_file} names no process.")
            return
        other = process.configuration_of(pid)
        if other and other.startswith("/") and Path(other).resolve() != main.resolve():
            yield Finding(False, f"The running Squid reads {other} rather than {main}.")
            return
        changed = max(path.stat().st_ctime for path in configuration.files)
        loaded = process.started_at(pid)
    except OSError as error:
        yield Finding(None, f"Whether Squid is running can't be found out: {error.filename}: {error.strerror}.")
        return
    if changed > loaded:
        cache_log = _path(configuration, "cache_log", build.log_folder / "cache.log")
        try:
            loaded = process.configured_at(process.logs_since(cache_log, int(changed))) or loaded
        except OSError as error:
            yield Finding(
                None,
                f"Whether the running Squid has read its files since {_local(changed)} can't be found out:"
                f" {error.filename}: {error.strerror}.",
            )
            return
    if int(changed) > loaded:
        yield Finding(False, f"The running Squid hasn't read what changed at {_local(changed)}; {RELOAD} do so.")
    else:
        yield Finding(True, f"The running Squid has read its files as they are (at {_local(loaded)}).")


def _path(configuration: Configuration, name: str, default: Path) -> Path:
    """Where a directive, the last one of its name, says that a file is."""
    paths = [directive.words[1] for directive in configuration.of(name) if len(directive.words) > 1]
    return Path(paths[-1].replace("${service_name}", "squid")) if paths else default


def _local(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
