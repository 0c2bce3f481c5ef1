"""The composition of a running worker: every part, built once, closed in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ..archive import Archive
from ..chat import ChatBackend
from ..config import BadConfig, Config
from ..gpu.process import GpuProcess
from ..inputs.files import InputFiles
from ..models.catalogue import Catalogue, load_catalogue
from ..models.entry_file import CatalogueError
from ..models.header_reader import READER
from ..models.loras import Library
from ..queue.database import Database
from ..queue.gallery_rows import Gallery
from ..queue.image_rows import ImageRows
from ..queue.input_rows import Inputs
from ..queue.sheet_rows import SheetRows
from ..queue.store import Store
from ..runner.descriptions import DescriptionRunner
from ..runner.dispatcher import Dispatcher
from ..runner.eta import Speeds
from ..runner.job_view import Live, Views
from ..runner.lanes import CardParts
from ..runner.lease import Card
from ..runner.metrics import Measures
from ..runner.pictures import PictureRunner
from ..runner.runner_common import Shared
from ..runner.sheets import SheetRunner
from ..runner.turns import TurnRunner
from ..schemas.jobs import Pause
from ..styles import StyleLibrary
from . import build, default, revoked
from .auth import Tokens
from .background import Background
from .chat_status import ChatStatus
from .cluster_lanes import ClusterLanes
from .default import DefaultModel
from .events import Hub
from .housekeeping import keep_house

log = logging.getLogger(__name__)


class AlreadyRunning(Exception):
    """Another worker uses this data directory."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    config: Config
    tokens: Tokens
    store: Store
    sheets: SheetRows
    gallery: Gallery
    images: ImageRows
    views: Views
    hub: Hub
    dispatcher: Dispatcher
    descriptions: DescriptionRunner
    archive: Archive
    inputs: Inputs
    catalogue: Catalogue
    library: Library
    styles: StyleLibrary
    gpu: GpuProcess
    card: Card
    chat: ChatStatus
    measures: Measures
    background: Background
    default: DefaultModel

    @property
    def default_model(self) -> str:
        return self.default.found.name

    @property
    def notice(self) -> str | None:
        return self.default.found.notice


PARTS = web.AppKey("parts", Parts)


def read_catalogue(config: Config) -> Catalogue:
    """:raises BadConfig:"""
    own = [config.images.catalogue] if config.images.catalogue is not None else []
    try:
        return load_catalogue(
            *own,
            data_dir=config.data_dir,
            downloads_allowed=config.images.downloads,
            safety_checker=config.images.safety_checker,
            captioner_name=config.images.captioner,
        )
    except CatalogueError as error:
        raise BadConfig(f"images.catalogue: {error}") from None


@asynccontextmanager
async def open_parts(config: Config, tokens: Tokens) -> AsyncIterator[Parts]:
    """Builds, recovers and starts everything; stops and closes it afterwards.

    :raises BadConfig: :raises AlreadyRunning: :raises NewerDatabase:
    """
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(config.data_dir / "worker.lock"):
        database = await Database.open(config.database)
        try:
            async with contextlib.AsyncExitStack() as stack:
                yield await _build(config, tokens, database, stack)
        finally:
            await database.close()


async def _build(config: Config, tokens: Tokens, database: Database, stack: contextlib.AsyncExitStack) -> Parts:
    """``stack``: closes what was built, the last first."""
    store = Store(database)
    catalogue = read_catalogue(config)
    chosen = await default.start(config, catalogue)
    library = build.library(config)
    stack.push_async_callback(asyncio.to_thread, READER.close)  # waits for the file in work
    background, live, measures = Background(), Live(), Measures()
    archive = build.archive(config)
    stack.callback(archive.close)
    input_files, inputs = build.inputs(config, database)
    backend = await build.chat_backend(config, store)
    if backend is not None:
        stack.push_async_callback(backend.close)
    chat = ChatStatus(backend, config.chat.default_model)
    stack.push_async_callback(chat.close)
    sources = Sources(archive=archive, catalogue=catalogue, library=library, inputs=input_files, backend=backend)

    name, device = next(iter(build.devices(config).items()))
    gpu = build.gpu(config, name, device, first=True)
    card = Card(gpu, backend, build.sharing(config, gpu, backend, store), measures.swapped)
    speeds = Speeds(await store.speeds())
    holder: list[Dispatcher] = []
    hub = Hub(lambda: holder[0].pause_state if holder else Pause(paused=False))
    shared = Shared(store=store, card=card, live=live, speeds=speeds, listener=hub, measures=measures)
    pictures = _pictures(sources, wake=lambda: holder[0].wake(), broken=background.fail)
    first = CardParts(name=name, gpu=gpu, card=card, pictures=pictures(shared, gpu, ""), speeds=speeds)
    cards = [first, *build.more_cards(config, shared, pictures)]
    descriptions = DescriptionRunner(shared, backend=backend, gpu=gpu, inputs=input_files, catalogue=catalogue)
    dispatcher = _dispatcher(config, shared, cards, sources, descriptions)
    holder.append(dispatcher)
    views = Views(store, live, speeds, lambda: dispatcher.cards_at_work)
    stack.push_async_callback(views.close)
    parts = Parts(
        config=config,
        tokens=tokens,
        store=store,
        sheets=SheetRows(database),
        gallery=Gallery(database),
        images=ImageRows(database),
        views=views,
        hub=hub,
        dispatcher=dispatcher,
        descriptions=descriptions,
        archive=archive,
        inputs=inputs,
        catalogue=catalogue,
        library=library,
        styles=build.styles(config),
        gpu=gpu,
        card=card,
        chat=chat,
        measures=measures,
        background=background,
        default=chosen,
    )
    await _start(parts)
    if config.executor == "ray":
        cluster = ClusterLanes(config, shared, dispatcher, catalogue, background, pictures)
        background.start(cluster.run(), "Ray cluster")
    stack.push_async_callback(background.stop)
    stack.push_async_callback(dispatcher.stop)
    stack.callback(library.close)
    stack.callback(catalogue.close)
    return parts


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What every runner takes from and gives to, whichever card it runs on."""

    archive: Archive
    catalogue: Catalogue
    library: Library
    inputs: InputFiles
    backend: ChatBackend | None


def _pictures(
    sources: Sources, *, wake: Callable[[], None], broken: Callable[[BaseException], None]
) -> Callable[[Shared, GpuProcess, str], PictureRunner]:
    """What makes the runner of a card; the first one's has no name. ``broken``: called with what ends the worker."""

    def pictures(shared: Shared, gpu: GpuProcess, card: str) -> PictureRunner:
        return PictureRunner(
            shared,
            gpu=gpu,
            archive=sources.archive,
            inputs=sources.inputs,
            catalogue=sources.catalogue,
            library=sources.library,
            wake=wake,
            broken=broken,
            card=card,
        )

    return pictures


def _dispatcher(
    config: Config, shared: Shared, cards: Sequence[CardParts], sources: Sources, descriptions: DescriptionRunner
) -> Dispatcher:
    prompts = build.prompts(config, shared, sources.backend, sources.catalogue, sources.library)
    turns = TurnRunner(shared, backend=sources.backend, inputs=sources.inputs)
    return build.dispatcher(config, shared, cards, sources.archive, turns, descriptions, prompts)


async def _start(parts: Parts) -> None:
    """Clean up what the last worker left, then start the loops."""
    config, dispatcher, background = parts.config, parts.dispatcher, parts.background
    await parts.archive.clear_scratch()
    await parts.inputs.sweep()
    await dispatcher.recover()
    for lane in dispatcher.lanes:
        background.start(dispatcher.run(lane), f"dispatcher of {lane.name}", ends=True)
    background.start(parts.hub.watch_places(parts.views), "places")
    background.start(parts.default.settle(config, parts.catalogue), "default model", ends=True)
    sheets = SheetRunner(parts.store, parts.sheets, parts.archive, parts.hub)
    background.start(sheets.run(parts.hub.changed), "contact sheets")
    background.start(
        keep_house(config, parts.tokens.names(), parts.store, parts.archive, parts.inputs, parts.images, parts.sheets),
        "housekeeping",
    )
    background.start(revoked.watch(parts.tokens, parts.hub, parts.store, dispatcher), "tokens")


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """A lock: two workers on one queue would take each other's running rows for abandoned ones."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another worker uses {path.parent}") from None
        yield
    finally:
        os.close(fd)


__all__ = ["PARTS", "AlreadyRunning", "Background", "Parts", "open_parts"]
