"""The parts of a worker, each from its section of the settings and from what the database kept of it."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from ..archive import Archive, ArchiveSettings
from ..chat import FOLDER as CHAT_FOLDER
from ..chat import KINDS, Beginnings, ChatBackend, Choice, open_backend
from ..config import Config
from ..gpu.probe import device_kind
from ..gpu.process import GpuProcess
from ..inputs.files import InputFiles
from ..models import captioner, checkpoints, controlnets
from ..models.catalogue import Catalogue
from ..models.loras import FOLDERS, SHIPPED, Library
from ..models.wildcards import FOLDER as WILDCARDS
from ..queue import schedule
from ..queue.database import Database
from ..queue.disk import forgone
from ..queue.input_rows import PRIVATE_SECONDS, Inputs, Retention
from ..queue.store import Store
from ..runner.descriptions import DescriptionRunner
from ..runner.dispatcher import Dispatcher
from ..runner.expansions import PromptRunner
from ..runner.pictures import PictureRunner
from ..runner.runner_common import Shared
from ..runner.sharing import Sharing
from ..runner.sharing_store import SharingStore
from ..runner.turns import TurnRunner
from ..styles import FOLDER as STYLES_FOLDER
from ..styles import StyleLibrary

CHAT_MODEL = "chat_model"
CHAT_BEGINNINGS = "chat_beginnings"


def gpu(config: Config) -> GpuProcess:
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


def library(config: Config) -> Library:
    """Creates the operator's folders, so that people see where files belong."""
    for folder in (*FOLDERS.values(), checkpoints.FOLDER, controlnets.FOLDER, captioner.FOLDER, CHAT_FOLDER, WILDCARDS):
        with contextlib.suppress(OSError):
            (config.data_dir / folder).mkdir(mode=0o700, exist_ok=True)
    return Library(config.data_dir, SHIPPED)


def styles(config: Config) -> StyleLibrary:
    """Creates the operator's folder as well."""
    folder = config.data_dir / STYLES_FOLDER
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
    return StyleLibrary(folder)


def archive(config: Config) -> Archive:
    section = config.archive
    settings = ArchiveSettings(
        keep_days=section.keep_days,
        max_gb=section.max_gb,
        min_free_gb=section.min_free_gb,
        encrypted_rooms=section.encrypted_rooms,
        data_dir=config.data_dir,
    )
    return Archive(config.archive_dir, settings)


def inputs(config: Config, database: Database) -> tuple[InputFiles, Inputs]:
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
    """The default chat model where none is configured: chosen once and stored, so that a model pulled later changes
    nothing."""
    place = CHAT_MODEL if kind == KINDS[0] else f"{CHAT_MODEL}_{kind}"

    async def keep(name: str) -> None:
        with forgone():
            await store.set_meta(place, name)

    kept = await store.meta(place)
    return Choice(kept if isinstance(kept, str) else None, keep)


async def _beginnings(store: Store) -> Beginnings:
    """How each chat model begins its answers, stored so that it survives a restart."""

    async def keep(seen: dict[str, Any]) -> None:
        with forgone():
            await store.set_meta(CHAT_BEGINNINGS, seen)

    return Beginnings(await store.meta(CHAT_BEGINNINGS), keep)


async def chat_backend(config: Config, store: Store) -> ChatBackend | None:
    """``None`` where chat is switched off."""
    return open_backend(
        config.chat,
        on_gpu=device_kind(config.gpu.device) == "cuda",
        data_dir=config.data_dir,
        choices={kind: await _choice(store, kind) for kind in KINDS},
        beginnings=await _beginnings(store),
    )


def sharing(config: Config, gpu: GpuProcess, backend: ChatBackend | None, store: Store) -> Sharing | None:
    """``None`` where pictures and language models never share the card."""
    if backend is None or backend.card is None or config.gpu.lease == "exclusive":
        return None
    return Sharing(gpu, backend, backend.card, SharingStore(store), reserve=config.gpu.reserve_mb * 10**6)


def dispatcher(
    config: Config,
    shared: Shared,
    gpu: GpuProcess,
    archive: Archive,
    pictures: PictureRunner,
    turns: TurnRunner,
    descriptions: DescriptionRunner,
    prompts: PromptRunner,
) -> Dispatcher:
    return Dispatcher(
        shared,
        gpu=gpu,
        archive=archive,
        pictures=pictures,
        turns=turns,
        descriptions=descriptions,
        prompts=prompts,
        bounds=schedule.Bounds(picture=config.queue.overtake_seconds, talk=config.queue.overtake_chat_seconds),
        idle_unload=config.gpu.idle_unload_s,
    )


def prompts(
    config: Config, shared: Shared, backend: ChatBackend | None, catalogue: Catalogue, library: Library
) -> PromptRunner:
    return PromptRunner(
        shared, backend=backend, catalogue=catalogue, library=library, seconds=config.chat.prompt_timeout
    )
