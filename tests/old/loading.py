"""Puts an older version's data where a program of today finds it, with its times moved to now.

Only the standard library, since the worker's tests and the plugin's both use it.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
A_TIME = 1_000_000_000
"""Numbers beyond that are Unix times."""


class Old:
    """One version's data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made_at: int = json.loads((folder / "about.json").read_text())["made_at"]
        self.jobs: dict[str, dict[str, Any]] = json.loads((folder / "worker" / "jobs.json").read_text())
        """By name: what was asked of the worker, and what it answered when that was done (``None``: it was not)."""

    def __repr__(self) -> str:
        return self.folder.name

    def worker_data(self, target: Path) -> None:
        """A worker's data directory."""
        for name in ("archive", "inputs"):
            shutil.copytree(self.folder / "worker" / name, target / name)
        self._load(self.folder / "worker" / "jobs.sql", target / "jobs.sqlite")

    def plugin_database(self, target: Path) -> None:
        """A plugin's database; its requests are a minute old."""
        self._load(self.folder / "plugin.sql", target)

    def _load(self, script: Path, database: Path) -> None:
        connection = sqlite3.connect(database)
        try:
            connection.executescript(script.read_text())
            later = time.time() - 60 - self.made_at
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                for column in [name for name in columns if name == "at" or name.endswith("_at")]:
                    connection.execute(
                        f"UPDATE {table} SET {column} = {column} + ? WHERE {column} > ?", (later, A_TIME)
                    )
            if "meta" in (table for (table,) in tables):
                moved = (
                    "UPDATE meta SET value = CAST(CAST(value AS REAL) + ? AS TEXT) WHERE name LIKE '%\\_at' ESCAPE '\\'"
                )
                connection.execute(moved, (later,))
            connection.commit()
        finally:
            connection.close()


VERSIONS = [Old(path.parent) for path in sorted(HERE.glob("*/about.json"))]
