"""The setting ``style`` of a room: what its pictures look like where nobody says it."""

from __future__ import annotations

from .. import texts
from ..errors import WorkerUnauthorized
from ..language.option_kinds import BadValue
from ..language.style_values import StylesOf
from .known_styles import known_styles, unknown
from .outcome import Unusable
from .services import Services
from .setting import Wanted, is_back

_STYLES = StylesOf()


async def current(services: Services, room: str) -> str:
    return texts.usual_styles(await services.settings.usual_styles(room))


async def read(services: Services, room: str, value: str) -> Wanted:
    """Raises :class:`~.outcome.Unusable`."""
    values = services.config.current
    if is_back(value):
        return Wanted(stored=None, said=texts.style_unset(", ".join(values.draw.style)))
    try:
        wanted = _STYLES.typed("none" if value.lower() == "off" else value.strip("`\"'"))
    except BadValue:
        raise Unusable(texts.style_setting_usage(values.prefix)) from None
    try:
        known = await known_styles(services, room)
    except WorkerUnauthorized:
        raise Unusable(texts.WORKER_REFUSES_TOKEN) from None
    if known.old and wanted:
        raise Unusable(texts.STYLES_OLD)
    if (name := unknown(wanted, known)) is not None:
        raise Unusable(texts.unknown_style(name, known.near(name), values.prefix))
    proper = [style.name if (found := known.find(style.name)) is None else found.name for style in wanted]
    checked = all(known.find(style.name) is not None for style in wanted)
    return Wanted(stored=",".join(proper) or "none", said=texts.style_set(proper, checked=checked))
