"""The model of a request: the requested one, else that of the first layer that names one, else the worker's default."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from ..models.catalogue import Catalogue, Look
from ..models.entries import ModelEntry
from ..models.user_files import shown
from ..schemas.requests import ImageRequest
from .refusal import Refused, problem

NEAR = 80
"""Characters of a typed name that are compared with model names."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    entry: ModelEntry
    notes: tuple[str, ...] = ()


def choose_model(request: ImageRequest, catalogue: Catalogue, default: str) -> Choice:
    """Choose the model. A layer's model that is gone is replaced by ``default``, with a note. A requested one may still
    lack its files.

    :raises Refused: :raises CannotLook:
    """
    look = catalogue.look()
    if request.model is not None:
        return Choice(entry=_named(request.model, look))
    set_here = next((layer.model for layer in request.layers if layer.model is not None), None)
    if set_here is None or set_here.casefold() == default.casefold():
        return Choice(entry=_named(default, look))
    name = _spelled(set_here, look)
    entry = look.entry(name)
    if entry is not None and name not in look.broken and catalogue.available(entry):
        return Choice(entry=entry)
    called = shown(set_here).replace("`", "'")
    note = f"The model set here, `{called}`, does not exist any more; the worker's default was taken instead."
    return Choice(entry=_named(default, look), notes=(note,))


def _named(typed: str, look: Look) -> ModelEntry:
    """:raises Refused: :raises CannotLook:"""
    name = _spelled(typed, look)
    entry, broken = look.entry(name), look.broken.get(name)
    if broken is not None:
        sentence = f"{name} cannot be used. {broken}"
        raise Refused([problem("model", "model_broken", sentence, model=name, problem=broken)])
    if entry is None:
        known = sorted(look.images)
        near = get_close_matches(typed[:NEAR].lower(), sorted({*known, *look.broken}), n=2, cutoff=0.5)
        sentence = f"No such model. There are: {', '.join(known)}."
        raise Refused([problem("model", "unknown_model", sentence, near=near)])
    return entry


def _spelled(typed: str, look: Look) -> str:
    """The catalogue's spelling of a name typed in any capitals."""
    names = {*look.images, *look.broken}
    if typed in names:
        return typed
    return next((name for name in sorted(names) if name.casefold() == typed.casefold()), typed)
