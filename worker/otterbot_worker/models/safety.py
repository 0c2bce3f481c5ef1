"""Where the files of a safety checker lie: the model's own, else the one that the operator names. Free of torch.

A checker is Stable Diffusion's: a folder with ``config.json`` and weights (``safetensors`` only), and one with the
``preprocessor_config.json`` of the pictures that it looks at, which may be the same.
"""

from __future__ import annotations

from pathlib import Path

from ..schemas.draw_files import CheckerFiles
from . import files, plain_files

FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""Files that are downloaded of a repository."""
MISSING = (
    "The safety checker is not on the worker, so no picture is drawn where one has to look at it. "
    "The operator can allow downloads or name its folder (images.safety_checker)."
)


def place(model: Path | None, other: str | None, *, downloads: bool) -> CheckerFiles | None:
    """The checker's files; ``None``: there is none.

    ``model``: the model's folder (or file). ``other``: as ``images.safety_checker``. A few ``stat`` calls.

    :raises CannotLook:
    """
    if model is not None and (found := _complete(model / "safety_checker", model / "feature_extractor")) is not None:
        return found
    if other is None:
        return None
    if other[0] in "/~":
        folder = Path(other).expanduser()
        return _complete(folder, folder)
    return at_hub(other) or (CheckerFiles(folder=None, features=None, hub=other) if downloads else None)


def at_hub(hub: str) -> CheckerFiles | None:
    """The checker of a repository, from the hub's cache."""
    folder = files.snapshot(hub)
    return None if folder is None else _complete(folder, folder)


def _complete(folder: Path, features: Path) -> CheckerFiles | None:
    needed = (folder / "config.json", features / "preprocessor_config.json")
    if not all(plain_files.is_file(path) for path in needed):
        return None
    if not any(name.startswith("model") and name.endswith(".safetensors") for name in plain_files.names(folder)):
        return None
    return CheckerFiles(folder=str(folder), features=str(features), hub=None)
