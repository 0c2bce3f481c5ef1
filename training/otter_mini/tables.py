"""Rows of figures as text: in columns for a terminal, and in Markdown for the card. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def aligned(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows as text in columns; a cell that a row lacks is empty."""
    heads = list(dict.fromkeys(key for row in rows for key in row))
    cells = [heads, *([shown(row.get(head, "")) for head in heads] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = list(dict.fromkeys(key for row in rows for key in row))
    lines = [heads, ["---"] * len(heads), *([shown(row.get(head, "")) for head in heads] for row in rows)]
    return "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in lines)
