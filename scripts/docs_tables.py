"""Writes the tables of commands and of flags into docs/commands.md, from the plugin's registry and table of options.

Run it with the plugin's environment: ``.venvs/maubot/bin/python scripts/docs_tables.py``. A test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "commands.md"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("|" + "|".join("---" if cell == "---" else f" {cell} " for cell in line) + "|" for line in lines)


def tables() -> dict[str, str]:
    """Each table by the name in its markers."""
    from otterbot.commands.registry import COMMANDS
    from otterbot.language.option_table import FLAGS

    commands = [row for command in COMMANDS for row in command.documented]
    flags = [
        (", ".join(f"`--{name}`" for name in (option.name, *option.aliases)), option.takes, option.does)
        for option in FLAGS.values()
    ]
    return {
        "commands": table(("you type", "you get"), commands),
        "flags": table(("flag", "takes", "what it does"), flags),
    }


def written(page: str) -> str:
    """The page with the tables of now."""
    for name, content in tables().items():
        found = re.search(rf"<!-- {name}: .*? -->\n(.*?)\n<!-- end of {name} -->", page, re.DOTALL)
        if found is None:
            raise SystemExit(f"{PAGE} has no place for the table of {name}")
        page = page[: found.start(1)] + content + page[found.end(1) :]
    return page


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY / "plugin"))
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
