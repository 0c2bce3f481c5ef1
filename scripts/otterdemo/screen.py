"""What the terminal shows: lines that stay, and one line below them that lives."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}


def _columns(text: str) -> int:
    """How many columns a terminal needs for ``text``."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Screen:
    """Writes to the standard output; colour and a live line only where that is a terminal."""

    def __init__(self) -> None:
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        self.live = sys.stdout.isatty() and not dumb
        self.colour = self.live and "NO_COLOR" not in os.environ
        self._status = ""
        self._prompt = ""

    @property
    def width(self) -> int:
        return min(shutil.get_terminal_size((100, 24)).columns, 110)

    @property
    def colours(self) -> int:
        """How many colours a picture may have here; 0: none."""
        if not self.colour:
            return 0
        if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
            return 1 << 24
        return 256 if "256" in os.environ.get("TERM", "") else 0

    def paint(self, text: str, *styles: str) -> str:
        if not self.colour or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"

    # ------------------------------------------------------------ lines that stay

    def say(self, text: str = "") -> None:
        """One line (or several) that stays."""
        if self.live:
            sys.stdout.write("\r\x1b[2K")
        sys.stdout.write(text + "\n")
        self._redraw()
        sys.stdout.flush()

    def done(self, text: str, note: str = "") -> None:
        self.say(f"  {self.paint('✓', 'green')} {text}" + (self.paint(f"  {note}", "dim") if note else ""))

    def warn(self, text: str) -> None:
        for index, line in enumerate(textwrap.wrap(text, self.width - 6)):
            self.say(f"  {self.paint('!' if index == 0 else ' ', 'yellow', 'bold')} {self.paint(line, 'yellow')}")

    def title(self, text: str) -> None:
        self.say()
        self.say(self.paint(text, "bold"))

    def wrapped(self, text: str, indent: str) -> None:
        for paragraph in text.splitlines() or [""]:
            wrapped = textwrap.wrap(paragraph, self.width - len(indent), drop_whitespace=True) or [""]
            for line in wrapped:
                self.say(indent + line)

    # ------------------------------------------------------------ the line that lives

    def status(self, text: str = "") -> None:
        """Replaces the living line; says nothing where there is none."""
        if self.live:
            self._status = text
            sys.stdout.write("\r\x1b[2K")
            self._redraw()
            sys.stdout.flush()

    def prompt(self, text: str) -> None:
        """What stands before the cursor while the person types."""
        self._prompt = text
        if self.live:
            sys.stdout.write("\r\x1b[2K")
        self._redraw()
        sys.stdout.flush()

    def _redraw(self) -> None:
        if not self.live:
            return
        if self._status:
            text = self._status
            while _columns(text) > self.width - 4:
                text = text[:-2] + "…"
            sys.stdout.write("  " + self.paint(text, "cyan"))
        elif self._prompt:
            sys.stdout.write(self._prompt)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._prompt = ""
        self.status()
