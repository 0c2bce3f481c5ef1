"""What is said of a room: the greeting, the model that draws there, its settings."""

from __future__ import annotations

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


def settings(model: str | None, safe: bool, prefix: str) -> str:
    """What holds in this room. ``model`` is ``None`` where the worker's default draws."""
    return (
        f"- Model: {code(model) if model else 'the worker’s default'}. {command(prefix, 'model NAME')} changes it.\n"
        f"- Safe mode: {_on(safe)}. {command(prefix, 'settings safe on')} or {command(prefix, 'settings safe off')} "
        "changes it.\n\nModerators may."
    )


def settings_usage(prefix: str) -> str:
    return (
        f"{command(prefix, 'settings')} shows what holds in this room. {command(prefix, 'settings safe on')}, "
        f"{command(prefix, 'settings safe off')} or {command(prefix, 'settings safe default')} says whether a safety "
        f"checker looks at its pictures; the model is changed with {command(prefix, 'model NAME')}."
    )


def safe_mode(safe: bool, prefix: str) -> str:
    return f"Safe mode is {_on(safe)} in this room. {command(prefix, f'settings safe {_on(not safe)}')} changes that."


def safe_mode_set(safe: bool) -> str:
    if safe:
        return "Safe mode is on: a safety checker looks at every picture for this room, and what it holds back is said."
    return "Safe mode is off: pictures for this room come as they are drawn."


def _on(value: bool) -> str:
    return "on" if value else "off"


def may_not_change_settings(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) change its settings."
