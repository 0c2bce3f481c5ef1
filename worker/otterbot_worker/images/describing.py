"""What a picture shows, in the captioner's words: of a picture that somebody asks about, and of one just drawn."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import torch
from PIL import Image

from ..errors import Cancelled, CannotLook, JobFailed
from ..gpu.messages import Describe, Described, Draw
from ..schemas.draw_files import CaptionerFiles
from .captioner import ALT, TASKS, Behind
from .load import device as devices
from .monitor import Monitor
from .pixels import Pixels
from .residency import Residency, where

log = logging.getLogger(__name__)

NO_CAPTIONER = "There is no captioner on the worker, so the picture was not described."
NOT_DESCRIBED = "The captioner could not describe the picture; the operator finds the reason in the log."


class Describing:
    """``reserve``: bytes of the device that are left to others."""

    def __init__(self, device: torch.device, residency: Residency, *, downloads: bool, reserve: int) -> None:
        self._device = device
        self._residency = residency
        self._downloads = downloads
        self._reserve = reserve

    def describe(self, task: Describe, monitor: Monitor) -> Described:
        """What the captioner says of a picture. The image model stays where it is, if there is room for both.

        :raises JobFailed: Cancelled: devices.DeviceLost:
        """
        started = time.monotonic()
        try:
            with Image.open(task.picture) as picture:
                captions, notes = self._look(picture, task.captioner, TASKS, monitor)
        except (Cancelled, CannotLook, JobFailed) as error:
            raise error.with_traceback(None) from None
        except Exception as error:
            if devices.is_fatal(error):
                raise devices.DeviceLost(type(error).__name__).with_traceback(error.__traceback__) from None
            self._residency.captioner.release()
            if devices.is_out_of_memory(error):
                raise JobFailed(
                    "out_of_memory", "There is not enough memory on the worker's machine to describe a picture."
                ) from None
            log.error("a description failed: %s", where(error))
            raise JobFailed(
                "describe_failed", f"The captioner failed ({type(error).__name__}), so the picture was not described."
            ) from None
        loaded = self._residency.loaded
        return Described(
            task_id=task.task_id,
            captions=captions,
            seconds=time.monotonic() - started,
            memory=devices.memory(self._device),
            resident=loaded.entry.name if loaded else None,
            notes=notes,
        )

    def alt(self, task: Draw, pixels: Pixels, monitor: Monitor) -> tuple[str, list[str]]:
        """What the drawn picture shows, and what is to be said of that. Nothing that fails here takes it away."""
        if task.captioner is None:
            return "", [NO_CAPTIONER] if task.describe else []
        try:
            captions, notes = self._look(Image.fromarray(pixels), task.captioner, ALT, Behind(monitor))
        except Cancelled:
            raise
        except Exception as error:
            if devices.is_fatal(error):
                raise
            self._residency.captioner.release()
            log.warning("a drawn picture could not be described: %s", where(error))
            return "", [NOT_DESCRIBED]
        return captions[0], notes

    def _look(
        self, picture: Image.Image, place: CaptionerFiles, tasks: Sequence[tuple[str, int]], monitor: Monitor
    ) -> tuple[list[str], list[str]]:
        measure = self._residency.measure
        return self._residency.captioner.look(
            picture,
            place,
            self._device,
            tasks=tasks,
            available=lambda: measure(self._device, 0).available - self._reserve,
            put_away=self._residency.put_away,
            dtype=getattr(torch, measure(self._device, 0).precision().compute),
            downloads=self._downloads,
            monitor=monitor,
        )
