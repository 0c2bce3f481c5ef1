# mypy: disallow-untyped-calls=False
"""The captioner: Florence-2, which says what a picture shows, from a sentence to a paragraph.

It waits in the computer's memory and is on the card only while it looks, beside the image model where there is room for
both. Its words are the model's: whoever shows them cleans them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import Florence2ForConditionalGeneration, Florence2Processor, StoppingCriteria, StoppingCriteriaList

from ..errors import Cancelled, JobFailed
from ..gpu.messages import Phase
from ..models import captioner as places
from ..models import download, part_settings
from ..schemas.draw_files import CaptionerFiles
from .load import device as devices
from .monitor import Monitor

log = logging.getLogger(__name__)

TASKS = (("<CAPTION>", 64), ("<DETAILED_CAPTION>", 128), ("<MORE_DETAILED_CAPTION>", 192))
"""What it was trained to be asked, and how many tokens it may say then."""
ALT = TASKS[1:2]
"""For people who do not see a picture of ours."""
WORKING_BYTES = 700_000_000
"""What it takes beside its weights while it looks. Measured of the base model on a processor, in full precision: 370
MB; the larger one's layers are a third wider, and a card's kernels take their own."""


class Captioner:
    """Owned by the engine; loaded when it is first asked, kept until ``release``."""

    def __init__(self) -> None:
        self._place: CaptionerFiles | None = None
        self._processor: Any = None
        self._model: Any = None

    def release(self) -> None:
        self._place = self._processor = self._model = None

    def look(
        self,
        picture: Image.Image,
        place: CaptionerFiles,
        device: torch.device,
        *,
        tasks: Sequence[tuple[str, int]] = TASKS,
        available: Callable[[], int],
        put_away: Callable[[], None],
        dtype: torch.dtype,
        downloads: bool,
        monitor: Monitor,
    ) -> tuple[list[str], list[str]]:
        """What it says of a picture, from short to long, and what is to be said of how that came. Where the card has no
        room, the processor looks.

        ``tasks``: of those that it knows; ``available``: bytes of the device that may be taken now; ``put_away``: takes
        the image model off it; ``dtype``: what the device computes in. The processor computes in full precision.

        :raises JobFailed: ``captioner_missing``, ``captioner_broken`` :raises Cancelled:
        """
        processor = torch.device("cpu")
        self._load(place, downloads=downloads, monitor=monitor)
        if device.type == "cpu":
            return self._captions(picture, tasks, processor, torch.float32, monitor), []
        needed = sum(one.numel() for one in self._model.parameters()) * dtype.itemsize + WORKING_BYTES
        if available() < needed:
            put_away()
        if available() >= needed:
            try:
                return self._captions(picture, tasks, device, dtype, monitor), []
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
            put_away()
        slow = "Described by the processor, since the card had no room for the captioner."
        return self._captions(picture, tasks, processor, torch.float32, monitor), [slow]

    def _load(self, place: CaptionerFiles, *, downloads: bool, monitor: Monitor) -> None:
        """Have it in the computer's memory."""
        if self._model is not None and self._place == place:
            return
        monitor.progress("loading")
        self.release()
        folder = _folder(place, downloads=downloads, monitor=monitor)
        try:
            self._processor = Florence2Processor.from_pretrained(folder, local_files_only=True)
            self._model = _whole(folder)
        except (Cancelled, JobFailed):
            raise
        except Exception as error:
            if devices.is_out_of_memory(error):
                raise
            log.warning("the captioner cannot be loaded: %s", type(error).__name__)
            raise _broken("its files do not fit together") from None
        self._place = place

    @torch.no_grad()
    def _captions(
        self,
        picture: Image.Image,
        tasks: Sequence[tuple[str, int]],
        device: torch.device,
        dtype: torch.dtype,
        monitor: Monitor,
    ) -> list[str]:
        """It leaves the device again, however that ends."""
        # Two lines of pixels would be taken for colours.
        pixels = picture.convert("RGB").resize((max(picture.width, 4), max(picture.height, 4)))
        try:
            self._model.to(device=device, dtype=dtype)
            found = []
            for number, (task, tokens) in enumerate(tasks):
                monitor.progress("describing", number, len(tasks))
                found.append(self._say(task, tokens, pixels, device, monitor))
            monitor.progress("describing", len(tasks), len(tasks))
            return found
        finally:
            self._model.to("cpu")
            devices.empty(device)

    def _say(self, task: str, tokens: int, pixels: Image.Image, device: torch.device, monitor: Monitor) -> str:
        asked = self._processor(text=task, images=pixels, return_tensors="pt").to(device, self._model.dtype)
        monitor.check()
        said = self._model.generate(
            **asked,
            max_new_tokens=tokens,
            num_beams=3,
            do_sample=False,
            stopping_criteria=StoppingCriteriaList([_Watching(monitor)]),
        )
        return str(self._processor.batch_decode(said, skip_special_tokens=True)[0])


class Behind:
    """The monitor of a picture that is drawn already: loading the captioner is no loading of its model."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def progress(self, phase: Phase, step: int = 0, steps: int = 0) -> None:
        self._monitor.progress("describing" if phase == "loading" else phase, step, steps)

    def preview(self, picture: bytes, frame: int = 0) -> None:
        self._monitor.preview(picture, frame)

    def check(self) -> None:
        self._monitor.check()


class _Watching(StoppingCriteria):  # type: ignore[misc]  # mypy does not look into transformers
    """Tells between two tokens that it still moves, and sees that nobody wants it any more."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> Any:
        self._monitor.check()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def _folder(place: CaptionerFiles, *, downloads: bool, monitor: Monitor) -> Path:
    if place.hub is not None:
        found = places.at_hub(place.hub)
        if found is None and downloads:
            try:
                download.fetch(place.hub, chosen=places.FETCHED, monitor=monitor)
            except download.DownloadFailed as error:
                said = f"The captioner could not be downloaded: {error}. {places.HOW}"
                raise JobFailed("captioner_missing", said) from None
            found = places.at_hub(place.hub)
        if found is None:
            raise JobFailed("captioner_missing", places.MISSING)
        place = found
    assert place.folder is not None, "what is here has a folder"
    return Path(place.folder)


def _whole(folder: Path) -> Any:
    """transformers fills what a file lacks with noise, and says so in its log only."""
    if part_settings.unbuildable(folder, "config.json") is not None:
        raise _broken("nothing can be built by its settings")
    kind: Any = Florence2ForConditionalGeneration  # with loading info it gives a pair, which its types do not say
    model, about = kind.from_pretrained(
        folder, dtype="auto", use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    if about["missing_keys"] or about["mismatched_keys"]:
        raise _broken("weights are missing, or it is no Florence-2 of the form that transformers has")
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        raise _broken("it computes no numbers")
    return model.eval()


def _broken(why: str) -> JobFailed:
    return JobFailed("captioner_broken", f"The captioner cannot be used ({why}), so no picture was described.")
