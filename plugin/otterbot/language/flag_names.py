"""Which flag somebody meant who typed another word; from the table of options."""

from __future__ import annotations

from difflib import get_close_matches

from .option_table import FLAGS

ALIASES = {alias: option.name for option in FLAGS.values() for alias in option.aliases}
_MEANT = {word: option.name for option in FLAGS.values() for word in option.meant}


def meant(name: str) -> str | None:
    """The flag that a word certainly stands for: its own name, or another program's name of it."""
    name = ALIASES.get(name, name)
    return name if name in FLAGS else _MEANT.get(name)


def near_flags(name: str) -> tuple[str, ...]:
    """The flags that somebody who typed ``name`` may have meant, best first."""
    name = name[:40].lower()
    if name in _MEANT:
        return (_MEANT[name],)
    begun = [flag for flag in FLAGS if len(flag) > 2 and (name.startswith(flag) or _begins(flag, name))]
    return tuple(dict.fromkeys([*begun, *get_close_matches(name, FLAGS, n=2, cutoff=0.7)]))[:2]


def _begins(flag: str, name: str) -> bool:
    """A word of prose after a dash, as ``—la mer`` or ``—in blue``, is no beginning of ``landscape`` or ``inpaint``."""
    return flag.startswith(name) and (not FLAGS[flag].word or 2 * len(name) >= len(flag))
