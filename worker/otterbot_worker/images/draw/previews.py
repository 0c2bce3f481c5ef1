# mypy: disallow-untyped-calls=False
"""Small pictures of the latents while they are drawn: a linear map to colours, no decoder.

A step must not wait for them: on a card the colours are computed and copied asynchronously, and read after a later
step, at most once every half second. For a film there is one behind each step, evenly spread where there are many. The
picture has the same bytes with and without previews.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image

from ...families import Family, Preview
from ...gpu.messages import Draw
from ...sampling import tiles
from .. import diffusers_private
from ..load.loaded import Loaded
from ..monitor import Monitor

SECONDS = 0.5
"""Seconds between two previews."""
FRAMES = 24
"""Of a film at most, the finished picture aside."""
SIDES = (128, 256)
"""Pixels of the longer side, least and most; latents are an eighth of the picture's."""
QUALITY = 80
FILE = "preview.json"
"""A file in a VAE's folder with its own map: the fields of `Preview`."""

OnStep = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]


class Progress(Protocol):
    """How far the picture is; ``passes.Steps``."""

    @property
    def done(self) -> int: ...
    @property
    def share(self) -> float: ...


class Film:
    """Which steps of one picture belong into its film: each, or `FRAMES` that are evenly spread. ``seen``: the share of
    all steps that previews can show; those of tiles are not shown."""

    def __init__(self, steps: Progress, *, seen: float = 1.0) -> None:
        self._steps = steps
        self._seen = seen
        self._next = 1

    def frame(self) -> int:
        """The number of the step that is done, where it belongs into the film; else 0."""
        place = math.floor(self._steps.share / self._seen * FRAMES)
        if place < self._next or self._next > FRAMES:
            return 0
        self._next = place + 1
        return self._steps.done


class Previews:
    """The previews of one picture. Owns at most one copy of latents in transit.

    ``live``: they are to be looked at meanwhile, each half second."""

    def __init__(
        self, colours: Preview, monitor: Monitor, device: torch.device, *, live: bool = True, film: Film | None = None
    ) -> None:
        # Copy now, not in a step: a copy to the card waits for all queued work.
        self._factors = torch.tensor(colours.factors, device=device)
        self._bias = torch.tensor(colours.bias, device=device)
        self._monitor = monitor
        self._live = live
        self._film = film
        self._next = time.monotonic() + SECONDS
        self._coming: tuple[torch.Tensor, torch.cuda.Event | None, int] | None = None

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
        if self._coming is not None or latents.ndim != 4:
            return
        now, frame = time.monotonic(), self._film.frame() if self._film is not None else 0
        if frame or (self._live and now >= self._next):
            self._next = now + SECONDS
            self._coming = *self._take(latents), frame
            if self._coming[1] is None:
                self._tell()

    def finish(self) -> None:
        """The last step is done: report what is still on its way, if it belongs into the film."""
        if self._coming is not None and self._coming[2]:
            if (arrived := self._coming[1]) is not None:
                arrived.synchronize()
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
        (colours, _, frame), self._coming = self._coming, None
        self._monitor.preview(encode(colours), frame)


def begin(
    loaded: Loaded, task: Draw, device: torch.device, monitor: Monitor, steps: Progress
) -> tuple[Previews | None, list[str]]:
    """The task's `Previews`, or ``None`` with notes where there can be none."""
    if not (task.preview or task.film) or task.checker is not None:  # the safety checker does not look at them
        return None, []
    colours = colours_of(loaded.family, loaded.pipe.vae)
    if colours is None:
        why = f"what the latents of {loaded.entry.name} look like is not known."
        preview = [f"There were no previews: {why}"] if task.preview else []
        return None, [*preview, *([f"There is no film: {why}"] if task.film else [])]
    return Previews(colours, monitor, device, live=task.preview, film=_film(task, steps)), []


def _film(task: Draw, steps: Progress) -> Film | None:
    if not task.film:
        return None
    shown = tiles.runs(task)[0].steps if tiles.in_tiles(task) else tiles.steps(task)
    return Film(steps, seen=shown / max(1, tiles.steps(task)))


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
