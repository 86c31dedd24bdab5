"""Running a program and knowing what it cost."""

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ended: wall-clock seconds, the resident memory of its largest process at its peak, its output."""

    seconds: float
    peak_rss_mb: float
    exit_code: int
    output: str

    @property
    def last_line(self) -> str:
        """The last thing it said, without the progress bar that carriage returns overwrite."""
        said = [part for line in self.output.splitlines() if (part := line.strip())]
        return said[-1] if said else ""


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Run `command` to its end with nothing to read, stdout and stderr together.

    The peak comes from `wait4`. A child starts as a copy of its parent, so no peak is below this process's own,
    about 20 MB.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
    return Finished(seconds, usage.ru_maxrss / 1024, process.returncode, said)
