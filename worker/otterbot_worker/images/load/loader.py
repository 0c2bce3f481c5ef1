# mypy: disallow-untyped-calls=False
"""From a catalogue entry to a pipeline on the device, or one clear sentence."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch

from ...errors import Cancelled, CannotLook, Detail, JobFailed, look_failed
from ...families import Family
from ...memory.device_info import Precision
from ...memory.placement import Plan
from ...models import download, files, part_settings, plain_files, tokenizers
from ...models.entries import ModelEntry
from ...schemas.records import UsedVae
from ..memory import placing
from ..monitor import Monitor
from . import device as devices
from . import dtypes, refiner, single_file_loader, transformer_loader, vae_loader
from .loaded import Loaded
from .lora_loader import LoadedLoras
from .textual_inversion import Inversions

log = logging.getLogger(__name__)


def load(
    entry: ModelEntry,
    device: torch.device,
    plan: Plan,
    *,
    downloads: bool,
    monitor: Monitor,
    precision: Precision | None = None,
) -> Loaded:
    """Load the model's files, a folder of them or a single one.

    ``precision``: by default the device's for this model.

    :raises JobFailed: ``model_missing``, ``model_broken``
    :raises Cancelled: between the parts
    Out of memory and fatal device errors come as torch raises them.
    """
    started = time.monotonic()
    folder = locate(entry, downloads=downloads, monitor=monitor)
    family = entry.abilities
    precision = precision or devices.facts(device).precision(wants_bf16=entry.abilities.bf16)
    half = precision.storage != "float32"
    dtype = dtypes.dtype(precision.storage)
    vae, vae_record, notes = None, None, []
    if entry.vae_path is not None:
        vae, vae_record = vae_loader.load(entry, Path(entry.vae_path), dtype)
    elif half and entry.vae is not None:
        vae, vae_record = _other_vae(entry.vae, dtype, downloads=downloads, monitor=monitor)
        if vae is None:
            notes.append(f"The decoder {entry.vae} could not be used, so that of {entry.name} itself was.")
    if entry.file is not None:
        pipe, model_hash = single_file_loader.load(entry, family, folder, dtype, vae=vae, monitor=monitor)
    else:
        compute = dtypes.dtype(precision.compute)
        pipe, model_hash = _from_folder(entry, family, folder, dtype, compute=compute, vae=vae, monitor=monitor)
    _same_words(entry, pipe)
    monitor.check()
    pipe.set_progress_bar_config(disable=True)
    base_scheduler = dict(pipe.scheduler.config)
    placing.prepare(plan, pipe, precision)
    placing.place(plan, pipe, device)
    loaded_refiner = None
    if entry.refiner is not None:
        loaded_refiner = refiner.load(entry, pipe, plan, device, precision, downloads=downloads, monitor=monitor)
    return Loaded(
        entry=entry,
        pipe=pipe,
        plan=plan,
        model_hash=model_hash,
        load_seconds=time.monotonic() - started,
        base_scheduler=base_scheduler,
        notes=notes,
        vae=vae_record,
        refiner=loaded_refiner,
    )


def place(loaded: Loaded, plan: Plan, device: torch.device) -> None:
    """Move a cached model to where the plan says. Out of memory and fatal errors come as torch raises them."""
    placing.place(plan, loaded.pipe, device)
    if loaded.refiner is not None:
        loaded.refiner = refiner.placed(loaded.refiner, plan, device)
    loaded.plan = plan


def put_away(loaded: Loaded) -> None:
    """Move the whole model to the computer's memory, without what only the last picture needed."""
    loaded.controls.release()
    for pipe in loaded.pipes:
        placing.put_away(loaded.plan, pipe)
    loaded.adapters, loaded.inversions = LoadedLoras(), Inversions()


def _from_folder(
    entry: ModelEntry,
    family: Family,
    folder: Path,
    dtype: torch.dtype,
    *,
    compute: torch.dtype,
    vae: Any,
    monitor: Monitor,
) -> tuple[Any, str]:
    """The pipeline, in the computer's memory, and the hash of its files. Errors as ``load``."""
    stored = verify(entry, folder, family)
    variant = entry.variant if files.has_variant(folder, entry.variant) else None
    monitor.check()
    arguments: dict[str, Any] = dict(family.load_arguments)
    for name in entry.without:
        arguments |= {name: None, name.replace("text_encoder", "tokenizer"): None}
    if vae is not None:
        arguments["vae"] = vae
    try:
        if entry.transformer is not None:
            arguments["transformer"] = transformer_loader.load(entry, family, folder, dtype, compute)
        pipe = getattr(diffusers, family.pipeline).from_pretrained(
            folder, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True, **arguments
        )
        elsewhere = [path] if entry.transformer is not None and (path := entry.transformer.here()) is not None else []
        model_hash = files.model_hash(folder, variant, entry.absent, elsewhere)
    except (Cancelled, CannotLook, JobFailed):
        raise
    except Exception as error:
        if devices.is_out_of_memory(error) or devices.is_fatal(error):
            raise
        look_failed(error, f"a file of {entry.name}")
        log.warning("loading %s failed: %s", entry.name, type(error).__name__)
        raise broken(entry, "its files do not fit together", error=type(error).__name__) from None
    _complete(entry, family, pipe, stored, replaced="vae" in arguments)
    return pipe, model_hash


def locate(entry: ModelEntry, *, downloads: bool, monitor: Monitor) -> Path:
    """The model's folder, or its single file, downloaded first where needed and allowed.

    :raises JobFailed: ``model_missing``
    """
    if entry.file is not None:
        return _locate_file(entry, entry.file, downloads=downloads, monitor=monitor)
    if downloads:
        _fetch_missing(entry, monitor)
    here = Path(entry.folder) if entry.folder is not None else files.snapshot(entry.hub or "")
    if entry.transformer is not None and entry.transformer.here() is None:
        sentence = f"The model {entry.name} is not complete: the file with its transformer is missing."
        raise JobFailed("model_missing", sentence)
    if here is None or not plain_files.is_dir(here):
        way_out = "downloads are not allowed" if entry.hub else "its folder does not exist"
        raise JobFailed("model_missing", f"The model {entry.name} is not on this machine ({way_out}).")
    return here


def _locate_file(entry: ModelEntry, file: str, *, downloads: bool, monitor: Monitor) -> Path:
    """:raises JobFailed: ``model_missing``"""
    if (here := files.find_file(hub=entry.hub, file=file)) is not None:
        return here
    if entry.hub is None or not downloads:
        way_out = "downloads are not allowed" if entry.hub else f"the file {Path(file).name} does not exist"
        raise JobFailed("model_missing", f"The model {entry.name} is not on this machine ({way_out}).")
    return _download(entry, entry.hub, monitor, chosen=[file]) / file


def _fetch_missing(entry: ModelEntry, monitor: Monitor) -> None:
    """Download the missing parts: the model's folder, its single-file transformer."""
    other = entry.transformer
    if other is not None and other.hub is not None and other.here() is None:
        _download(entry, other.hub, monitor, chosen=[other.file])
    if entry.hub is not None and entry.own_files() is None:
        _download(entry, entry.hub, monitor)


def _download(entry: ModelEntry, hub: str, monitor: Monitor, *, chosen: Sequence[str] = ()) -> Path:
    try:
        return download.fetch(hub, variant=entry.variant, without=entry.absent, chosen=chosen, monitor=monitor)
    except download.DownloadFailed as error:
        raise JobFailed(
            "model_missing", f"The model {entry.name} could not be downloaded: {error}.", {"hub": hub}
        ) from None


def verify(entry: ModelEntry, folder: Path, family: Family) -> dict[str, int]:
    """Check the files before anything is loaded. Returns the number of stored values by component.

    :raises JobFailed: ``model_missing``, ``model_broken``
    """
    try:
        index = files.read_index(folder)
        found, wanted = index.get("_class_name"), family.pipeline
        if found != wanted:
            kind = found if isinstance(found, str) and found.isidentifier() else "an unknown kind of pipeline"
            raise broken(entry, f"it is {kind}, where the family {entry.family} needs {wanted}")
        for component in family.modules:
            if component not in entry.without and not plain_files.is_file(folder / component / "config.json"):
                raise broken(entry, f"{component}/config.json is missing")
        parts = (f"{name}/config.json" for name in family.modules)
        if (name := part_settings.unbuildable(folder, part_settings.SCHEDULER, *parts)) is not None:
            raise broken(entry, f"nothing can be built by its {name}")
        files.check_tokenizers(folder, entry.without)
        variant = entry.variant if files.has_variant(folder, entry.variant) else None
        return files.check(folder, variant, entry.absent)
    except FileNotFoundError:
        raise JobFailed(
            "model_missing", f"The model {entry.name} is not complete: its model_index.json is missing."
        ) from None
    except files.BrokenFile as error:
        raise broken(entry, str(error)) from None


def broken(entry: ModelEntry, why: str, **details: Detail) -> JobFailed:
    return JobFailed("model_broken", f"The model {entry.name} is broken: {why}.", details)


def _complete(entry: ModelEntry, family: Family, pipe: Any, stored: dict[str, int], *, replaced: bool) -> None:
    """Check that all weights were loaded: diffusers leaves missing tensors on ``meta``, transformers fills them with
    random numbers, both with only a log line."""
    for name in family.modules:
        if name in entry.absent:
            continue
        module = getattr(pipe, name, None)
        if module is None:
            raise broken(entry, f"{name} is missing")
        needed = sum(parameter.numel() for parameter in module.parameters())
        on_meta = any(parameter.is_meta for parameter in module.parameters())
        if on_meta or (stored.get(name, 0) < needed and not (replaced and name == "vae")):
            raise broken(entry, f"weights of {name} are missing")


def _same_words(entry: ModelEntry, pipe: Any) -> None:
    """Check that each tokenizer has the vocabulary of its text encoder. Added words do not matter.

    :raises JobFailed: ``model_broken``
    """
    for name in tokenizers.NAMES:
        reader = name.replace("tokenizer", "text_encoder")
        words, encoder = getattr(pipe, name, None), getattr(pipe, reader, None)
        if words is None or encoder is None:
            continue
        known = encoder.get_input_embeddings().num_embeddings
        marks = (words.bos_token_id, words.eos_token_id, words.pad_token_id, words.unk_token_id)
        if 2 * len(words) < known or any(mark is not None and mark >= known for mark in marks):
            raise broken(entry, f"the words of its {name} are not those of its {reader}")


def _other_vae(hub: str, dtype: torch.dtype, *, downloads: bool, monitor: Monitor) -> tuple[Any, UsedVae | None]:
    """The replacement VAE with its name and hash; ``None`` twice where it is not here: the model's own is used, in fp32
    if it asks for that."""
    folder = files.find_single(hub)
    try:
        if folder is None and downloads:
            folder = download.fetch(hub, single=True, monitor=monitor)
        if folder is None:
            return None, None
        vae = diffusers.AutoencoderKL.from_pretrained(folder, dtype=dtype, use_safetensors=True, local_files_only=True)
        found = files.files_hash(folder, sorted(folder.glob("*.safetensors")))
        return vae, UsedVae(name=hub.rpartition("/")[2], hash=found)
    except (OSError, ValueError, download.DownloadFailed) as error:
        look_failed(error, f"the decoder {hub}")
        log.warning("the decoder %s cannot be used: %s", hub, type(error).__name__)
        return None, None
