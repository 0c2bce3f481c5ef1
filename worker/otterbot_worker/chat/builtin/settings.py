"""What the configuration says of the built-in models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..records import BackendSettings


@dataclass(frozen=True, kw_only=True)
class BuiltinSettings(BackendSettings):
    """Times in seconds."""

    folder: Path
    """Where the operator's own models lie."""
    keep_alive: float = 300.0
    """After which an idle model leaves the memory."""
    load_timeout: float = 900.0
