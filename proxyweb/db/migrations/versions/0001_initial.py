"""Accounts, settings, audit log, and the log's own tables.

How the log is kept, at about 68 bytes a request, everything in, where a native line has 130:

- `proxy_logs` is the fact table. Its id is the order of arrival and is never given twice. Text that repeats is kept
  once in a dimension table; id 0 there means "none", since SQLite stores a 0 in no bytes at all.
- A destination is `sites.prefix || proxy_logs.rest`. The prefix runs up to and including the first `/`, `?` or `#`
  after the authority (for CONNECT it is the whole `host:port`), so that sorting sites by prefix and rows by rest
  sorts destinations exactly.
- `log_zones` holds the bounds of every 1,024 consecutive ids, so that an order by time or size, or a range of time,
  touches only the zones that can matter, whatever order rows arrived in.
- The posting lists (`*_postings`) hold, for every full segment of 65,536 ids and each value in it, the ids' offsets
  as 16-bit integers: an inverted index at about 2.5 bytes an entry where a B-tree takes 12 to 17, and appended to,
  where a B-tree is written all over. Their id is `segment << 32 | value's id`. Beside a client's offsets are the host
  ids of those rows, all in two bytes, or all in four where one needs them.
- `sources` are the files read so far, known by their content: the CRC of each 512 bytes of it (`source_marks`).
- Rollups are declared in `ingest/rollups.py`; each equals a recount of the rows, at any time. Buckets are Unix time
  divided by their length: five minutes, an hour, a day (UTC).
- `audit_head` says how many entries `audit_log` has and which hash the last one has, so that a missing end is noticed
  (`audit_chain.py`).
- `first_seen` says when something was first met, by whom: a domain or a client by anyone (`of_client_id` 0), a service
  by anyone and by each client. It is no rollup: what clear-old deletes stays known here.
- `url_counts` keeps for minutes what was counted of the URLs of a long window, as JSON; deleting rows empties it.
"""

from __future__ import annotations

from alembic import op

from proxyweb.db.migrations import statements

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in statements(revision):
        op.execute(statement)
