"""Models and samplers in the worker's catalogue, by the names that people type."""

from __future__ import annotations

import re
from difflib import get_close_matches

from .. import texts
from ..worker.info import Model, Models
from .context import Circumstances
from .outcome import Unusable
from .room_settings import Chosen

_FILLER = re.compile(r"[\s_.-]+")
_SAMPLER_NAMES = {"plms": "pndm", "eulerdiscrete": "euler", "unipcmultistep": "unipc"}


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


def choose_model(typed: str | None, around: Circumstances, said: list[str]) -> tuple[Model | None, str | None]:
    """What draws, and its name: what was typed, else the room's or the instance's, else the worker's default.

    Where that is another one than was chosen, it is ``said``. Raises :class:`Unusable`.
    """
    models, prefix = around.models, around.values.prefix
    if models is None:
        return None, typed or around.chosen.name
    if typed is not None:
        model = check_model(typed, models, prefix)
        return model, model.name
    if around.chosen.name is not None:
        chosen = find_model(around.chosen.name, models)
        if chosen is not None and chosen.kind == "image" and (chosen.available or chosen.default):
            return chosen, chosen.name
        said.append(texts.room_model_gone(around.chosen.name))
    default = next((model for model in models.models if model.default and model.kind == "image"), None)
    return default, default.name if default is not None else None


def drawing_model(chosen: Chosen, models: Models | None) -> str | None:
    """The name of what draws, as far as it is known: a choice that is gone falls back to the worker's default."""
    if models is None:
        return chosen.name
    if chosen.name is not None and (model := find_model(chosen.name, models)) is not None:
        return model.name
    return next((model.name for model in models.models if model.default and model.kind == "image"), None)


def sampler_name(name: str | None, models: Models | None) -> str | None:
    """The worker's own spelling of it. Raises :class:`Unusable`."""
    if name is None or models is None or not models.samplers:
        return name
    known = {_sampler_key(sampler): sampler for sampler in models.samplers}
    key = _sampler_key(name).replace("ancestral", "a")
    key = _SAMPLER_NAMES.get(key, key)
    if key in known:
        return known[key]
    near = get_close_matches(key[:40], known, n=2, cutoff=0.6)
    raise Unusable(texts.unknown_sampler(name, [known[one] for one in near], models.samplers))


def takes(model: Model | None, sampler: str | None, models: Models | None) -> bool:
    """Whether a model takes that sampler, as far as the worker says. Raises :class:`Unusable`: nobody knows it."""
    if sampler is None or model is None or not model.samplers:
        return sampler is not None
    return sampler_name(sampler, models) in model.samplers


def _sampler_key(name: str) -> str:
    return _FILLER.sub("", name.casefold()).replace("pp", "++").removesuffix("scheduler")
