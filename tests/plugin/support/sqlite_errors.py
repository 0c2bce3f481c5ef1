"""Errors of SQLite's, as it raises them."""

from __future__ import annotations

import sqlite3


def coded(code: int) -> sqlite3.OperationalError:
    """As SQLite raises it."""
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = code
    return error
