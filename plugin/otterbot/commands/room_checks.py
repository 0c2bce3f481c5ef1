"""Whether a room's model takes what is set there: the worker says so, as of a request that somebody types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import texts
from ..errors import FieldProblem, WorkerError, WorkerRefused
from ..worker.info import Checked
from .outcome import Unusable
from .room_settings import Chosen
from .services import Services

SET_BY = {"width": "size", "height": "size", "steps": "steps", "guidance_scale": "cfg"}
"""Which setting a field of a request comes from."""
Rejected = Mapping[str, FieldProblem]
"""By the name of the setting."""


async def looked_at(
    services: Services, chosen: Chosen, fields: Mapping[str, Any], *, others: Sequence[Mapping[str, Any]] = ()
) -> Checked | Rejected | None:
    """What becomes of ``fields`` with that model, or which of them it does not take; ``None``: nobody can say, as the
    worker is away, or too old to be asked."""
    model = {"layer": "room", "model": chosen.name} if chosen.name is not None else None
    body = {
        "prompt": "otter",
        "seed": 0,
        "layers": [*([model] if model is not None else []), *others],
        "most": {"steps": services.config.current.limits.steps},
        **fields,
    }
    try:
        return await services.worker.check(body)
    except WorkerRefused as refusal:
        found = {
            SET_BY[name]: problem
            for problem in refusal.fields
            if (name := problem.field.removeprefix("request.")) in SET_BY and name in fields
        }
        return found or None  # else it is something else that is wrong, as a model without files
    except WorkerError:
        return None


async def checked(services: Services, room: str, fields: Mapping[str, Any]) -> Checked | None:
    """The same of the room's model. Raises :class:`~.outcome.Unusable` with the worker's words."""
    found = await looked_at(services, await services.settings.model(room), fields)
    if isinstance(found, Checked) or found is None:
        return found
    refusal = WorkerRefused(422, "invalid_request", fields=tuple(found.values()))
    raise Unusable(texts.refused(refusal, texts.Asked(prefix=services.config.current.prefix)))


async def left_out(services: Services, room: str, chosen: Chosen) -> list[str]:
    """The settings of the room that another model does not take."""
    defaults = await services.settings.defaults(room)
    if not (fields := defaults.typed()):
        return []
    found = await looked_at(services, chosen, fields)
    if found is None:
        return []
    if isinstance(found, Checked):
        return ["size"] if defaults.size not in (None, (found.width, found.height)) else []
    return [name for name in dict.fromkeys(SET_BY.values()) if name in found]
