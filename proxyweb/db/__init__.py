"""The SQLite file: connections, transactions, migrations. Knows nothing of Flask."""
