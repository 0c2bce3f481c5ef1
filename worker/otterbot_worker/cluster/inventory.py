"""Which models a machine has, and what tells two models of one name apart.

A lane draws with the files of its own machine, so it must not be given a model that is another one there. Of a hub's
model the repository tells, of files their contents: a fingerprint as in records.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from .. import __version__, config_file
from ..config import BadConfig, Config
from ..errors import CannotLook
from ..models import files
from ..models.catalogue import Catalogue, load_catalogue
from ..models.entries import ModelEntry
from ..models.entry_file import CatalogueError
from .wire import Machine

log = logging.getLogger(__name__)

Stamp = tuple[tuple[str, int, int], ...]
_known: dict[Stamp, str] = {}
"""Fingerprints for the life of the process: files of gigabytes are read at most once."""


def catalogue(config: Config) -> Catalogue:
    """:raises CatalogueError:"""
    own = [config.images.catalogue] if config.images.catalogue is not None else []
    return load_catalogue(
        *own,
        data_dir=config.data_dir,
        downloads_allowed=config.images.downloads,
        safety_checker=config.images.safety_checker,
        captioner_name=config.images.captioner,
    )


def machine() -> Machine:
    """This one, by its own settings. Runs as a task of Ray on each machine."""
    try:
        found = catalogue(config_file.load(config_file.default_file()))
    except (BadConfig, CatalogueError):
        return Machine(version=__version__, problem="Its settings cannot be read: see `otterbot-worker doctor` there.")
    return Machine(version=__version__, models=models(found, only_here=True))


def models(found: Catalogue, *, only_here: bool) -> dict[str, str]:
    """By name, what tells them apart. ``only_here``: those that are here or may be fetched, and no others."""
    told: dict[str, str] = {}
    for name, entry in found.look().images.items():
        try:
            if (not only_here or found.available(entry)) and (identity := identify(entry)) is not None:
                told[name] = identity
        except CannotLook as error:
            log.warning("a model could not be looked at", extra={"what": error.what, "why": error.why})
    return told


def identify(entry: ModelEntry) -> str | None:
    """The same on two machines for the same model, wherever its files lie. ``None``: its files are gone.

    :raises CannotLook:
    """
    try:
        own = _own(entry)
        parts: list[object] = [entry.family, own, entry.prediction, entry.vae, entry.without]
        parts += [_config(entry), None if entry.vae_path is None else _file(Path(entry.vae_path))]
        if (other := entry.transformer) is not None:
            parts.append(f"{other.hub} {other.file}" if other.hub is not None else _file(Path(other.file)))
        if (refiner := entry.refiner) is not None:
            parts += [refiner.hub or _file(Path(refiner.folder or "")), refiner.variant, refiner.hand_over]
    except (FileNotFoundError, files.BrokenFile):
        return None
    except OSError as error:
        raise CannotLook(f"the model {entry.name}", error.strerror or type(error).__name__) from None
    return " | ".join(str(part) for part in parts)


def _own(entry: ModelEntry) -> str:
    if entry.hub is not None:
        return f"{entry.hub} {entry.file} {entry.variant}"
    if entry.file is not None:
        return _file(Path(entry.file))
    folder = Path(entry.folder or "")
    paths = [*files.weight_files(folder, entry.variant, entry.absent), *files.settings_files(folder, entry.absent)]
    return _fingerprint(folder, paths)


def _config(entry: ModelEntry) -> str | None:
    """The name of a single file's settings; where they are a folder, what lies in it."""
    return _file(Path(entry.config)) if entry.config is not None and entry.config.startswith("/") else entry.config


def _file(path: Path) -> str:
    if path.is_dir():
        return _fingerprint(path, sorted(one for one in path.rglob("*") if one.is_file()))
    return _fingerprint(path.parent, [path])


def _fingerprint(folder: Path, paths: Iterable[Path]) -> str:
    """Names, sizes and contents count. :raises OSError:"""
    chosen = list(paths)
    stats = [(path, path.stat()) for path in chosen]
    stamp = tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in stats)
    if stamp not in _known:
        _known[stamp] = files.files_hash(folder, chosen)
    return _known[stamp]
