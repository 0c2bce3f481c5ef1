"""What is known of the GPU process and its device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["stopped", "starting", "idle", "loading", "drawing"]


@dataclass(frozen=True, kw_only=True)
class GpuInfoData:
    """Last known values; fields as ``schemas.GpuInfo``."""

    device: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None
    held_bytes: int | None = None
    """Of the card, by the process."""
    state: State = "stopped"
    resident: str | None = None
    """Name of the model that is loaded."""
