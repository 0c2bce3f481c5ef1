"""The lanes of a Ray cluster: they come when a machine joins, rest when it leaves, and go when it stays away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from .. import __version__
from ..cluster import inventory, watch
from ..cluster.places import Place, places
from ..cluster.process import RemoteProcess
from ..cluster.wire import Node
from ..config import Config
from ..gpu.probe import device_kind
from ..gpu.process import GpuProcess
from ..models.catalogue import Catalogue
from ..runner.dispatcher import Dispatcher
from ..runner.eta import CardSpeeds
from ..runner.lanes import CardParts, Lane
from ..runner.lease import Card
from ..runner.pictures import PictureRunner
from ..runner.runner_common import Shared
from . import build
from .background import Background

log = logging.getLogger(__name__)

MOST_LANES = 64
AWAY_SECONDS = 3_600.0
"""A machine that stays away for longer is no lane any more."""
LEFT = "Its machine is not in the Ray cluster now."
OWN_SECONDS = 60.0
"""Between two looks at the worker's own models."""


class ClusterLanes:
    """Owns the lanes of other machines."""

    def __init__(
        self,
        config: Config,
        shared: Shared,
        dispatcher: Dispatcher,
        catalogue: Catalogue,
        background: Background,
        runner: Callable[[Shared, GpuProcess, str], PictureRunner],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._shared = shared
        self._dispatcher = dispatcher
        self._catalogue = catalogue
        self._background = background
        self._runner = runner
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._seen: dict[str, float] = {}
        """When each lane's machine was last there."""
        self._stopping: set[asyncio.Task[None]] = set()
        self._own: Mapping[str, str] = {}
        """What tells the worker's models apart from others of their names."""
        dispatcher.cluster = watch.STARTING

    async def run(self) -> None:
        """For ever."""
        follow = asyncio.create_task(watch.follow(self._config.ray, self.told))
        try:
            while not follow.done():
                self._own = await asyncio.to_thread(inventory.models, self._catalogue, only_here=False)
                await asyncio.wait([follow], timeout=OWN_SECONDS)
            follow.result()
        finally:
            follow.cancel()
            await asyncio.gather(follow, return_exceptions=True)

    def told(self, nodes: Sequence[Node], problem: str | None) -> None:
        """What the scout says: the machines that are there, or why none can be seen."""
        if problem != self._dispatcher.cluster and problem is not None:
            log.warning("%s", problem)
        self._dispatcher.cluster = problem
        there = {place.name: place for place in places(nodes, here=self._config.ray.only, most=MOST_LANES)}
        changed = False
        for name, place in there.items():
            if name not in self._lanes:
                self._lanes[name] = self._new(place)
                changed = True
            self._seen[name] = self._clock()
            changed |= self._at(self._lanes[name], place)
        for name, lane in list(self._lanes.items()):
            if name not in there:
                changed |= self._left(name, lane, problem)
        if changed:
            self._dispatcher.wake()

    def _new(self, place: Place) -> Lane:
        process = RemoteProcess(self._config, place.name)
        card = Card(process, None)
        speeds = CardSpeeds(self._shared.speeds, place.name, slower=self._slower(place.node))
        own = replace(self._shared, card=card, speeds=speeds)
        pictures = self._runner(own, process, place.name)
        parts = CardParts(name=place.name, gpu=process, card=card, pictures=pictures, speeds=speeds)
        lane = self._dispatcher.add(parts)
        log.info("%s has joined", place.name)
        self._background.start(self._dispatcher.run(lane), f"dispatcher of {lane.name}", ends=True)
        return lane

    def _slower(self, node: Node) -> float:
        """How many times slower than the worker's own card it is taken to be until it was measured."""
        own = not self._config.ray.only and device_kind(self._shared.card.device) == "cuda"
        if own == node.gpus:
            return 1.0
        return build.SLOWER if own else 1 / build.SLOWER

    def _at(self, lane: Lane, place: Place) -> bool:
        """The lane's machine is there. Whether that changes anything."""
        assert lane.parts is not None
        assert isinstance(lane.parts.gpu, RemoteProcess)
        process, node = lane.parts.gpu, place.node
        away, has = _problem(node), self._has(node)
        changed = lane.away != away or lane.has != has or process.node != node.id
        if process.node != node.id:
            self._stop(process)  # what still runs there has lost its machine
            process.is_at(node, place.number)
            if lane.rest is not None:
                lane.rest.end()
        lane.away, lane.has = away, has
        return changed

    def _has(self, node: Node) -> frozenset[str]:
        """Models that are the same there and here."""
        return frozenset(name for name, identity in node.models.items() if self._own.get(name) == identity)

    def _left(self, name: str, lane: Lane, problem: str | None) -> bool:
        assert lane.parts is not None
        assert isinstance(lane.parts.gpu, RemoteProcess)
        away = problem or LEFT
        changed, lane.away = lane.away != away, away
        if problem is None and lane.current is None:
            self._stop(lane.parts.gpu)
        if lane.current is None and self._clock() - self._seen[name] > AWAY_SECONDS:
            log.info("%s has left", name)
            del self._lanes[name], self._seen[name]
            self._dispatcher.remove(lane)
        return changed

    def _stop(self, process: RemoteProcess) -> None:
        if process.pid is not None:
            task = asyncio.create_task(process.stop())
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)


def _problem(node: Node) -> str | None:
    """Why it cannot draw, as a sentence."""
    if node.problem is None and node.version != __version__:
        return f"It has otterbot-worker {node.version}, and this worker is {__version__}: install the same on both."
    return node.problem
