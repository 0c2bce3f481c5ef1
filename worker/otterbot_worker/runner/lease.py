"""Who has the card: nobody, the image model, the language model, or both where they fit together.

Two servers that know nothing of each other share it, so the worker asks one to leave before it lets the other in, and
believes neither its list nor its answer alone, but looks at the memory too. Whether one has to leave at all, `sharing`
says; without it (``gpu.lease: exclusive``), always.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..chat import ChatBackend
from ..chat.records import Phase
from ..gpu import driver
from ..gpu.probe import device_kind
from ..gpu.process import GpuProcess
from ..memory.peaks import Peak
from .sharing import Apart, Company, Sharing
from .unbroken import unbroken

log = logging.getLogger(__name__)

UNLOAD_SECONDS = 10.0
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 4.0
MEMORY_SECONDS = 12.0
STEADY_BYTES = 64 * 1024 * 1024
TWICE = "The chat model was therefore loaded twice, and from now on the two take turns."


Side = Literal["images", "chat"]
Swapped = Callable[[Side, float], None]
"""Who gets the card, and how many seconds it took until the other side had left."""


class CardTaken(Exception):
    """The other side did not leave; the message is a sentence for the operator."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was decided last: whether both may stay, and why not."""

    together: bool
    why: str | None = None


class Card:
    """Used by the dispatcher alone, for one row at a time."""

    def __init__(
        self,
        gpu: GpuProcess,
        chat: ChatBackend | None,
        sharing: Sharing | None = None,
        swapped: Swapped = lambda to, seconds: None,
    ) -> None:
        """``swapped``: told when one side has left the card for the other."""
        self._gpu = gpu
        self._swapped = swapped
        self._chat = chat if chat is not None and chat.capabilities.needs_card else None
        """The other one on the card; a backend that needs none has nothing to leave."""
        self.sharing = sharing if self._chat is not None else None
        self.holder: Literal["images", "chat", "both"] | None = None
        self.terms: Terms | None = None
        """``None`` until there was something to decide."""

    @property
    def device(self) -> str:
        """As the GPU process says, before its first word as the settings do."""
        return self._gpu.info.device

    @property
    def resident(self) -> str | None:
        """The image model that is loaded."""
        return self._gpu.info.resident if self.holder in ("images", "both") else None

    @property
    def on_cuda(self) -> bool:
        """As the GPU process said; a card that has not been looked at is not shared yet."""
        return self._gpu.info.device.startswith("cuda")

    @property
    def contested(self) -> bool:
        """Whether there is a card, and a language model that may want it."""
        return self._chat is not None and device_kind(self._gpu.info.device) == "cuda"

    # ------------------------------------------------------------ pictures

    async def for_images(self, image: str) -> Company:
        """Makes language models leave the card unless ``image`` may fit beside them, and starts the GPU process where
        there is none. Returns those that stay.

        In this order, since the process takes some of the card as soon as it is there. Only it knows what device it
        has, so before the first one that is guessed.

        :raises ProcessDied: the process did not start
        :raises CardTaken: the language model stays
        """
        expected = device_kind(self._gpu.info.device) == "cuda"
        company = await self._company(image) if expected else Company()
        await self._gpu.start()
        if self.on_cuda and not expected:
            await self._clear()
        if company.models and not self._measurable():
            await self._clear()
            company = Company()
        self.holder = "both" if company.models else "images"
        return company

    async def _company(self, image: str) -> Company:
        """Those that stay; else all have left. :raises CardTaken:"""
        if self.sharing is not None:
            try:
                return await self.sharing.beside_picture(image)
            except Apart as apart:
                self._agree(Terms(together=False, why=str(apart)))
        await self._clear()
        return Company()

    def _measurable(self) -> bool:
        """Whether the card can be measured that the process has found."""
        try:
            return self.sharing is not None and self.sharing.free() >= 0
        except Apart as apart:
            self._agree(Terms(together=False, why=str(apart)))
            return False

    async def peaks(self, image: str) -> tuple[Peak, ...]:
        """What pictures of that model took of the card."""
        return () if self.sharing is None else await self.sharing.peaks(image)

    async def drew(self, image: str, company: Company, peak: Peak | None) -> None:
        """A picture was drawn beside them."""
        if self.sharing is not None:
            if company.models:
                self._agree(Terms(together=True))
            await self.sharing.drew(image, peak)

    async def alone(self, image: str, company: Company, why: str, *, spent: bool) -> None:
        """A picture wants the card to itself: language models leave. ``spent``: it had begun beside them, and memory
        ran out; they are not tried together again. :raises CardTaken:"""
        if spent:
            await self.parted(image, company)
        self._agree(Terms(together=False, why=why))
        await self._clear()
        self.holder = "images"

    async def parted(self, image: str, company: Company) -> None:
        """A picture, or the whole GPU process, failed beside them for want of memory, or may have."""
        if self.sharing is not None and company.models:
            await self.sharing.did_not_fit(image, company)

    async def _clear(self) -> None:
        """Language models leave, whoever loaded them. :raises CardTaken:"""
        if self._chat is None:
            return
        before, started = driver.free_memory(), time.monotonic()
        name = self._chat.name
        left = await self._chat.unload(UNLOAD_SECONDS)
        if not left.gone:
            raise CardTaken(f"{name} does not free the card; it does at the latest when its keep_alive is over.")
        if left.nameless:
            # Deleted or replaced while it was loaded: nobody can unload it, so the picture is planned beside it.
            log.warning("%s keeps a model on the card that has no name any more", name, extra={"bytes": left.nameless})
        if left.on_card > 0 or left.load_stopped:
            await _memory_returns(before, left.on_card)
            self._swapped("images", time.monotonic() - started)

    # ------------------------------------------------------------ turns

    async def for_chat(self, model: str | None) -> bool:
        """Takes the image model off the card, for a chat backend that needs it, unless the language model of a turn
        with ``model`` fits beside it. ``True``: it does, and has to be loaded (`load_beside`)."""
        image, split = self._gpu.info.resident, False
        if self.on_cuda and self._gpu.pid is not None:
            if self.sharing is not None and image is not None:
                try:
                    wanted = await self.sharing.beside_turn(image, model)
                except Apart as apart:
                    self._agree(Terms(together=False, why=str(apart)))
                    split = apart.split
                else:
                    self._agree(Terms(together=True))
                    self.holder = "both"
                    return wanted.loaded is None and not wanted.elsewhere
            await self._make_room(unload=split)
        self.holder = "chat"
        return False

    async def load_beside(self, model: str | None, on_phase: Callable[[Phase], None]) -> list[str]:
        """Loads the turn's model beside the image model; where it does not fit after all, that one leaves, and the
        turn loads its model anew. Notes for people. :raises JobFailed:"""
        image = self.resident
        if self.sharing is None or image is None:
            return []
        try:
            await self.sharing.load(image, model, on_phase)
        except Apart as apart:
            self._agree(Terms(together=False, why=str(apart)))
            await unbroken(self._make_room(unload=True))
            self.holder = "chat"
            return [f"{apart} {TWICE}"]
        return []

    async def _make_room(self, *, unload: bool) -> None:
        """The image model leaves; ``unload``: language models as well, to be loaded with the card empty."""
        held, started = self._gpu.info.resident is not None, time.monotonic()
        await self._gpu.release()
        if held:
            self._swapped("chat", time.monotonic() - started)
        if unload and self._chat is not None and not (await self._chat.unload(UNLOAD_SECONDS)).gone:
            log.warning("%s keeps a model of which some layers are not on the card", self._chat.name)

    async def chatted(self, model: str) -> None:
        """After a turn with that model: it is measured."""
        if self.sharing is not None and self.on_cuda:
            await self.sharing.chatted(self.resident, model)

    # ------------------------------------------------------------ nobody

    async def unload(self) -> None:
        """Ends the GPU process: card and memory are free, and the chat backend keeps what it has."""
        await self._gpu.stop()
        if self.holder in ("images", "both"):
            self.holder = "chat" if self.holder == "both" else None

    async def free(self) -> None:
        """Takes everything off the card, the GPU process too. Never raises for the chat backend's sake."""
        await self._gpu.stop()
        if self._chat is not None and (self.on_cuda or self.holder in ("chat", "both")):
            try:
                if not (await self._chat.unload(UNLOAD_SECONDS)).gone:
                    log.warning("%s keeps a model on the card until its keep_alive is over", self._chat.name)
            except Exception:
                log.warning("%s could not be asked to free the card", self._chat.name, exc_info=True)
        self.holder = None

    def _agree(self, terms: Terms) -> None:
        if terms != self.terms:
            log.info("the card is shared" if terms.together else "the card is not shared", extra={"why": terms.why})
        self.terms = terms


async def _memory_returns(before: int | None, expected: int) -> None:
    """Waits until the cards have the memory back that language models had: it comes seconds after an unload, and not
    at once. Where less comes than half of it (somebody else took it, or the backend has another machine) it is believed
    after ``PATIENCE_SECONDS``; where it still comes, after ``MEMORY_SECONDS``."""
    if before is None:
        return
    loop = asyncio.get_running_loop()
    started, last = loop.time(), before
    while (waited := loop.time() - started) < MEMORY_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        now = driver.free_memory()
        if now is None:
            return
        steady = now - last < STEADY_BYTES
        if steady and (now - before >= expected // 2 or waited >= PATIENCE_SECONDS):
            return
        last = now
