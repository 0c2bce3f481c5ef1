"""The default image model of a running worker. Found at the start; where slow files would delay the start, found
afterwards."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from ..config import BadConfig, Config
from ..gpu.probe import device_kind
from ..models.catalogue import SMALL_MODEL, START_SECONDS, Catalogue, Default

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0


def find(config: Config, catalogue: Catalogue, seconds: float) -> Default:
    """Looks into folders: not for the event loop. :raises BadConfig: the operator names one that is not there"""
    configured = None if config.images.default_model == "auto" else config.images.default_model
    if configured is not None and not catalogue.may_have(configured):
        names = ", ".join(sorted(catalogue.images))
        raise BadConfig(f"images.default_model: expected auto or one of {names}")
    return catalogue.find_default(device_kind(config.gpu.named[0]), configured=configured, seconds=seconds)


@dataclass
class DefaultModel:
    """The current default model, owned by the running worker."""

    found: Default
    search: asyncio.Task[Default] | None = None
    """The search begun at the start, where it did not finish in time."""

    async def settle(self, config: Config, catalogue: Catalogue) -> None:
        """Wait until every file that could be a better default is read, then choose."""
        if self.search is not None:
            self._take(await self.search)
        while not self.found.settled:
            await asyncio.sleep(AGAIN_SECONDS)
            self._take(await asyncio.to_thread(find, config, catalogue, AGAIN_SECONDS))

    def _take(self, found: Default) -> None:
        if found.name != self.found.name:
            log.info("another default model was found", extra={"model": found.name})
        self.found = found


async def start(config: Config, catalogue: Catalogue) -> DefaultModel:
    """Search for a moment only, since files and disks may be slow. A model that the operator names is checked in any
    case.

    :raises BadConfig:
    """
    if config.images.default_model != "auto":
        return DefaultModel(await asyncio.to_thread(find, config, catalogue, START_SECONDS))
    search = asyncio.create_task(asyncio.to_thread(find, config, catalogue, START_SECONDS), name="default model")
    done, _ = await asyncio.wait({search}, timeout=START_SECONDS)
    if done:
        return DefaultModel(search.result())
    return DefaultModel(Default(name=SMALL_MODEL, settled=False), search)
