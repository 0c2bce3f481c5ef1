"""Who describes pictures now: a language model that sees them, else the captioner."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ..chat import ChatBackend, ChatModel
from ..models import captioner
from ..models.catalogue import Catalogue
from ..schemas.draw_files import CaptionerFiles

CAPTIONER = "captioner"
"""What takes the place of a model's name where the captioner describes."""


@dataclass(frozen=True, kw_only=True)
class Describer:
    """At least one of both, or nothing here sees."""

    backend: ChatBackend | None = None
    model: str | None = None
    """A model of the backend's that sees pictures, or of which nobody says that it does not."""
    captioner: CaptionerFiles | None = None

    @property
    def name(self) -> str | None:
        return self.model or (CAPTIONER if self.captioner is not None else None)

    @property
    def needs_card(self) -> bool:
        """The captioner lives in the GPU process, which has a card or stands for one."""
        if self.backend is not None and self.model is not None:
            return self.backend.capabilities.needs_card
        return True


async def find(backend: ChatBackend | None, catalogue: Catalogue, blind: Collection[str] = ()) -> Describer:
    """Asks the backend what it has. ``blind``: models that were shown a picture and did not see it.

    :raises CannotLook: nobody can say whether there is a captioner
    """
    files = await asyncio.to_thread(catalogue.captioner)
    if backend is None:
        return Describer(captioner=files)
    chosen = await backend.for_turn()
    status = await chosen.status()
    model = None
    if status.reachable and chosen.capabilities.sees_pictures:
        model = seeing([one for one in status.models if one.name not in blind], status.default)
    return Describer(backend=chosen, model=model, captioner=files)


def seeing(models: Sequence[ChatModel], default: str | None) -> str | None:
    """The default model where it sees pictures, else the first that does; else the default where nobody knows."""
    usual = next((model for model in models if model.name == default), None)
    if usual is not None and usual.sees_pictures:
        return usual.name
    for model in models:
        if model.sees_pictures and not model.remote:
            return model.name
    return usual.name if usual is not None and usual.sees_pictures is None else None


MISSING = captioner.MISSING
