"""`url_counts` keeps for minutes what was counted of the URLs of a long window, as JSON; deleting rows empties it."""

from __future__ import annotations

from alembic import op

from proxyweb.db.migrations import statements

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for statement in statements(revision):
        op.execute(statement)
