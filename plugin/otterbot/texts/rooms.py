"""Sentences about a room: greeting, model, settings."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import code, plain
from .jobs import count_of, plain_sentence, typed
from .usage import command, wants

INTERNAL = (
    "Something went wrong on my side and I could not do that. Please try again; if it stays like this, "
    "the operator finds the reason in my log."
)
NO_ENCRYPTION = "I cannot encrypt in this room, so I post nothing here. The operator has to look at my encryption."
POWER_UNKNOWN = "I could not look up who may do that in this room. Please try again in a moment."


def greeting(prefix: str) -> str:
    """The one line on joining a room."""
    return (
        f"Hello, I am Otterbot: I draw ({command(prefix, 'draw otter, cowboy hat')}) and chat on the operator's own "
        f"graphics card. {command(prefix, 'help')} shows more; this room's moderators choose the model with "
        f"{command(prefix, 'model')}."
    )


def room_model(name: str | None, *, source: str, prefix: str) -> str:
    """``source`` is ``room``, ``instance`` or ``worker``; ``name`` is ``None`` where the worker's is not known yet."""
    if name is None:
        said = "The worker's default model draws here."
    elif source == "room":
        said = f"{code(name)} draws in this room."
    else:
        said = f"{code(name)} draws here, the default; this room has not chosen one."
    return f"{said} Moderators change it with {command(prefix, 'model NAME')}; {command(prefix, 'models')} lists them."


def model_set(name: str, left_out: Sequence[str] = ()) -> str:
    """``left_out``: settings of the room that it does not take."""
    return " ".join((f"From now on {code(name)} draws in this room.", *_left_out(left_out)))


def _left_out(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    said = " and ".join(code(name) for name in names)
    it = "it" if len(names) == 1 else "them"
    return [f"It does not take this room's {said}, and draws without {it} until somebody sets {it} anew."]


def model_set_unchecked(name: str) -> str:
    return (
        f"From now on {code(name)} draws in this room. The worker is off, so I could not look whether it has that "
        "model."
    )


def model_unset(name: str | None, left_out: Sequence[str] = ()) -> str:
    said = f"This room goes with the default again{f', {code(name)}' if name else ''}."
    return " ".join((said, *_left_out(left_out)))


def may_not_set_model(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) set its model."


SHORT = 24
"""Characters of a long value in the list of settings, whose lines fit a phone."""
MODELS_OWN = "its own"
NOTHING = "nothing"
_WHOSE = {
    "room": "set in this room",
    "operator": "the operator's choice",
    "model": "the model's own",
    "default": "the default",
}
_HEADINGS = {"operator": "The operator's", "model": "The model's", "default": "By default"}


def settings(rows: Sequence[tuple[str, str, str]], prefix: str) -> str:
    """What holds in this room: for each setting its name, its value (Markdown) and whose that is. What the room has set
    has lines of its own, all else stands together by whose it is, so that it fits a phone."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name, now, whose in rows:
        groups.setdefault(whose, []).append((name, now))
    own = [f"- {code(name)}: {now}" for name, now in groups.pop("room", [])]
    first = "\n".join(["Set in this room:", "", *own]) if own else "Nothing is set in this room."
    others = [
        f"{_HEADINGS[whose]}: " + " · ".join(f"{code(name)} {now}" for name, now in groups[whose])
        for whose in _HEADINGS
        if whose in groups
    ]
    more = (
        f"{command(prefix, 'settings NAME')} says more and how to set it, {command(prefix, 'settings all')} has lines."
    )
    return "\n\n".join((first, *others, more))


def all_settings(rows: Sequence[tuple[str, str, str]], prefix: str) -> str:
    """The same, a line each."""
    lines = [f"- {code(name)}: {now} ({whose})" for name, now, whose in rows]
    return "\n".join(lines) + f"\n\nMore, and how to set it: {command(prefix, 'settings NAME')}."


def setting_now(line: tuple[str, str, str], title: str, change: str, more: str, prefix: str) -> str:
    """One setting in full; ``more``: what else is to be said of it."""
    name, now, whose = line
    said = f"{title}: {now} ({_WHOSE.get(whose, whose)})."
    how = f"Moderators change it with {command(prefix, change)}"
    back = "" if whose != "room" else f"; {command(prefix, f'settings {name} default')} goes back"
    return "\n\n".join(part for part in (said, more, f"{how}{back}.") if part)


def settings_usage(names: Sequence[str], near: Sequence[str], prefix: str) -> str:
    meant = f"Did you mean {' or '.join(map(code, near))}? " if near else ""
    return (
        f"{meant}{command(prefix, 'settings')} shows what holds in this room. It can set "
        f"{', '.join(map(code, names))}; for example {command(prefix, 'settings safe on')}, and "
        f"{command(prefix, 'settings safe default')} to go back."
    )


def setting_set(title: str, value: str, *, looked: bool, notes: Sequence[str] = ()) -> str:
    """``looked``: the worker has said that the room's model takes it."""
    said = [f"{title} in this room: {value}, where nobody types another.", *map(plain_sentence, notes)]
    if not looked:
        said.append("I could not ask the worker whether the room's model takes it; where it does not, a note says so.")
    return " ".join(said)


def setting_back(title: str) -> str:
    return f"{title}: the default again."


def setting_wants(name: str, prefix: str) -> str:
    """To a value that the flag of the same name would not take either."""
    return wants(name, prefix).replace(f"`--{name}", f"`{typed(prefix, f'settings {name}')}")


def setting_too_long(length: int, most: int) -> str:
    return f"That has {length} characters; I take at most {most}."


def negative_set(words: str) -> str:
    if not words:
        return "Pictures of this room have no negative prompt, not even the model's own, where nobody types `--no`."
    return f"Not in pictures of this room, where nobody types `--no`: {plain(words, 1_000)}"


def count_max_set(most: int) -> str:
    return f"Here one request may ask for at most {count_of(most, 'picture', 'pictures')}."


def per_day_set(most: int | None) -> str:
    """``None``: there is no limit."""
    if most is None:
        return "Here one person may ask for as many pictures as they like."
    return f"Here one person may ask for at most {count_of(most, 'picture', 'pictures')} in 24 hours."


def room_only_tightens(change: str, most: int, prefix: str) -> str:
    """A bound of the room that is no number, or looser than the operator's."""
    example = command(prefix, f"{change} {most}")
    return f"It takes a whole number from 1 to {most}, which is what the operator allows, such as {example}."


def switch_usage(name: str, prefix: str) -> str:
    """To a value that is neither on nor off."""
    ways = (command(prefix, f"settings {name} {word}") for word in ("on", "off", "default"))
    return f"It is on or off: {', '.join(ways)}."


def model_or_default(name: str | None) -> str:
    """A model as `!settings` shows it; ``None`` where it is left to the worker."""
    return code(name) if name else "the worker’s default"


SAFE_MODE_ON = "Safe mode is on: a safety checker looks at every picture for this room, and what it holds back is said."
SAFE_MODE_OFF = "Safe mode is off: pictures for this room come as they are drawn."


EXPAND_ON = (
    "From now on a language model writes the prompts of this room's pictures around people's words, all of which stay. "
    "`--verbatim` draws just the words."
)
EXPAND_OFF = "Pictures for this room are drawn from people's words as they are; `--expand` asks for more."


def on_or_off(value: bool) -> str:
    return "on" if value else "off"


def may_not_change_settings(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) change its settings."
