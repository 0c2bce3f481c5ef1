"""Problems with typed text: errors, and things that only look like errors. ``texts`` turns both into sentences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Code = Literal[
    "unknown_flag", "no_value", "bad_value", "too_large", "twice", "conflict", "no_prompt", "no_text", "stray_text",
    "glued", "one_dash", "unknown_key", "key_twice", "bad_lines", "bad_switch", "long_theme", "no_words",
    "sweep_axis", "sweep_axes", "sweep_twice", "sweep_values", "sweep_value", "sweep_many", "sweep_nothing",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UsageProblem:
    """Why what was typed cannot be used."""

    code: Code
    flag: str = ""
    """Without dashes. For ``unknown_flag`` as typed, shortened; for ``glued``, ``one_dash`` with dashes and value; for
    problems with keys the key, for ``bad_lines`` the reason (:data:`.key_lines.Reason`)."""
    near: tuple[str, ...] = ()
    """For ``unknown_flag``, ``unknown_key`` and ``sweep_axis`` what may have been meant, for ``conflict`` the flag that
    says something else, for ``glued`` and ``one_dash`` the flag and its value, for ``sweep_value`` the value, for
    ``bad_lines`` what stands there."""
    line: int = 0
    """For ``bad_lines``: which, from 1."""


@dataclass(frozen=True, kw_only=True)
class Overlooked:
    """Something like a flag that was read as words; gives a note under the picture."""

    form: Literal["glued", "one_dash", "spaced", "key", "inner_key"]
    """Directly behind a word; with one dash only; with a space behind its dashes. Or like a key: in a line before the
    first key; in the middle of a value."""
    typed: str
    """With its dashes, shortened."""
    flag: str


class Refused(Exception):
    """The typed text cannot be used, for the reason in ``problem``."""

    def __init__(self, code: Code, flag: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.problem = UsageProblem(code=code, flag=flag, near=near)
