"""Every line is stored once, whatever happens in whatever order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.following import Following, Writer
from tests.ingest.rotating import compress, shift

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 30)),
        st.tuples(st.just("part"), st.integers(1, 100)),
        st.sampled_from(
            [
                ("shift", 0),
                ("reopen", 0),
                ("turn", 1),
                ("turn", 3),
                ("restart", 0),
                ("stop", 0),
                ("compress", 0),
                ("cut", 0),
            ]
        ),
    ),
    max_size=25,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=ACTIONS)
def test_any_order_of_events(migrated: Path, actions: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated, folder)
        _live(Path(folder), actions)


def _live(folder: Path, actions: list[tuple[str, int]]) -> None:
    (folder / "logs").mkdir()
    writer = Writer(folder / "logs" / "access.log")
    following = Following(folder, writer.path)
    rest = b""
    writer.write(1)
    following.turn()
    for action, amount in actions:
        if action == "write":
            writer.put(rest + writer.next_lines(amount))
            rest = b""
        elif action == "part" and not rest:
            line = writer.next_lines(1)
            writer.put(line[:amount])
            rest = line[amount:]
        elif action == "shift" and writer.path.exists():
            shift(writer.path)
        elif action == "reopen" and not rest:
            writer.reopen()
        elif action == "cut" and writer.path.exists() and not rest:
            shift(writer.path)
            shutil.copy2(writer.path.with_name("access.log.1"), folder / "copy")
            writer.path.with_name("access.log.1").rename(writer.path)
            (folder / "copy").rename(writer.path.with_name("access.log.1"))
            os.truncate(writer.path, 0)
        elif action == "compress":
            compress_oldest(writer)
        elif action == "turn":
            following.turn(amount)
        elif action == "restart":
            following.restart()
        elif action == "stop":
            following.stop()
    writer.put(rest)
    writer.reopen()
    writer.write(1)
    following.restart()
    following.stop()
    writer.close()
    assert sorted(following.numbers()) == list(range(writer.lines))


def compress_oldest(writer: Writer) -> None:
    """The oldest file that is not compressed, if it is not being written to."""
    plain = [path for path in writer.path.parent.glob("access.log.*") if path.suffix != ".gz"]
    if len(plain) > 1:
        compress(max(plain, key=lambda path: int(path.suffix[1:])))
