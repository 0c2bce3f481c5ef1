"""Questions on a terminal; where nobody is asked, what is offered is taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..own_worker import Refused

T = TypeVar("T")


class Wrong(Exception):
    """An answer cannot be used; the message says why, and what can."""


class Questions:
    def __init__(self, *, ask: bool) -> None:
        """``ask``: somebody is there to answer."""
        self._ask = ask

    def value(self, question: str, given: str | None, offered: str, check: Callable[[str], T]) -> T:
        """``given``: by a flag, so that it is not asked; ``offered``: what an empty answer means.

        :raises Refused: what is given or offered cannot be used, or nobody answers any more
        """
        if given is not None or not self._ask:
            try:
                return check(offered if given is None else given)
            except Wrong as wrong:
                raise Refused(str(wrong)) from None
        while True:
            answer = self._line(f"{question} [{offered}]: ").strip() or offered
            try:
                return check(answer)
            except Wrong as wrong:
                print(f"  {wrong}")

    def agreed(self, question: str, *, offered: bool = True) -> bool:
        """:raises Refused: nobody answers any more"""
        return self.value(f"{question} (yes or no)", None, "yes" if offered else "no", yes_or_no)

    def _line(self, prompt: str) -> str:
        try:
            return input(prompt)
        except (EOFError, UnicodeDecodeError):
            print()
            raise Refused("nothing was changed") from None


def yes_or_no(answer: str) -> bool:
    """:raises Wrong:"""
    if answer.lower() in ("y", "yes", "true"):
        return True
    if answer.lower() in ("n", "no", "false"):
        return False
    raise Wrong("expected yes or no")
