"""Sentences for requests that the worker refuses: our own where they can tell what to type instead, else the
worker's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from .. import numeric
from . import catalogue, drawing, styles, sweeps
from .escape import code
from .jobs import plain_sentence
from .swept_values import named_values, swept_values

if TYPE_CHECKING:
    from ..errors import FieldProblem, WorkerRefused

T = TypeVar("T")
MOST_SENTENCES = 3
_NUMBER = re.compile(r"\.\d+(?=\.|\Z)")
"""Within a field: which one of several."""

_REFUSALS = {
    "queue_full": "The queue is full. Please try again in a few minutes.",
    "owner_queue_full": "You have many requests waiting already. Please let some of them finish, or cancel some.",
    "disk_full": "The worker's disk is full, so I cannot draw. The operator has to make room.",
    "unknown_model": "The worker does not know that model.",
    "input_gone": "The worker does not keep the picture to start from. Please try again later.",
    "too_large": "That is too long for the worker. Please send less.",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The requested values that refusals mention. ``None``: not named."""

    model: str | None = None
    sampler: str | None = None
    styles: Sequence[str] = ()
    """Their names, in order."""
    chat_models: Collection[str] = ()
    """Models that talk and do not draw."""
    prefix: str = "!"
    sweep: Sequence[Mapping[str, Any]] = ()
    """The axes that were asked for."""


def refused(refusal: WorkerRefused, asked: Asked | None = None) -> str:
    """A refused request: one sentence per reason, at most three."""
    said = [_said(problem, asked or Asked()) for problem in refusal.fields if problem.message][:MOST_SENTENCES]
    if said:
        return "❌ " + " ".join(dict.fromkeys(said))
    sentence = _REFUSALS.get(refusal.code)
    return f"❌ {sentence or 'The worker refused that. The operator finds the reason in its log.'}"


def _said(problem: FieldProblem, asked: Asked) -> str:
    if problem.code == "extra_forbidden":
        setting = code(problem.field.rpartition(".")[2], 40)
        return f"The worker is too old for the setting {setting}; the operator can update it."
    if (fields := _fields(problem)) and asked.sweep:
        return _said_of_fields(problem, fields, asked)
    words = _WORDS.get((_NUMBER.sub("", problem.field.removeprefix("request.")), problem.code))
    try:
        return plain_sentence(problem.message) if words is None else words(_Details(values=problem.details), asked)
    except LookupError:  # an older worker, which tells less
        return plain_sentence(problem.message)


def _fields(problem: FieldProblem) -> list[str]:
    """Which pictures of a sweep it is about; ``[]``: all of them."""
    named = problem.details.get("pictures")
    return [one for one in named if isinstance(one, str)] if isinstance(named, list) else []


def _said_of_fields(problem: FieldProblem, fields: Sequence[str], asked: Asked) -> str:
    """The sentence, behind the values that it is about."""
    values = swept_values(asked.sweep, fields)
    details = {name: value for name, value in problem.details.items() if name != "pictures"}
    of_them = replace(problem, details=details, message=problem.message.partition(": ")[2] or problem.message)
    model, sampler = (next(iter(values.get(name, ())), getattr(asked, name)) for name in ("model", "sampler"))
    said = _said(of_them, replace(asked, model=model, sampler=sampler))
    return f"{named_values(values)}: {said}" if values else said


@dataclass(frozen=True, kw_only=True)
class _Details:
    """Accessors for the worker's details of a problem. Each raises ``LookupError`` where one is missing."""

    values: Mapping[str, Any] = field(default_factory=dict)

    def number(self, name: str) -> float:
        return _there(numeric.number(self.values.get(name)))

    def whole(self, name: str) -> int:
        return _there(numeric.whole(self.values.get(name)))

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return _there(value if isinstance(value, str) else None)

    def names(self, name: str) -> list[str]:
        value = self.values.get(name)
        return [one for one in _there(value if isinstance(value, list) else None) if isinstance(one, str)]


def _there(value: T | None) -> T:
    if value is None:
        raise LookupError
    return value


def _at(names: Sequence[str], number: int) -> str:
    return _there(names[number] if 0 <= number < len(names) else None)


def _unknown_model(told: _Details, asked: Asked) -> str:
    name = _there(asked.model)
    chat = next((one for one in asked.chat_models if one.casefold() == name.casefold()), None)
    if chat is not None:
        return catalogue.chat_model_cannot_draw(chat, asked.prefix)
    return catalogue.unknown_model(name, told.names("near"), asked.prefix)


def _too_few_steps(told: _Details, asked: Asked) -> str:
    allowed = told.whole("most") if "most" in told.values else None
    return drawing.too_few_steps(told.whole("least"), told.text("model"), allowed)


def _words_missing(told: _Details, asked: Asked) -> str:
    words = next((axis["values"][0] for axis in asked.sweep if axis.get("field") == "words"), None)
    return sweeps.sweep_words_missing(str(_there(words)), asked.prefix)


_WORDS: Mapping[tuple[str, str], Callable[[_Details, Asked], str]] = {
    ("model", "unknown_model"): _unknown_model,
    ("model", "model_broken"): lambda told, asked: catalogue.model_broken(told.text("model"), told.text("problem")),
    ("model", "model_missing"): lambda told, asked: catalogue.model_not_there(told.text("model"), asked.prefix),
    ("steps", "too_few"): _too_few_steps,
    ("steps", "too_many"): lambda told, asked: drawing.too_many_steps(told.whole("most"), told.text("model")),
    ("steps", "not_allowed"): lambda told, asked: drawing.too_many_steps(told.whole("most"), None),
    ("guidance_scale", "too_large"): lambda told, asked: drawing.cfg_too_high(told.number("most"), told.text("model")),
    ("sweep.values", "words_missing"): _words_missing,
    ("sampler", "unknown_sampler"): lambda told, asked: drawing.unknown_sampler(
        _there(asked.sampler), told.names("near"), told.names("known")
    ),
    ("style", "unknown_style"): lambda told, asked: styles.unknown_style(
        _at(asked.styles, told.whole("number")), told.names("near"), asked.prefix
    ),
    ("style", "too_long"): lambda told, asked: styles.styles_too_long(told.whole("most")),
    ("width", "bad_size"): lambda told, asked: _size_out_of_bounds(told),
    ("height", "bad_size"): lambda told, asked: _size_out_of_bounds(told),
    ("width", "too_large"): lambda told, asked: drawing.too_many_pixels(
        told.text("model"), told.whole("width"), told.whole("height")
    ),
}
"""By field and code."""


def _size_out_of_bounds(told: _Details) -> str:
    near = told.whole("width"), told.whole("height")
    return drawing.size_out_of_bounds(told.text("model"), told.whole("least"), told.whole("most"), *near)
