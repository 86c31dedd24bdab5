"""What was counted of URLs now has the longest requests, too, so what was counted before is counted anew."""

from __future__ import annotations

from alembic import op

from proxyweb.db.migrations import statements

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for statement in statements(revision):
        op.execute(statement)
