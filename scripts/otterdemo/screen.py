"""What the terminal shows: lines that stay, and one line below them that lives."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "magenta": "35", "cyan": "36"}


def _columns(text: str) -> int:
    """How many columns a terminal needs for ``text``."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrap(text: str, width: int) -> list[str]:
    """``text`` in lines of at most ``width`` columns, broken between words. A longer word, say a path, stays whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and _columns(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


class Screen:
    """Writes to the standard output; colour and a live line only where that is a terminal."""

    def __init__(self) -> None:
        dumb = os.environ.get("TERM", "dumb") == "dumb"
        self.live = sys.stdout.isatty() and not dumb
        self.colour = self.live and "NO_COLOR" not in os.environ
        self._status = ""
        self._prompt = ""
        self._warned: set[str] = set()

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
        if note and _columns(f"    {text}  {note}") <= self.width:
            self.say(f"  {self.paint('✓', 'green')} {text}  {self.paint(note, 'dim')}")
            return
        self._marked("✓", "green", text, ())
        if note:
            self.wrapped(note, " " * 4, styles=("dim",))

    def warn(self, text: str) -> None:
        """Said once, however often it is found."""
        if text not in self._warned:
            self._warned.add(text)
            self._marked("!", "yellow", text, ("yellow",))

    def title(self, text: str) -> None:
        self.say()
        self.say(self.paint(text, "bold"))

    def _marked(self, mark: str, colour: str, text: str, styles: tuple[str, ...]) -> None:
        self.wrapped(text, " " * 4, head=f"  {self.paint(mark, colour, 'bold')} ", styles=styles)

    def wrapped(self, text: str, indent: str, *, head: str | None = None, styles: tuple[str, ...] = ()) -> None:
        """Lines that are broken between words. ``head`` stands in place of the first ``indent``, as wide as that."""
        before = indent if head is None else head
        for paragraph in text.splitlines() or [""]:
            for line in wrap(paragraph, self.width - len(indent)):
                self.say(before + self.paint(line, *styles))
                before = indent

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
