"""The composition of a running worker: every part, built once, closed in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from ..archive import Archive, ArchiveSettings
from ..chat import FOLDER as CHAT_FOLDER
from ..chat import KINDS, Beginnings, ChatBackend, Choice, open_backend
from ..config import BadConfig, Config
from ..gpu.probe import device_kind
from ..gpu.process import GpuProcess
from ..inputs.files import InputFiles
from ..models import checkpoints, controlnets
from ..models.catalogue import Catalogue, load_catalogue
from ..models.entry_file import CatalogueError
from ..models.header_reader import READER
from ..models.loras import FOLDERS, SHIPPED, Library
from ..queue import schedule
from ..queue.database import Database
from ..queue.disk import forgone
from ..queue.image_rows import ImageRows
from ..queue.input_rows import PRIVATE_SECONDS, Inputs, Retention
from ..queue.store import Store
from ..runner.dispatcher import Dispatcher
from ..runner.eta import Speeds
from ..runner.job_view import Live, Views
from ..runner.lease import Card
from ..runner.metrics import Measures
from ..runner.pictures import PictureRunner
from ..runner.runner_common import Shared
from ..runner.sharing import Sharing
from ..runner.sharing_store import SharingStore
from ..runner.turns import TurnRunner
from ..schemas.jobs import Pause
from . import default
from .background import Background
from .chat_status import ChatStatus
from .default import DefaultModel
from .events import Hub
from .housekeeping import keep_house

log = logging.getLogger(__name__)

CHAT_MODEL = "chat_model"
CHAT_BEGINNINGS = "chat_beginnings"


class AlreadyRunning(Exception):
    """Another worker uses this data directory."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    config: Config
    store: Store
    views: Views
    hub: Hub
    dispatcher: Dispatcher
    archive: Archive
    inputs: Inputs
    catalogue: Catalogue
    library: Library
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
        )
    except CatalogueError as error:
        raise BadConfig(f"images.catalogue: {error}") from None


@asynccontextmanager
async def open_parts(config: Config) -> AsyncIterator[Parts]:
    """Builds, recovers and starts everything; stops and closes it afterwards.

    :raises BadConfig: :raises AlreadyRunning: :raises NewerDatabase:
    """
    config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _only_one(config.data_dir / "worker.lock"):
        database = await Database.open(config.database)
        try:
            async with contextlib.AsyncExitStack() as stack:
                yield await _build(config, database, stack)
        finally:
            await database.close()


async def _build(config: Config, database: Database, stack: contextlib.AsyncExitStack) -> Parts:
    store = Store(database)
    catalogue = read_catalogue(config)
    chosen = await default.start(config, catalogue)
    library = _library(config)
    stack.push_async_callback(asyncio.to_thread, READER.close)  # it waits for the file that is being read
    background, measures, live = Background(), Measures(), Live()
    archive = _archive(config)
    stack.callback(archive.close)
    input_files, inputs = _inputs(config, database)
    backend = open_backend(
        config.chat,
        on_gpu=device_kind(config.gpu.device) == "cuda",
        data_dir=config.data_dir,
        choices={kind: await _choice(store, kind) for kind in KINDS},
        beginnings=await _beginnings(store),
    )
    if backend is not None:
        stack.push_async_callback(backend.close)
    status = ChatStatus(backend, config.chat.default_model)
    stack.push_async_callback(status.close)
    gpu = _gpu(config)
    speeds = Speeds(await store.speeds())
    holder: list[Dispatcher] = []
    hub = Hub(lambda: holder[0].pause_state if holder else Pause(paused=False))
    card = Card(gpu, backend, _sharing(config, gpu, backend, store))
    shared = Shared(store=store, card=card, live=live, speeds=speeds, listener=hub, measures=measures)
    pictures = PictureRunner(
        shared,
        gpu=gpu,
        archive=archive,
        inputs=input_files,
        catalogue=catalogue,
        library=library,
        wake=lambda: holder[0].wake(),
        broken=background.fail,
    )
    dispatcher = Dispatcher(
        shared,
        gpu=gpu,
        archive=archive,
        pictures=pictures,
        turns=TurnRunner(shared, backend=backend),
        bounds=schedule.Bounds(times=config.queue.overtake_times, seconds=config.queue.overtake_seconds),
        idle_unload=config.gpu.idle_unload_s,
    )
    holder.append(dispatcher)
    views = Views(store, live, speeds)
    stack.push_async_callback(views.close)
    await archive.clear_scratch()
    await inputs.sweep()
    await dispatcher.recover()
    background.start(dispatcher.run("card"), "dispatcher", ends=True)
    background.start(dispatcher.run("beside"), "dispatcher beside the card", ends=True)
    background.start(hub.watch_places(views), "places")
    background.start(chosen.settle(config, catalogue), "default model", ends=True)
    background.start(keep_house(config, store, archive, inputs, ImageRows(database)), "housekeeping")
    stack.push_async_callback(background.stop)
    stack.push_async_callback(dispatcher.stop)
    stack.callback(library.close)
    stack.callback(catalogue.close)
    return Parts(
        config=config,
        store=store,
        views=views,
        hub=hub,
        dispatcher=dispatcher,
        archive=archive,
        inputs=inputs,
        catalogue=catalogue,
        library=library,
        gpu=gpu,
        card=card,
        chat=status,
        measures=measures,
        background=background,
        default=chosen,
    )


def _gpu(config: Config) -> GpuProcess:
    return GpuProcess(
        device=config.gpu.device,
        lock_path=config.lock_file,
        threads=config.gpu.threads,
        step_timeout=config.gpu.step_timeout,
        load_timeout=config.gpu.load_timeout,
        log=logging.getLogger("otterbot_worker.gpu"),
        downloads=config.images.downloads,
        reserve_mb=config.gpu.reserve_mb,
        ram_reserve_mb=config.gpu.ram_reserve_mb,
    )


def _sharing(config: Config, gpu: GpuProcess, backend: ChatBackend | None, store: Store) -> Sharing | None:
    if backend is None or backend.card is None or config.gpu.lease == "exclusive":
        return None
    return Sharing(gpu, backend, backend.card, SharingStore(store), reserve=config.gpu.reserve_mb * 10**6)


def _library(config: Config) -> Library:
    """Makes the operator's folders: a folder that is there says where the files belong."""
    for folder in (*FOLDERS.values(), checkpoints.FOLDER, controlnets.FOLDER, CHAT_FOLDER):
        with contextlib.suppress(OSError):
            (config.data_dir / folder).mkdir(mode=0o700, exist_ok=True)
    return Library(config.data_dir, SHIPPED)


def _archive(config: Config) -> Archive:
    section = config.archive
    settings = ArchiveSettings(
        keep_days=section.keep_days,
        max_gb=section.max_gb,
        min_free_gb=section.min_free_gb,
        encrypted_rooms=section.encrypted_rooms,
        data_dir=config.data_dir,
    )
    return Archive(config.archive_dir, settings)


def _inputs(config: Config, database: Database) -> tuple[InputFiles, Inputs]:
    section = config.inputs
    files = InputFiles(config.inputs_dir, max_pixels=int(section.max_megapixels * 1_000_000))
    seconds = section.keep_hours * 3600
    keeping = Retention(
        seconds=seconds,
        private_seconds=PRIVATE_SECONDS if config.archive.encrypted_rooms == "until_delivered" else seconds,
        max_bytes=int(section.max_gb * 1_000_000_000),
    )
    return files, Inputs(database, files, keeping)


async def _choice(store: Store, kind: str) -> Choice:
    """The chat model that was chosen once stays, whatever is pulled later; for the default where none is configured."""
    place = CHAT_MODEL if kind == KINDS[0] else f"{CHAT_MODEL}_{kind}"

    async def keep(name: str) -> None:
        with forgone():
            await store.set_meta(place, name)

    kept = await store.meta(place)
    return Choice(kept if isinstance(kept, str) else None, keep)


async def _beginnings(store: Store) -> Beginnings:
    """How chat models begin their answers is known after a restart as well."""

    async def keep(seen: dict[str, Any]) -> None:
        with forgone():
            await store.set_meta(CHAT_BEGINNINGS, seen)

    return Beginnings(await store.meta(CHAT_BEGINNINGS), keep)


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Two workers on one queue would take each other's running rows for leftovers."""
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
