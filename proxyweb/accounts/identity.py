"""Who is asking, as every request knows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """A signed-in user. `family` is that of the token presented, None with a password."""

    user_id: int
    username: str
    role: str
    family: str | None = None
