# mypy: disallow-untyped-calls=False
"""Small pictures of the latents while they are drawn: a linear map to colours, no decoder.

A step must not wait for them: on a card the colours are computed and copied asynchronously, and read after a later
step, at most once every half second. The picture has the same bytes with and without previews.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ...families import Family, Preview
from ...gpu.messages import Draw
from .. import diffusers_private
from ..load.loaded import Loaded
from ..monitor import Monitor

SECONDS = 0.5
"""Seconds between two previews."""
SIDES = (128, 256)
"""Pixels of the longer side, least and most; latents are an eighth of the picture's."""
QUALITY = 80
FILE = "preview.json"
"""A file in a VAE's folder with its own map: the fields of `Preview`."""

OnStep = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]


class Previews:
    """The previews of one picture. Owns at most one copy of latents in transit."""

    def __init__(self, colours: Preview, monitor: Monitor, device: torch.device) -> None:
        # Copy now, not in a step: a copy to the card waits for all queued work.
        self._factors = torch.tensor(colours.factors, device=device)
        self._bias = torch.tensor(colours.bias, device=device)
        self._monitor = monitor
        self._next = time.monotonic() + SECONDS
        self._coming: tuple[torch.Tensor, torch.cuda.Event | None] | None = None

    def after(self, on_step: OnStep) -> OnStep:
        """What a pipeline has to call behind each step, with ``on_step`` before it."""

        def then(pipe: Any, index: int, timestep: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
            kwargs = on_step(pipe, index, timestep, kwargs)
            self.look(kwargs["latents"])
            return kwargs

        return then

    def look(self, latents: torch.Tensor) -> None:
        """Report the preview that has arrived, and start the next one from these latents (1, channels, height, width)
        when due."""
        self._tell()
        now = time.monotonic()
        if self._coming is None and now >= self._next and latents.ndim == 4:
            self._next = now + SECONDS
            self._coming = self._take(latents)
            if self._coming[1] is None:
                self._tell()

    @torch.no_grad()
    def _take(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.cuda.Event | None]:
        known = latents[0].float().movedim(0, -1)
        # Normalise: some samplers' latents have a noise level up to 15, and would be all black and white.
        known = known / known.std().clamp(min=1.0)
        colours = (
            ((known @ self._factors + self._bias).nan_to_num(0.0).clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8)
        )
        if colours.device.type != "cuda":
            return colours.cpu(), None
        here = torch.empty(colours.shape, dtype=torch.uint8, pin_memory=True)
        here.copy_(colours, non_blocking=True)
        arrived = torch.cuda.Event()
        arrived.record(torch.cuda.current_stream(colours.device))
        return here, arrived

    def _tell(self) -> None:
        if self._coming is None or (self._coming[1] is not None and not self._coming[1].query()):
            return
        colours, self._coming = self._coming[0], None
        self._monitor.preview(encode(colours))


def begin(loaded: Loaded, task: Draw, device: torch.device, monitor: Monitor) -> tuple[Previews | None, list[str]]:
    """The task's `Previews`, or ``None`` with notes where there can be none."""
    if not task.preview or task.checker is not None:  # previews are not checked by the safety checker
        return None, []
    colours = colours_of(loaded.family, loaded.pipe.vae)
    if colours is None:
        return None, [f"There were no previews: what the latents of {loaded.entry.name} look like is not known."]
    return Previews(colours, monitor, device), []


def encode(colours: torch.Tensor) -> bytes:
    """A small JPEG of bytes (height, width, 3)."""
    picture = Image.fromarray(colours.numpy())
    longer = max(picture.size)
    scale = min(max(longer, SIDES[0]), SIDES[1]) / longer
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def colours_of(family: Family, vae: Any) -> Preview | None:
    """The map for this VAE: its own, else the family's; ``None``: unknown."""
    channels = int(getattr(vae.config, "latent_channels", 0))
    found = own(diffusers_private.folder_of(vae)) or family.preview
    return found if found is not None and len(found.factors) == channels else None


def own(folder: Path | None) -> Preview | None:
    """The map in a VAE's folder; ``None`` where there is none that can be used."""
    if folder is None:  # a VAE loaded by its hub id
        return None
    try:
        read = json.loads((folder / FILE).read_text("utf-8"))
        rows = [tuple(float(value) for value in row) for row in (*read["factors"], read["bias"])]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if any(len(row) != 3 or not all(map(math.isfinite, row)) for row in rows):
        return None
    *factors, bias = [(row[0], row[1], row[2]) for row in rows]
    return Preview(factors=tuple(factors), bias=bias)
