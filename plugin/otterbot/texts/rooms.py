"""Sentences about a room: greeting, model, settings."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import code
from .usage import command

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


def model_set(name: str) -> str:
    return f"From now on {code(name)} draws in this room."


def model_set_unchecked(name: str) -> str:
    return (
        f"From now on {code(name)} draws in this room. The worker is off, so I could not look whether it has that "
        "model."
    )


def model_unset(name: str | None) -> str:
    return f"This room goes with the default again{f', {code(name)}' if name else ''}."


def may_not_set_model(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) set its model."


def settings(rows: Sequence[tuple[str, str, str]], prefix: str) -> str:
    """What holds in this room: for each setting its title, its value (Markdown) and what changes it."""
    lines = [f"- {title}: {now}. {command(prefix, change)} changes it." for title, now, change in rows]
    return "\n".join(lines) + "\n\nModerators may."


def setting_now(title: str, now: str, change: str, prefix: str) -> str:
    return f"{title}: {now}. {command(prefix, change)} changes it (moderators)."


def settings_usage(names: Sequence[str], prefix: str) -> str:
    return (
        f"{command(prefix, 'settings')} shows what holds in this room. It can set {', '.join(map(code, names))}; "
        f"for example {command(prefix, 'settings safe on')}, and {command(prefix, 'settings safe default')} to go back."
    )


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
