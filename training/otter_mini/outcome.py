"""What an experiment found: a table, and whether it came out as wanted. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass

FEW_SEEDS = 6
"""Of each of eight prompts, where many settings are compared."""

Row = dict[str, str | float]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    title: str
    wanted: str
    holds: bool
    rows: list[Row]
