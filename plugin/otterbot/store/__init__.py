"""The plugin's database: rows, queries, migrations."""
