"""What a person typed, option by option; :mod:`.option_table` says what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .option import ANY, Option
from .option_table import FIELDS, OPTIONS
from .option_values import Axis, Control, Hires, KeyChange, Variation, WordChange
from .structures import Structure
from .style_values import Styles

_UNTAKEN: Mapping[str, tuple[Option, ...]] = {
    command: tuple(option for option in OPTIONS if command not in option.commands) for command in ANY
}


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """What a person typed; ``None`` is "not typed"."""

    prompt: str | None = None
    changes: tuple[WordChange | KeyChange, ...] | None = None
    """Of the words of a picture that is there; no flag."""
    structure: Structure | None = None
    """The keys that the prompt and the negative prompt are joined of; no flag."""
    negative_prompt: str | None = None
    """``""`` (typed as ``--no ""``): none at all, not even the model's own."""
    steps: int | None = None
    guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    aspect: str | None = None
    """``3:2``, ``square``, ``portrait``, ``landscape``: the worker makes a size of it. Never together with a size."""
    seed: int | Literal["same", "random"] | None = None
    variation: Variation | None = None
    style: Styles | None = None
    """``()`` (typed as ``--style none``): none at all, whatever the room is used to."""
    model: str | None = None
    sampler: str | None = None
    clip_skip: int | None = None
    count: int | None = None
    sheet: bool | None = None
    """All of its pictures come as one contact sheet; false: each by itself, whatever the room is used to."""
    strength: float | None = None
    """How much of the init image changes."""
    hires: Hires | None = None
    upscale: int | None = None
    """The init image, so many times as large; no flag."""
    inpaint: bool | None = None
    """Only what is transparent in the init image changes."""
    control: Control | None = None
    """The picture is a ControlNet's input, and no init image then."""
    sweep: tuple[Axis, ...] | None = None
    """A picture for each value of a setting, or of two."""
    watch: bool | None = None
    """It is shown while it is drawn; false: it is not, whatever the room is used to."""
    film: bool | None = None
    """How it was drawn is shown as well, as an animation."""
    expand: bool | None = None
    """A language model writes the prompt around these words; false: it does not, whatever the room is used to."""
    explain: bool | None = None
    """Nothing is drawn: how the worker reads the prompt is said instead."""

    def asked(self) -> dict[str, Any]:
        """Only what was typed, with the worker's names; a seed, and a variation, only if its seed was a number."""
        typed = {name: value for name, value in vars(self).items() if value is not None and FIELDS[name].sent}
        sent = {name: FIELDS[name].kind.sent(value) for name, value in typed.items()}
        return {name: value for name, value in sent.items() if value is not None}


def untaken(command: str, options: DrawOptions) -> Iterator[Option]:
    """What was typed and a command does not take."""
    return (option for option in _UNTAKEN[command] if option.value(options) is not None)


def settings_of(data: Mapping[str, Any]) -> DrawOptions:
    """The options in a picture's record. Raises :class:`NeverTyped`. Unknown fields are ignored."""
    taken: dict[str, Any] = {}
    for option in OPTIONS:
        if option.recorded:
            taken |= option.read_record(data)
    return DrawOptions(**taken)
