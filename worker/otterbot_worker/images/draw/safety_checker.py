# mypy: disallow-untyped-calls=False
"""The safety checker: classifies finished pixels of any family before they leave this process.

It is Stable Diffusion's own (a CLIP encoder and 20 concepts), in fp32 on the processor: card memory is for the model,
and overflowing half precision would answer "safe". Where it cannot run, the picture fails.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import CLIPImageProcessor

from ...errors import Cancelled, JobFailed
from ...models import download, part_settings
from ...models import safety as places
from ...schemas.draw_files import CheckerFiles
from ..load import device as devices
from ..monitor import Monitor
from ..pixels import Pixels

log = logging.getLogger(__name__)

UNSAFE = (
    "The safety checker took the picture for one that should not be shown here, so it was not kept. "
    "Another seed or prompt may help."
)


class Safety:
    """Owns the checker of the loaded model: loaded when a picture first needs it, kept until ``release``."""

    def __init__(self) -> None:
        self._place: CheckerFiles | None = None
        self._processor: Any = None
        self._checker: Any = None

    def release(self) -> None:
        self._place = self._processor = self._checker = None

    def load(self, place: CheckerFiles, *, downloads: bool, monitor: Monitor) -> None:
        """Have that checker ready.

        :raises JobFailed: ``safety_missing``, ``safety_broken`` :raises Cancelled: in a download
        """
        if self._checker is not None and self._place == place:
            return
        monitor.progress("loading")
        self.release()
        folder, features = _folders(place, downloads=downloads, monitor=monitor)
        try:
            self._processor = CLIPImageProcessor.from_pretrained(features, local_files_only=True)
            self._checker = _whole(folder)
        except (Cancelled, JobFailed):
            raise
        except Exception as error:
            if devices.is_out_of_memory(error):
                raise
            log.warning("the safety checker cannot be loaded: %s", type(error).__name__)
            raise _broken("its files do not fit together") from None
        self._place = place

    @torch.no_grad()
    def look(self, pixels: Pixels) -> None:
        """Check a picture (height, width, 3); returns if it may be shown.

        :raises JobFailed: ``unsafe``, ``safety_broken``
        """
        seen = self._processor(images=squares(pixels), return_tensors="pt").pixel_values
        numbers: list[bool] = []
        handle = self._checker.visual_projection.register_forward_hook(
            lambda _module, _arguments, output: numbers.append(bool(torch.isfinite(output).all()))
        )
        try:
            # It blackens unsafe pictures in ``images``, which needs as many entries as ``clip_input``.
            _, flagged = self._checker(clip_input=seen, images=np.zeros((len(seen), 1)))
        finally:
            handle.remove()
        if not all(numbers):
            raise _broken("it computes no numbers")
        if any(flagged):
            raise JobFailed("unsafe", UNSAFE)


def squares(pixels: Pixels) -> list[Image.Image]:
    """Squares that cover the whole picture: the checker itself looks only at the middle square."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    count = math.ceil(max(height, width) / side)
    starts = [round(number * (max(height, width) - side) / max(1, count - 1)) for number in range(count)]
    views = [
        pixels[:, start : start + side] if width >= height else pixels[start : start + side, :] for start in starts
    ]
    return [Image.fromarray(np.ascontiguousarray(view)) for view in views]


def _folders(place: CheckerFiles, *, downloads: bool, monitor: Monitor) -> tuple[Path, Path]:
    hub = place.hub
    if hub is not None:
        found = places.at_hub(hub)
        if found is None and downloads:
            found = _fetched(hub, monitor)
        if found is None:
            raise JobFailed("safety_missing", places.MISSING)
        place = found
    assert place.folder is not None, "what is here has a folder"
    assert place.features is not None
    return Path(place.folder), Path(place.features)


def _fetched(hub: str, monitor: Monitor) -> CheckerFiles | None:
    try:
        download.fetch(hub, chosen=places.FILES, monitor=monitor)
    except download.DownloadFailed as error:
        raise JobFailed("safety_missing", f"The safety checker could not be downloaded: {error}.") from None
    return places.at_hub(hub)


def _whole(folder: Path) -> Any:
    """Load the checker and verify that all weights were in the file: transformers fills missing ones with random
    numbers, with only a warning."""
    variant = None if (folder / "model.safetensors").is_file() else _variant(folder)
    if part_settings.unbuildable(folder, "config.json") is not None:
        raise _broken("nothing can be built by its settings")
    kind: Any = StableDiffusionSafetyChecker  # with output_loading_info it returns a pair, which its types do not say
    checker, about = kind.from_pretrained(
        folder,
        variant=variant,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if about["missing_keys"] or about["mismatched_keys"]:
        raise _broken("weights are missing")
    if not all(bool(torch.isfinite(parameter).all()) for parameter in checker.parameters()):
        raise _broken("it computes no numbers")
    return checker.eval()


def _variant(folder: Path) -> str | None:
    names = sorted(path.name for path in folder.glob("model.*.safetensors"))
    return next((name.split(".")[1].split("-")[0] for name in names if name.count(".") == 2), None)


def _broken(why: str) -> JobFailed:
    return JobFailed("safety_broken", f"The safety checker cannot be used ({why}), so no picture was drawn.")
