"""Where the files of a captioner lie: the operator's folder, else the one that the settings name. Free of torch.

A captioner is a Florence-2 as transformers itself builds it: ``config.json``, a tokenizer, the settings of the pictures
that it looks at, and weights (``safetensors`` only). Microsoft's own repositories hold another form of it, with a
program inside, which is never run.
"""

from __future__ import annotations

from pathlib import Path

from ..schemas.draw_files import CaptionerFiles
from . import files, plain_files

FOLDER = "captioner"
"""In the worker's data directory."""
FETCHED = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
)
"""What is fetched of a repository, as far as it has it."""
HOW = (
    "The operator can install a chat model that sees pictures, such as llava:7b, or allow downloads "
    "(images.downloads), or put a Florence-2 as transformers has it, such as florence-community/Florence-2-base, into "
    f"the folder {FOLDER} of the worker's data directory."
)
"""What to install."""
MISSING = f"Nothing on the worker sees pictures, so none can be described. {HOW}"


def place(folder: Path, configured: str | None, *, downloads: bool) -> CaptionerFiles | None:
    """``None``: there is none. ``configured``: as ``images.captioner``. A few ``stat`` calls. :raises CannotLook:"""
    if (found := _complete(folder)) is not None:
        return found
    if configured is None:
        return None
    if configured[0] in "/~":
        return _complete(Path(configured).expanduser())
    return at_hub(configured) or (CaptionerFiles(folder=None, hub=configured) if downloads else None)


def at_hub(hub: str) -> CaptionerFiles | None:
    """What the cache has of a repository. :raises CannotLook:"""
    folder = files.snapshot(hub)
    return None if folder is None else _complete(folder)


def _complete(folder: Path) -> CaptionerFiles | None:
    names = set(plain_files.names(folder)) if plain_files.is_dir(folder) else set()
    needed = (
        {"config.json"},
        {"processor_config.json", "preprocessor_config.json"},
        {"tokenizer.json", "vocab.json"},
        {name for name in names if name.startswith("model") and name.endswith(".safetensors")},
    )
    return CaptionerFiles(folder=str(folder), hub=None) if all(names & one for one in needed) else None
