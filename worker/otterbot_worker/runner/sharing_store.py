"""What was measured of models on the card, kept over restarts: what each takes, and which pairs do not fit together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..memory import peaks
from ..memory.oom_history import KEPT_SECONDS
from ..memory.peaks import Peak
from ..queue.disk import forgone
from ..queue.store import Store

SHARING = "sharing"
MOST = 64
"""Language models, and pairs; those that were measured longest ago are forgotten first."""


class SharingStore:
    """In the database; read once. A pair that did not fit is forgotten after a week, as a plan is that ran out of
    memory (``memory.oom_history``): it may have been an accident, and one more wrong guess a week costs little."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, dict[str, object]] | None = None

    # ------------------------------------------------------------ language models

    async def size(self, key: str) -> int | None:
        """Bytes on the card, as measured last; ``None``: never. ``key``: of ``chat.CardUse``."""
        found = (await self._all())["sizes"].get(key)
        return found if isinstance(found, int) else None

    async def measured(self, key: str, size: int) -> None:
        known = await self._all()
        if known["sizes"].get(key) == size:
            return
        known["sizes"].pop(key, None)
        known["sizes"][key] = size
        await self._store_all(known)

    # ------------------------------------------------------------ pairs

    async def apart(self, image: str, keys: Sequence[str]) -> bool:
        """Whether that image model is known not to fit beside one of them."""
        pairs, now = (await self._all())["apart"], self._clock()
        found = [pairs.get(_pair(image, key)) for key in keys]
        return any(isinstance(since, int | float) and abs(now - since) < KEPT_SECONDS for since in found)

    async def part(self, image: str, keys: Sequence[str]) -> None:
        """They did not fit together."""
        known = await self._all()
        for key in keys:
            known["apart"].pop(_pair(image, key), None)
            known["apart"][_pair(image, key)] = self._clock()
        await self._store_all(known)

    # ------------------------------------------------------------ pictures

    async def peaks(self, model: str) -> tuple[Peak, ...]:
        """What pictures of that model took."""
        stored = (await self._all())["peaks"].get(model)
        return peaks.peaks_from(stored) if isinstance(stored, list) else ()

    async def add_peak(self, model: str, peak: Peak | None) -> None:
        if peak is None or peak in (known_peaks := await self.peaks(model)):
            return
        known = await self._all()
        known["peaks"].pop(model, None)
        known["peaks"][model] = [one.as_dict() for one in peaks.learn(known_peaks, peak, now=self._clock())]
        await self._store_all(known)

    # ------------------------------------------------------------ all of it

    async def _all(self) -> dict[str, dict[str, object]]:
        if self._known is None:
            stored = await self._store.meta(SHARING)
            stored = stored if isinstance(stored, dict) else {}
            parts = {name: stored.get(name) for name in ("sizes", "apart", "peaks")}
            self._known = {name: part if isinstance(part, dict) else {} for name, part in parts.items()}
        return self._known

    async def _store_all(self, known: dict[str, dict[str, object]]) -> None:
        for part in known.values():
            while len(part) > MOST:
                del part[next(iter(part))]
        with forgone():
            await self._store.set_meta(SHARING, known)


def _pair(image: str, key: str) -> str:
    return f"{image} {key}"
