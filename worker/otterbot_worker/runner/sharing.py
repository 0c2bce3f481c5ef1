"""Whether an image model and a language model stay on the card together: asked before either one comes, by measure.

Beside a picture: what is free is measured by the GPU process itself, which gives the picture back (``errors.CROWDED``)
where it would be drawn otherwise without company. Beside a turn: what the language model took when it was last measured
has to be free, as the driver says, with the margin that its backend keeps. Whatever cannot be asked or measured is no
reason to stay: then they take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..chat import ChatBackend
from ..chat.card_use import CardModels, CardUse, Loaded, Wanted
from ..chat.records import Phase
from ..errors import JobFailed
from ..gpu import driver
from ..gpu.process import GpuProcess
from ..memory.peaks import Peak
from .sharing_store import SharingStore

START_BYTES = 1_000_000_000
"""Free beside a language model before a GPU process is started there: so much it may take before its first picture."""


class Apart(Exception):
    """They take turns this time. The message says why, as a sentence."""

    def __init__(self, why: str, *, split: bool = False) -> None:
        super().__init__(why)
        self.split = split
        """Some of the language model's layers are left to the processor. It is loaded anew when the card is empty."""


@dataclass(frozen=True, kw_only=True)
class Company:
    """The language models that stay while a picture is drawn."""

    models: tuple[CardUse, ...] = ()

    @property
    def on_card(self) -> int:
        """Bytes."""
        return sum(model.on_card for model in self.models)

    @property
    def keys(self) -> list[str]:
        return [model.key for model in self.models]

    @property
    def names(self) -> str:
        return " and ".join(model.name for model in self.models)


class Sharing:
    """Owned by the lease. ``reserve``: bytes of the card that are left to others."""

    def __init__(
        self, gpu: GpuProcess, backend: ChatBackend, models: CardModels, store: SharingStore, *, reserve: int
    ) -> None:
        self._gpu = gpu
        self._backend = backend
        self._models = models
        self._store = store
        self._reserve = reserve

    # ------------------------------------------------------------ before and after a picture

    async def beside_picture(self, image: str) -> Company:
        """Those that may stay while ``image`` draws, as far as it can be told before the GPU process looks.

        :raises Apart:
        """
        found = await self.loaded()
        if found.loading:
            raise Apart("A language model was being loaded when a picture came.")
        company = Company(models=tuple(model for model in found.models if model.on_card > 0))
        if not company.models:
            return company
        free = self.free()
        if await self._store.apart(image, company.keys):
            raise Apart(_did_not_fit(image, company.names))
        if self._gpu.pid is None and free < START_BYTES:
            raise Apart(f"Only {_gib(free)} of the card were free beside {company.names}.")
        return company

    async def did_not_fit(self, image: str, company: Company) -> None:
        """Memory ran out in a picture beside them. Where others have come meanwhile, those may be to blame."""
        try:
            now = {model.key for model in (await self.loaded()).models if model.on_card > 0}
        except Apart:
            now = set()
        if now <= set(company.keys):
            await self._store.part(image, company.keys)

    async def peaks(self, image: str) -> tuple[Peak, ...]:
        return await self._store.peaks(image)

    async def drew(self, image: str, peak: Peak | None) -> None:
        await self._store.add_peak(image, peak)

    # ------------------------------------------------------------ before and after a turn

    async def beside_turn(self, image: str, model: str | None) -> Wanted:
        """The model of a turn with ``model``, where it fits beside ``image``, which stays. :raises Apart:"""
        try:
            wanted = await self._models.wanted(model)
        except JobFailed:
            raise self._not_asked() from None
        if wanted.elsewhere:
            return wanted
        if wanted.loading:
            raise Apart("A language model was being loaded when a turn came.")
        if await self._store.apart(image, [wanted.key]):
            raise Apart(_did_not_fit(image, wanted.name))
        if wanted.loaded is not None:
            if wanted.loaded.split:
                raise await self._split(image, [wanted.key, wanted.loaded.key], wanted.loaded)
            return wanted
        await self._check_room(image, wanted)
        return wanted

    async def _check_room(self, image: str, wanted: Wanted) -> None:
        """:raises Apart:"""
        self.free()  # where it cannot be measured, nothing has to be given back for it
        measured = await self._store.size(wanted.key)
        needed = wanted.estimate if measured is None else measured
        await self._gpu.trim()
        if self._gpu.info.resident is None:
            raise Apart("The GPU process did not answer.")
        free = self.free() + wanted.replaces
        margin = max(wanted.margin, self._reserve) if needed else 0
        if needed + margin > free:
            about = "" if measured is not None else "about "
            raise Apart(
                f"{wanted.name} needs {about}{_gib(needed)} and {_gib(margin)} to spare, and {_gib(free)} were free "
                f"beside {image}."
            )

    async def load(self, image: str, model: str | None, on_phase: Callable[[Phase], None]) -> None:
        """Loads the model of a turn beside ``image``. :raises Apart: it does not fit :raises JobFailed:"""
        wanted = await self._models.wanted(model)
        try:
            got = await self._models.load(model, on_phase)
        except JobFailed as failed:
            if failed.details.get("reason") != "out_of_memory":
                raise
            await self._store.part(image, [wanted.key])
            raise Apart(_did_not_fit(image, wanted.name)) from None
        if got is None:
            return
        measured = await self._store.size(wanted.key)
        if got.split or (got.on_card == 0 and measured):
            raise await self._split(image, [wanted.key, got.key], got)
        await self._store.measured(wanted.key, got.on_card)

    async def _split(self, image: str, keys: list[str], model: CardUse) -> Apart:
        await self._store.part(image, keys)
        share = min(99, round(100 * model.on_card / model.size))
        return Apart(f"Only {share} % of {model.name} fit on the card beside {image}.", split=True)

    async def chatted(self, image: str | None, model: str) -> None:
        """After a turn: what its model takes is measured. ``image`` is on the card as well."""
        try:
            wanted = await self._models.wanted(model)
        except JobFailed:
            return
        if (found := wanted.loaded) is None:
            return
        await self._store.measured(wanted.key, found.size if found.split else found.on_card)
        if found.split and image is not None:
            await self._store.part(image, [wanted.key, found.key])

    # ------------------------------------------------------------ asking

    async def loaded(self) -> Loaded:
        """:raises Apart: nobody can say"""
        try:
            return await self._models.loaded()
        except JobFailed:
            raise self._not_asked() from None

    def free(self) -> int:
        """Bytes of the card that nobody has now. :raises Apart: it cannot be measured"""
        info = self._gpu.info
        try:
            return driver.the_card(info.device, info.total_bytes).free
        except driver.Unmeasured as why:
            raise Apart(str(why)) from None

    def _not_asked(self) -> Apart:
        return Apart(f"{self._backend.name} could not be asked what it has on the card.")


def crowded(image: str, company: Company, needed: int | None, free: int | None) -> str:
    """Why a picture wanted the card alone, as a sentence."""
    if needed is None or free is None:
        return _did_not_fit(image, company.names)
    return f"The last picture of {image} needs {_gib(needed)}, and {_gib(free)} were free beside {company.names}."


def _did_not_fit(image: str, names: str) -> str:
    return f"{image} and {names} did not fit on the card together."


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
