"""Disks that are full, fail, may not hold more, or gave back something else than was written."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxyweb.db import damage
from tests.conftest import ADMIN_PASSWORD
from tests.e2e.program import Follow
from tests.faults.checking import exact, writing
from tests.ingest.following import Writer
from tests.test_supervisor import wait_for

ADMIN = ("admin", ADMIN_PASSWORD)
PAGE = 4096


@pytest.fixture
def small_disk(tmp_path: Path, prepared: Path) -> Iterator[Path]:
    """An instance folder on a disk of 1.5 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1500k", "proxyweb-test", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can't be mounted here: that takes root")
    try:
        yield Path(shutil.copytree(prepared, folder / "instance"))
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_and_then_larger(small_disk: Path, writer: Writer) -> None:
    with Follow(small_disk, writer.path) as follow:
        follow.wait(lambda: follow.count() == 1, 30)
        with writing(writer, 5000):
            follow.wait(lambda: follow.status and "disk is full" in str(follow.status.error), 60)
            time.sleep(2)
        status = follow.status
        assert status
        assert (status.state, status.full, status.alive(time.time())) == ("error", True, True)
        assert status.lag_bytes > 0
        subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk.parent)], check=True)
        follow.wait(lambda: follow.status and follow.status.state == "following", 30)
        assert follow.status
        assert not follow.status.full
        exact(follow, writer)


def test_a_file_that_may_not_grow(instance: Path, writer: Writer) -> None:
    follow = Follow(instance, writer.path)
    most = (instance / "proxyweb.sqlite").stat().st_size + 200_000
    follow.start(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
    writer.write(20_000)
    follow.wait(lambda: follow.status and follow.status.state == "error", 30)
    writer.write(10)
    time.sleep(1)
    assert follow.status
    assert "the disk" in str(follow.status.error)
    assert follow.end()[0] == 0
    with follow:
        exact(follow, writer)


@pytest.fixture
def strace(tmp_path: Path) -> list[str]:
    """The beginning of a command that runs another one with errors in its calls; they are told in a file `told`."""
    program = shutil.which("strace")
    if program is None or subprocess.run([program, "-o", os.devnull, "true"], check=False).returncode:
        pytest.skip("strace is not there, or may not be used here")
    return [program, "-D", "-f", "-o", str(tmp_path / "told")]  # -D: the process that we start is the other one


def failing(call: str, which: str, instance: Path) -> list[str]:
    """What has calls on the database's files fail with EIO."""
    files = [word for suffix in ("", "-wal") for word in ("-P", f"{instance / 'proxyweb.sqlite'}{suffix}")]
    return [*files, "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={which}"]


def injected(folder: Path) -> bool:
    told = folder / "told"
    return told.exists() and "INJECTED" in told.read_text()


@pytest.mark.parametrize(("call", "which"), [("pwrite64", "10..13"), ("pread64", "5..12")])
def test_a_disk_that_reports_errors(
    call: str, which: str, instance: Path, writer: Writer, strace: list[str], tmp_path: Path
) -> None:
    """The follower goes on by itself when there are no more. At its very start, it ends and is started again."""
    with Follow(instance, writer.path).started(by=[*strace, *failing(call, which, instance)]) as follow:
        with writing(writer, 2000):
            wait_for(lambda: injected(tmp_path), 60)
            time.sleep(1)
        if follow.process and follow.process.poll() is not None:
            assert follow.process.returncode == 1
            follow.start()
        exact(follow, writer)
    assert not damage.is_marked(instance / "proxyweb.sqlite")


def test_a_disk_that_does_not_keep_what_it_is_told_to(
    instance: Path, writer: Writer, strace: list[str], tmp_path: Path
) -> None:
    """Nothing counts as stored that could not be brought to the disk, and that is told."""
    with Follow(instance, writer.path).started(by=[*strace, *failing("fdatasync", "1+", instance)]) as follow:
        writer.write(3000)
        follow.wait(lambda: follow.status and follow.status.state == "error", 60)
        assert injected(tmp_path)
        assert follow.status
        assert "the disk reports an error" in str(follow.status.error)
        assert follow.end()[0] == 0
    with follow:
        writer.write(10)
        exact(follow, writer)
