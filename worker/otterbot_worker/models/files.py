"""Where a model's files lie, whether they are whole, and a hash of them. Free of torch.

A model is a folder in diffusers' layout: ``model_index.json`` and a folder per component.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from . import headers, plain_files, shards, tokenizers
from .header_reader import READER

MIB = 1 << 20
BLOCK = 1 << 16
BLOCKS = 64
"""Blocks that are hashed of a large file between its ends."""
REVISION_MAX = 200
"""Bytes read of a file that holds a revision, which has 40."""
WEIGHTED = ("unet", "transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3")
"""Components that have weights."""
SINGLE = ("config.json", "diffusion_pytorch_model.safetensors")
"""The files used of a repository that is a single component."""


class BrokenFile(Exception):
    """A broken file of the model; the message names it relative to the model and says why."""

    def __init__(self, name: str, why: str = "is missing, cut off or no model file") -> None:
        super().__init__(f"{name} {why}")


def hub_cache() -> Path:
    """Where Hugging Face keeps downloads: ``HF_HUB_CACHE``, else ``HF_HOME``/hub, else the usual place."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or str(Path(base) / "huggingface")
    return Path(home).expanduser() / "hub"


def repository_folder(repository: str) -> str:
    return f"models--{repository.replace('/', '--')}"


def snapshot(repository: str) -> Path | None:
    """The newest snapshot of a hub repository in the cache, without network access. :raises CannotLook:"""
    root = hub_cache() / repository_folder(repository)
    reference = root / "refs" / "main"
    try:
        with plain_files.opened(reference) as file:
            revision = file.read(REVISION_MAX).decode("ascii").strip()
    except (*plain_files.ABSENT, plain_files.NotPlain, ValueError):
        return None
    except OSError as error:
        raise plain_files.cannot_look(reference, error) from None
    folder = root / "snapshots" / revision
    return folder if revision and plain_files.is_dir(folder) else None


def find(
    *,
    hub: str | None,
    folder: str | None,
    variant: str | None = None,
    without: Collection[str] = (),
    unused: Collection[str] = (),
) -> Path | None:
    """The model's folder, if its index and the weights of every component except ``without`` are here. For a hub's
    snapshot also the settings of all loaded components (all except ``unused``): the download may have been interrupted.

    :raises CannotLook:
    """
    found = Path(folder) if folder is not None else snapshot(hub or "")
    if found is None:
        return None
    try:
        index = read_index(found)
    except (BrokenFile, FileNotFoundError):
        return None
    if any(shards.lacking(found / name, variant) is not None for name in components(index, without)):
        return None
    return found if folder is not None or _has_settings(found, index, unused) else None


def find_file(*, hub: str | None, file: str) -> Path | None:
    """A single file of weights, if it is here: in the cache of ``hub``, else at that absolute path.

    :raises CannotLook:
    """
    folder = snapshot(hub) if hub is not None else Path("/")
    found = folder / file if folder is not None else None
    return found if found is not None and plain_files.is_file(found) else None


def folder_size(folder: Path) -> int:
    """Bytes of the files directly in a folder; 0 where there is none."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0


def read_index(folder: Path) -> dict[str, Any]:
    """:raises FileNotFoundError: :raises BrokenFile: :raises CannotLook:"""
    path = folder / "model_index.json"
    try:
        index = plain_files.read_json(path)
    except plain_files.ABSENT:
        raise FileNotFoundError("model_index.json") from None
    except (plain_files.NotPlain, ValueError):
        raise BrokenFile("model_index.json") from None
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None
    if not isinstance(index, dict):
        raise BrokenFile("model_index.json")
    return index


def find_component(name: str, *, hub: str | None, folder: str | None, variant: str | None = None) -> Path | None:
    """The model's folder, where only that component has to be here. :raises CannotLook:"""
    found = Path(folder) if folder is not None else snapshot(hub or "")
    if found is None or not plain_files.is_file(found / name / "config.json"):
        return None
    return found if shards.lacking(found / name, variant) is None else None


def find_single(hub: str) -> Path | None:
    """The snapshot of a repository that is one component, if all of ``SINGLE`` is here."""
    found = snapshot(hub)
    return found if found is not None and all(plain_files.is_file(found / name) for name in SINGLE) else None


def components(index: dict[str, Any], without: Collection[str] = ()) -> list[str]:
    """The components with weights that our pipelines load (no safety checker), except ``without``."""
    return [name for name in _used(index, WEIGHTED) if name not in without]


def _used(index: dict[str, Any], wanted: Iterable[str]) -> list[str]:
    """The wanted components that the model has: an index may list missing ones as ``[null, null]``."""
    return [name for name in wanted if isinstance(index.get(name), list) and index[name][:1] not in ([], [None])]


def prompt_width(folder: Path) -> int | None:
    """Width of the prompt embeddings that the model's U-Net takes; ``None``: unknown."""
    try:
        width = plain_files.read_json(folder / "unet" / "config.json").get("cross_attention_dim")
    except (OSError, ValueError, AttributeError):
        return None  # unknown: only loading tells whether an extra fits
    return width if type(width) is int else None


def _has_settings(folder: Path, index: dict[str, Any], unused: Collection[str]) -> bool:
    """Whether everything but weights is here: settings of the parts, the scheduler's, and the tokenizers' files."""
    if not all(plain_files.is_file(folder / name / "config.json") for name in components(index, unused)):
        return False
    if not plain_files.is_file(folder / "scheduler" / "scheduler_config.json"):
        return False
    return all(tokenizers.has_words(folder / name) for name in used_tokenizers(index, unused))


def used_tokenizers(index: dict[str, Any], without: Collection[str] = ()) -> list[str]:
    """The tokenizers of the text encoders that our pipelines load, except ``without``."""
    unread = {name.replace("text_encoder", "tokenizer") for name in without}
    return [name for name in _used(index, tokenizers.NAMES) if name not in unread]


def check_tokenizers(folder: Path, without: Collection[str] = ()) -> None:
    """Check that each tokenizer has a vocabulary and usable settings.

    :raises BrokenFile: :raises FileNotFoundError: :raises CannotLook:
    """
    for name in used_tokenizers(read_index(folder), without):
        encoder = folder / name.replace("tokenizer", "text_encoder") / "config.json"
        if (found := tokenizers.problem(folder / name, encoder)) is not None:
            raise BrokenFile(f"{name}/{found.name}", *(() if found.why is None else (found.why,)))


def weight_files(folder: Path, variant: str | None, without: Collection[str] = ()) -> list[Path]:
    """The ``.safetensors`` files that are loaded: the variant's where it has any, per component.

    :raises BrokenFile: a component has none, or not all of them
    """
    chosen: list[Path] = []
    for component in components(read_index(folder), without):
        chosen += component_files(folder, component, variant)
    return chosen


def component_files(folder: Path, component: str, variant: str | None) -> list[Path]:
    """:raises BrokenFile: it has no weights, or not all of them"""
    if (name := shards.lacking(folder / component, variant)) is not None:
        raise BrokenFile(f"{component}/{name}")
    names = shards.of_variant(plain_files.names(folder / component), variant)
    return [folder / component / name for name in names]


def has_variant(folder: Path, variant: str | None) -> bool:
    """Whether any component comes in this variant."""
    return variant is not None and any(
        shards.variant_of(path.name) == variant for path in folder.glob("*/*.safetensors")
    )


def check(folder: Path, variant: str | None, without: Collection[str] = ()) -> dict[str, int]:
    """Look at every weight file's header; the number of stored values by component.

    :raises BrokenFile: a file is truncated or no safetensors file
    """
    counts: dict[str, int] = {}
    for path in weight_files(folder, variant, without):
        counts[path.parent.name] = counts.get(path.parent.name, 0) + count(folder, path)
    return counts


def count(folder: Path, path: Path) -> int:
    """How many values one weight file stores.

    :raises BrokenFile: it is truncated or no safetensors file :raises CannotLook:
    """
    try:
        return int(READER.ask("part", path)["values"])
    except headers.BadFile as error:
        known = str(error) in (headers.CUT_OFF, headers.NO_SAFETENSORS)
        raise BrokenFile(str(path.relative_to(folder)), *(() if known else (str(error),))) from None
    except plain_files.ABSENT:
        raise BrokenFile(str(path.relative_to(folder))) from None
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None


def model_hash(folder: Path, variant: str | None, without: Collection[str] = (), elsewhere: Iterable[Path] = ()) -> str:
    """A fingerprint of a model, 16 hex digits over weights and settings, as `files_hash`. ``elsewhere``: files that
    replace the components ``without``."""
    return files_hash(folder, [*weight_files(folder, variant, without), *elsewhere, *settings_files(folder, without)])


def settings_files(folder: Path, without: Collection[str] = ()) -> list[Path]:
    """The settings of the parts (shapes, noise schedule, prediction type): with others the same weights draw another
    picture. A replaced transformer is built by the model's own settings."""
    parts = [folder / name / "config.json" for name in WEIGHTED if name not in without or name == "transformer"]
    wanted = [folder / "model_index.json", folder / "scheduler" / "scheduler_config.json", *parts]
    return [path for path in wanted if plain_files.is_file(path)]


def files_hash(folder: Path, paths: Iterable[Path]) -> str:
    """SHA-256, its first 16 digits, over for each file in order: path in the folder (of one from elsewhere its name),
    size, first MiB (safetensors' header: names, shapes and types), last MiB, and 64 blocks of 64 KiB at places between
    them that follow from the size.

    A fingerprint: what is trained or merged anew differs nearly everywhere, but a few bytes that somebody changed in a
    file of more than 6 MiB may lie between the blocks. It reads at most 6 MiB of each file, in about 10 ms from memory,
    however large that is; on a disk that has to turn 64 looks take half a second.
    """
    digest = hashlib.sha256()
    for path in paths:
        name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.name
        with plain_files.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(f"{name}\0{size}\0".encode(errors="surrogateescape"))
            for start, length in _sampled(size):
                file.seek(start)
                digest.update(file.read(length))
    return digest.hexdigest()[:16]


def _sampled(size: int) -> list[tuple[int, int]]:
    """Offsets and lengths that are read of a file of that size: all of it up to 6 MiB, else ends and blocks."""
    between = size - 2 * MIB
    if between <= BLOCKS * BLOCK:
        return [(0, size)]
    places = (MIB + number * (between - BLOCK) // (BLOCKS - 1) for number in range(BLOCKS))
    return [(0, MIB), *((place, BLOCK) for place in places), (size - MIB, MIB)]
