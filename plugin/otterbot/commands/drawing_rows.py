"""Settings of a room about its pictures: size, steps, CFG, negative prompt.

Typed values are read by the option table's own kinds, so that bounds stand once; whether the room's model takes one,
the worker says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import texts
from ..config import Values
from ..language.option_table import FLAGS
from ..language.problems import Refused
from ..worker.info import ModelDefaults
from .catalogue_names import drawing_model
from .context import known_models
from .outcome import Unusable
from .room_checks import checked
from .room_defaults import CFG_SET, NEGATIVE, SIZE, STEPS_SET, RoomDefaults
from .services import Services
from .setting import MODEL_ITSELF, OPERATOR, Setting, Wanted, is_back

_NONE_AT_ALL = frozenset({'""', "''", "“”", "„“", "«»", "none", "nothing", "off"})


async def models_own(services: Services, room: str) -> ModelDefaults | None:
    """The defaults of the model that draws in the room, as far as they are known."""
    models = await known_models(services)
    name = drawing_model(await services.settings.model(room), models)
    return next((model.defaults for model in (models.models if models else ()) if model.name == name), None)


def _numbers(
    name: str,
    title: str,
    *,
    room: Callable[[RoomDefaults], Any],
    operator: Callable[[Values], Any],
    model: Callable[[ModelDefaults], Any],
) -> Setting:
    """One that a flag of the same name sets for one picture."""
    option = FLAGS[name]

    async def current(services: Services, where: str) -> str:
        value = room(await services.settings.defaults(where))
        if value is None:
            value = operator(services.config.current)
        if value is None and (own := await models_own(services, where)) is not None:
            value = model(own)
        return texts.MODELS_OWN if value is None else option.kind.said(value)

    async def read(services: Services, where: str, text: str) -> Wanted:
        prefix = services.config.current.prefix
        if is_back(text):
            return Wanted(stored=None, said=texts.setting_back(title))
        try:
            fields = option.read(text)
        except Refused:
            raise Unusable(texts.setting_wants(name, prefix)) from None
        found = await checked(services, where, fields)
        value = option.kind.typed(text)
        notes: tuple[str, ...] = ()
        if found is not None and name == SIZE and (found.width, found.height) != value:
            value, notes = (found.width, found.height), found.notes  # rounded to what the model draws
        said = texts.setting_set(title, option.kind.said(value), looked=found is not None, notes=notes)
        return Wanted(stored=option.kind.written(value), said=said)

    return Setting(
        name=name,
        title=title,
        change=f"settings {option.example.removeprefix('--')}",
        current=current,
        read=read,
        otherwise=lambda values: MODEL_ITSELF if operator(values) is None else OPERATOR,
    )


async def _negative(services: Services, room: str) -> str:
    own, operator = (await services.settings.defaults(room)).negative, services.config.current.draw.negative_prompt
    value = operator if own is None else own
    if value is None and (model := await models_own(services, room)) is not None:
        value = model.negative_prompt
    return texts.MODELS_OWN if value is None else texts.plain(value, texts.SHORT) or texts.NOTHING


async def _all_of_it(services: Services, room: str, sender: str) -> str:
    """A negative prompt is longer than its line."""
    own = (await services.settings.defaults(room)).negative
    return texts.plain(own, texts.MAX_CAPTION) if own is not None and len(own) > texts.SHORT else ""


async def _read_negative(services: Services, room: str, text: str) -> Wanted:
    if is_back(text):
        return Wanted(stored=None, said=texts.setting_back("The negative prompt"))
    words = "" if text.lower() in _NONE_AT_ALL else text
    most = services.config.current.limits.prompt_length
    if len(words) > most:
        raise Unusable(texts.setting_too_long(len(words), most))
    return Wanted(stored=words, said=texts.negative_set(words))


DRAWING_ROWS = (
    _numbers(
        SIZE,
        "Size of pictures",
        room=lambda room: room.size,
        operator=lambda values: values.draw.size,
        model=lambda own: (own.width, own.height),
    ),
    _numbers(
        STEPS_SET,
        "Steps",
        room=lambda room: room.steps,
        operator=lambda values: values.draw.steps,
        model=lambda own: own.steps,
    ),
    _numbers(
        CFG_SET,
        "CFG",
        room=lambda room: room.cfg,
        operator=lambda values: values.draw.cfg,
        model=lambda own: own.guidance_scale,
    ),
    Setting(
        name=NEGATIVE,
        title="Negative prompt",
        change="settings negative WORDS",
        current=_negative,
        read=_read_negative,
        otherwise=lambda values: MODEL_ITSELF if values.draw.negative_prompt is None else OPERATOR,
        more=_all_of_it,
    ),
)
