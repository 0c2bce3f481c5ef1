"""The one table of what can be set in a room, in the order in which `!settings` lists it."""

from __future__ import annotations

from .. import texts
from ..config_checks import BATCHES
from ..language.reaction import OFFERED, read_offer
from . import style_setting
from .catalogue_names import drawing_model
from .chat_models import typed_chat_model
from .context import known_models
from .drawing_rows import DRAWING_ROWS
from .limit_rows import LIMIT_ROWS
from .model import show_or_set_model
from .outcome import Unusable
from .persona import show_or_set_persona
from .room_settings import (
    ALT,
    BATCH,
    CHAT_DRAWS,
    CHAT_MODEL,
    DESCRIBE,
    EXPAND,
    MODEL,
    OFF,
    OFFER,
    PERSONA,
    SAFE,
    STYLE,
    WATCH,
)
from .services import Services
from .setting import NOBODY, OPERATOR, Setting, Wanted, is_back, switch


async def _model(services: Services, room: str) -> str:
    chosen = await services.settings.model(room)
    return texts.model_or_default(drawing_model(chosen, await known_models(services)))


async def _chat_model(services: Services, room: str) -> str:
    return texts.model_or_default(await services.settings.chat_model(room))


async def _read_chat_model(services: Services, room: str, value: str) -> Wanted:
    name = value.strip("`\"'")
    if is_back(name):
        return Wanted(stored=None, said=texts.chat_model_unset(services.config.current.chat.model))
    found = await typed_chat_model(services, name)
    return Wanted(stored=found or name, said=texts.chat_model_set(found or name, checked=found is not None))


async def _persona(services: Services, room: str) -> str:
    own = await services.settings.persona(room)
    return texts.plain(own or services.config.current.chat.system_prompt, texts.SHORT)


async def _alt(services: Services, room: str) -> str:
    return DESCRIBE if await services.settings.described(room) else texts.on_or_off(False)


async def _read_alt(services: Services, room: str, value: str) -> Wanted:
    word = value.lower()
    if word in (DESCRIBE, "on", "yes"):
        return Wanted(stored=DESCRIBE, said=texts.ALT_ON)
    if word in ("off", "no") or is_back(word):
        return Wanted(stored=None, said=texts.ALT_OFF)
    raise Unusable(texts.alt_usage(services.config.current.prefix))


async def _batch(services: Services, room: str) -> str:
    return await services.settings.batch(room)


async def _read_batch(services: Services, room: str, value: str) -> Wanted:
    word = value.strip("`\"'").lower()
    if is_back(word):
        return Wanted(stored=None, said=texts.BATCH_SAID[services.config.current.draw.batch])
    if word not in BATCHES:
        raise Unusable(texts.batch_usage(services.config.current.prefix))
    return Wanted(stored=word, said=texts.BATCH_SAID[word])


async def _offer(services: Services, room: str) -> str:
    return texts.offered(await services.settings.offered(room))


async def _read_offer(services: Services, room: str, value: str) -> Wanted:
    if is_back(value):
        return Wanted(stored=None, said=texts.offer_set(services.config.current.reactions.offer))
    if value.lower() == OFF:
        return Wanted(stored=OFF, said=texts.offer_set(()))
    try:
        found = read_offer(value)
    except ValueError as unknown:
        raise Unusable(texts.offer_usage(str(unknown), OFFERED.values(), services.config.current.prefix)) from None
    return Wanted(stored=" ".join(found), said=texts.offer_set(found))


ROWS = (
    Setting(
        name=MODEL,
        title="Model",
        change="model NAME",
        current=_model,
        command=show_or_set_model,
        otherwise=lambda values: OPERATOR if values.model else NOBODY,
    ),
    Setting(
        name=STYLE,
        title="Style",
        change="settings style NAME",
        current=style_setting.current,
        read=style_setting.read,
        otherwise=lambda values: OPERATOR if values.draw.style else NOBODY,
    ),
    *DRAWING_ROWS,
    *LIMIT_ROWS,
    switch(
        SAFE,
        "Safe mode",
        default=lambda values: values.draw.safe,
        on=texts.SAFE_MODE_ON,
        off=texts.SAFE_MODE_OFF,
        current=lambda services, room: services.settings.safe(room),
        otherwise=lambda values: OPERATOR,
    ),
    switch(
        EXPAND,
        "Prompts written by a language model",
        default=lambda values: values.draw.expand,
        on=texts.EXPAND_ON,
        off=texts.EXPAND_OFF,
        otherwise=lambda values: OPERATOR,
    ),
    Setting(
        name=BATCH,
        title="Several pictures of one request",
        change="settings batch auto|sheet|separate",
        current=_batch,
        read=_read_batch,
        otherwise=lambda values: OPERATOR,
    ),
    switch(
        WATCH,
        "Shown while they are drawn",
        default=lambda values: values.draw.watch,
        on=texts.WATCH_ON,
        off=texts.WATCH_OFF,
        otherwise=lambda values: OPERATOR,
    ),
    Setting(
        name=OFFER,
        title="Offered under a picture",
        change="settings offer 🔁 🎲",
        current=_offer,
        read=_read_offer,
        otherwise=lambda values: OPERATOR,
    ),
    Setting(name=ALT, title="Alt text", change="settings alt describe|off", current=_alt, read=_read_alt),
    Setting(
        name=CHAT_MODEL,
        title="Chat model",
        change="settings chat NAME",
        current=_chat_model,
        read=_read_chat_model,
        otherwise=lambda values: OPERATOR if values.chat.model else NOBODY,
    ),
    Setting(
        name=PERSONA,
        title="Persona",
        change="persona TEXT",
        current=_persona,
        command=show_or_set_persona,
        otherwise=lambda values: OPERATOR,
    ),
    switch(
        CHAT_DRAWS,
        "Pictures that the language model asks for",
        default=lambda _: False,
        on=texts.CHAT_DRAWS_ON,
        off=texts.CHAT_DRAWS_OFF,
    ),
)
BY_NAME = {row.name: row for row in ROWS}
