"""Models in the worker's catalogue, by the names that people type: what ``!model`` sets, and what is shown."""

from __future__ import annotations

from difflib import get_close_matches

from .. import texts
from ..worker.info import Model, Models
from .outcome import Unusable
from .room_settings import Chosen


def find_model(name: str, models: Models) -> Model | None:
    """The model of that name, however it is capitalized."""
    return next((model for model in models.models if model.name.casefold() == name.casefold()), None)


def check_model(name: str, models: Models, prefix: str) -> Model:
    """A model that can draw. Raises :class:`Unusable`."""
    model = find_model(name, models)
    if model is None:
        drawing = [known.name for known in models.models if known.kind == "image"]
        near = get_close_matches(name[:80].lower(), drawing, n=2, cutoff=0.5)
        raise Unusable(texts.unknown_model(name, near, prefix))
    if model.kind != "image":
        raise Unusable(texts.chat_model_cannot_draw(model.name, prefix))
    if model.problem is not None:
        raise Unusable(texts.model_broken(model.name, model.problem))
    if not model.available and not model.default:
        raise Unusable(texts.model_not_there(model.name, prefix))
    return model


def drawing_model(chosen: Chosen, models: Models | None) -> str | None:
    """The name of what draws, as far as it is known: a choice that is gone falls back to the worker's default."""
    if models is None:
        return chosen.name
    if chosen.name is not None and (model := find_model(chosen.name, models)) is not None:
        return model.name
    return next((model.name for model in models.models if model.default and model.kind == "image"), None)
