"""Keeps a few programs running: starts them again when they crash, ends them all together."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("proxyweb.supervisor")

FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0
STEADY_SECONDS = 30.0
STOP_SECONDS = 4.0
STOPPING = {signal.SIGTERM, signal.SIGINT}
WATCHED = {*STOPPING, signal.SIGHUP, signal.SIGCHLD}
KILLED = {-signal.SIGKILL, -signal.SIGTERM}
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """What to run. `descriptors` stay open in it; with `fatal_at_start`, one that never runs steadily ends all."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    folder: Path
    descriptors: tuple[int, ...] = ()
    fatal_at_start: bool = False


class Child:
    """A program, the process it runs in at the moment, and how often it has crashed in a row."""

    def __init__(self, program: Program, run_before_exec: Callable[[], None]) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self._before_exec = run_before_exec
        self._started = 0.0
        self._crashes = 0
        self._failures = 0
        self._was_steady = False

    def start(self) -> None:
        """Run the program in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        self._started = time.monotonic()
        self.process = subprocess.Popen(
            self.program.command,
            env=self.program.environment,
            cwd=self.program.folder,
            pass_fds=self.program.descriptors,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=self._before_exec,  # safe: the supervisor has no threads
        )

    def ended(self) -> int | None:
        """The exit code once the process has ended, just once; the next start is put off with every crash."""
        code = self.process.poll() if self.process else None
        if code is None:
            return None
        self.process = None
        now = time.monotonic()
        if now - self._started > STEADY_SECONDS:
            self._was_steady, self._crashes = True, 0
        self.due = now + min(FIRST_DELAY * 2**self._crashes, LONGEST_DELAY)
        self._crashes += 1
        self._failures += code not in KILLED
        return code

    @property
    def hopeless(self) -> bool:
        """Whether it ended, and nobody had killed it, without ever having run for a while."""
        return self.program.fatal_at_start and not self._was_steady and self._failures >= 3

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and whatever it started; its session is its process group."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def supervise(programs: Sequence[Program], stopping: Set[signal.Signals] = STOPPING) -> int:
    """Run `programs` until one of `stopping`; the exit code. Another SIGHUP is handed to them (gunicorn reloads)."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    children = [Child(program, _before_exec(before)) for program in programs]
    try:
        return _run(children, stopping)
    finally:
        for child in children:
            child.kill()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(children: list[Child], stopping: Set[signal.Signals]) -> int:
    while True:
        now = time.monotonic()
        for child in children:
            if child.process is None and child.due <= now:
                child.start()
        waiting = [child.due - now for child in children if child.process is None]
        received = signal.sigtimedwait(WATCHED, max(0.05, min(waiting, default=60.0)))
        if received is not None and received.si_signo in stopping:
            return _stop(children)
        if received is not None and received.si_signo == signal.SIGHUP:
            children[0].signal(signal.SIGHUP)
        for child in children:
            code = child.ended()
            if code is None:
                continue
            if child.hopeless:
                log.error("the %s does not start (exit code %s); what it said is above", child.program.name, code)
                _stop(children)
                return 1
            log.error("the %s ended with exit code %s and is started again", child.program.name, code)


def _stop(children: list[Child]) -> int:
    """SIGTERM to all, and a few seconds; a second signal, or the end of them, kills what is left."""
    for child in children:
        child.signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while any(child.process is not None and child.process.poll() is None for child in children):
        received = signal.sigtimedwait(WATCHED, max(0.0, deadline - time.monotonic()))
        if received is None or received.si_signo in STOPPING:
            break
    return 0


def _before_exec(mask: set[signal.Signals | int]) -> Callable[[], None]:
    """What a child does first: signals as they were, and (Linux) its death with its supervisor's, even by kill -9."""
    supervisor = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None

    def run() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)

    return run
