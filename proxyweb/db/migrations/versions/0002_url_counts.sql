CREATE TABLE url_counts (
    window TEXT PRIMARY KEY,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    counted_at INTEGER NOT NULL,
    figures TEXT NOT NULL
) STRICT, WITHOUT ROWID;
