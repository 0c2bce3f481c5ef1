"""The parts of a worker, each from its section of the settings and from what the database kept of it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..archive import Archive, ArchiveSettings
from ..chat import FOLDER as CHAT_FOLDER
from ..chat import KINDS, Beginnings, ChatBackend, Choice, open_backend
from ..config import Config
from ..gpu import driver
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
from ..runner.eta import CardSpeeds
from ..runner.expansions import PromptRunner
from ..runner.lanes import CardParts
from ..runner.lease import Card
from ..runner.pictures import PictureRunner
from ..runner.runner_common import Shared
from ..runner.sharing import Sharing
from ..runner.sharing_store import SharingStore
from ..runner.turns import TurnRunner
from ..styles import FOLDER as STYLES_FOLDER
from ..styles import StyleLibrary

CHAT_MODEL = "chat_model"
CHAT_BEGINNINGS = "chat_beginnings"


def draws(config: Config) -> bool:
    """Whether the cards of this machine draw pictures."""
    return not (config.executor == "ray" and config.ray.only)


def devices(config: Config) -> dict[str, str]:
    """Name of each card → device. The first one is shared with language models. The names are those of the settings;
    the processor may stand there several times."""
    if not draws(config):
        return {"cpu": "cpu"}
    wanted = config.gpu.devices
    if wanted is None:
        return {config.gpu.device: config.gpu.device}
    if wanted == "auto":
        count = driver.cards() if device_kind() == "cuda" else 0
        wanted = [f"cuda:{number}" for number in range(count)] if count > 1 else ["auto"]
    found: dict[str, str] = {}
    for device in wanted:
        number = 1 + list(found.values()).count(device)
        found[device if number == 1 else f"{device}-{number}"] = device
    return found


def _threads(config: Config) -> int | None:
    """Where the processor stands several times among the devices, they share its cores; else torch decides."""
    count = config.gpu.named.count("cpu")
    return max(1, (os.cpu_count() or 1) // count) if count > 1 else None


def gpu(config: Config, name: str, device: str, *, first: bool) -> GpuProcess:
    """The handle on the process of one card, with a lock file of its own."""
    lock = config.lock_file
    return GpuProcess(
        device=device,
        lock_path=lock if first else lock.with_name(f"{lock.stem}-{name.replace(':', '-')}{lock.suffix}"),
        threads=config.gpu.threads or _threads(config),
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


SLOWER = 40.0
"""How many times slower than a card a processor is taken to draw, until it was measured."""


def more_cards(
    config: Config, shared: Shared, runner: Callable[[Shared, GpuProcess, str], PictureRunner]
) -> list[CardParts]:
    """All cards but the first. They only draw: language models have to do with the first one."""
    (_, kind), *others = devices(config).items()
    made = []
    for name, device in others:
        process = gpu(config, name, device, first=False)
        slower = SLOWER if device_kind(device) == "cpu" and device_kind(kind) == "cuda" else 1.0
        speeds = CardSpeeds(shared.speeds, name, slower=slower)
        card = Card(process, None)
        own = replace(shared, card=card, speeds=speeds)
        made.append(CardParts(name=name, gpu=process, card=card, pictures=runner(own, process, name), speeds=speeds))
    return made


def dispatcher(
    config: Config,
    shared: Shared,
    cards: Sequence[CardParts],
    archive: Archive,
    turns: TurnRunner,
    descriptions: DescriptionRunner,
    prompts: PromptRunner,
) -> Dispatcher:
    return Dispatcher(
        shared,
        cards=cards,
        archive=archive,
        turns=turns,
        descriptions=descriptions,
        prompts=prompts,
        bounds=schedule.Bounds(picture=config.queue.overtake_seconds, talk=config.queue.overtake_chat_seconds),
        more=config.executor == "ray",
        draws=draws(config),
        idle_unload=config.gpu.idle_unload_s,
    )


def prompts(
    config: Config, shared: Shared, backend: ChatBackend | None, catalogue: Catalogue, library: Library
) -> PromptRunner:
    return PromptRunner(
        shared, backend=backend, catalogue=catalogue, library=library, seconds=config.chat.prompt_timeout
    )
