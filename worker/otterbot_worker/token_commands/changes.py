"""Makes tokens, lists them and revokes them, in the file that the worker reads."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from ..config import Config
from ..own_worker import Refused
from ..tokens import MOST, BadTokensFile, Entry, Kind, Stored, TokensFile, entries, used

SHOWN = 5
"""Names in a sentence."""


def new(
    config: Config, name: str, *, kind: Kind = "program", per_day: int | None = None, answers_per_day: int | None = None
) -> str:
    """Returns the token, which nobody can be told again. :raises Refused:"""
    if name in config.api.clients:
        raise Refused(f"{name} is a client of the settings (api.clients), whose token is in a file; take another name")
    token = entries.new_token()
    entry = Entry(
        name=name,
        kind=kind,
        sha256=entries.digest(token.encode()).hex(),
        made_at=int(time.time()),
        per_day=per_day,
        answers_per_day=answers_per_day,
    )

    def add(stored: Stored) -> Stored:
        if stored.find(name) is not None:
            raise Refused(f"{name} has a token; for a new one, first: otterbot-worker token revoke {name}")
        if len(stored.tokens) >= MOST:
            raise Refused(f"there are {MOST} tokens, the most that a worker has; revoke one first")
        return stored.with_entry(entry)

    _change(config, add)
    return token


def revoke(config: Config, name: str) -> None:
    """:raises Refused:"""

    def take(stored: Stored) -> Stored:
        if stored.find(name) is None:
            if name in config.api.clients:
                raise Refused(f"{name} is a client of the settings: delete {config.token_file(name)} and restart")
            raise Refused(f"nobody has a token of this name; see: otterbot-worker token list{_others(stored)}")
        return stored.without(name, int(time.time()))

    _change(config, take)


def listed(config: Config) -> list[str]:
    """Lines of a table. :raises Refused:"""
    try:
        stored = TokensFile(config.tokens_file).read()
    except BadTokensFile as error:
        raise Refused(str(error)) from None
    if not stored.tokens:
        return ["no other program has a token; make one: otterbot-worker token new NAME"]
    hours = used.read(config.tokens_used_file)
    rows = [("NAME", "KIND", "MADE", "LAST USED", "LIMITS")]
    rows += [
        (entry.name, entry.kind, _day(entry.made_at), _hour(hours.get(entry.id)), limits(entry))
        for entry in stored.tokens
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def limits(entry: Entry) -> str:
    said = [f"{entry.per_day} pictures a day"] if entry.per_day is not None else []
    said += [f"{entry.answers_per_day} answers a day"] if entry.answers_per_day is not None else []
    return ", ".join(said) or "none"


def pictures_of(config: Config, name: str) -> int:
    """Pictures in the archive that a client of this name had before; 0 also where nobody can tell."""
    try:
        with closing(sqlite3.connect(f"{config.database.resolve().as_uri()}?mode=ro", uri=True, timeout=2)) as database:
            sql = "SELECT COUNT(*) FROM images WHERE client = ? AND gone_at IS NULL"
            return int(database.execute(sql, (name,)).fetchone()[0])
    except (sqlite3.Error, ValueError):
        return 0


def _change(config: Config, change: Callable[[Stored], Stored]) -> None:
    try:
        TokensFile(config.tokens_file).change(change)
    except BadTokensFile as error:
        raise Refused(str(error)) from None


def _others(stored: Stored) -> str:
    names = ", ".join(entry.name for entry in stored.tokens[:SHOWN])
    return f" ({names}{', …' if len(stored.tokens) > SHOWN else ''})" if names else ""


def _day(at: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))


def _hour(at: int | None) -> str:
    return "never" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
