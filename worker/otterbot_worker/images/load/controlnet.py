# mypy: disallow-untyped-calls=False
"""The ControlNet of a loaded pipeline: found or downloaded, loaded, kept and released."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from ...errors import Cancelled, CannotLook, JobFailed, look_failed
from ...gpu.messages import UsedControlNet
from ...memory.device_info import Precision
from ...memory.placement import GROUPS, Plan
from ...models import controlnets, download
from ...schemas.draw_files import ControlFiles
from ..memory import placing
from ..monitor import Monitor
from . import controlnet_loader, dtypes
from . import device as devices

log = logging.getLogger(__name__)


class LoadedControlNet:
    """Owns the ControlNet of one loaded pipeline. It stays in the computer's memory until a picture needs another one
    or none, or the model is dropped. It is on the device only during denoising, not beside the VAE's peak."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._groups = False
        self.net: Any = None
        self.record: UsedControlNet | None = None
        """Name and hash for the record of the last picture."""

    def load(
        self,
        pipe: Any,
        control: ControlFiles | None,
        plan: Plan,
        device: torch.device,
        precision: Precision,
        *,
        downloads: bool,
        monitor: Monitor,
    ) -> None:
        """Load the task's ControlNet and drop any other; at scale 0 load none.

        :raises JobFailed: ``controlnet_missing``, ``controlnet_broken`` :raises Cancelled: in a download
        """
        key = None if control is None else (control.name, control.hash, control.path)
        if key is None or key != self._key:
            self.release()
        if control is None:
            return
        if self.record is None:
            path = _path(control, downloads=downloads, monitor=monitor)
            self.record = UsedControlNet(name=control.name, hash=_hash(control, path))
            self._key = (control.name, control.hash, control.path)
        if self.net is None and control.scale > 0:
            monitor.progress("loading")
            net = _net(pipe, control, precision, _path(control, downloads=downloads, monitor=monitor))
            self._groups = plan.offload == "groups" and device.type == "cuda"
            dtypes.compute_in(alone(net), precision)
            if self._groups:
                placing.place_one(plan, net, device)
            self.net = net

    @property
    def travels(self) -> bool:
        """Whether it is moved to the device and back as a whole; else its layers move one by one."""
        return not self._groups

    def release(self) -> None:
        """Drop the ControlNet."""
        if self._groups:
            placing.unhook(GROUPS, alone(self.net))
        self._key = self.net = self.record = None
        self._groups = False


def alone(net: Any) -> Any:
    """The net wrapped like a pipeline, for ``placing``."""
    return SimpleNamespace(components={"controlnet": net})


def _path(control: ControlFiles, *, downloads: bool, monitor: Monitor) -> Path:
    """The ControlNet's path, downloaded first where needed and allowed. :raises JobFailed: ``controlnet_missing``"""
    if control.path is not None:
        return Path(control.path)
    assert control.hub is not None, "what has no path comes from a hub"
    if (folder := controlnets.cached(control.hub)) is not None:
        return folder
    if not downloads:
        raise _missing(control, "is not on the worker any more")
    monitor.progress("loading")
    try:
        return download.fetch(control.hub, single=True, monitor=monitor)
    except download.DownloadFailed as error:
        raise _missing(control, f"could not be downloaded: {error}") from None


def _hash(control: ControlFiles, path: Path) -> str:
    """The hash of the file that is there now. :raises JobFailed: the file is gone, or not the one that was resolved"""
    weights = controlnets.weights_in(path)
    try:
        found = None if weights is None else controlnets.hash_of(weights)
    except OSError as error:
        look_failed(error, f"the ControlNet {control.name}")
        found = None
    if found is None:
        raise _missing(control, "is not on the worker any more")
    if control.hash not in (None, found):
        raise _broken(control, "its file was changed after this was asked for; please ask again")
    return found


def _net(pipe: Any, control: ControlFiles, precision: Precision, path: Path) -> Any:
    """:raises JobFailed: ``controlnet_broken``"""
    try:
        return controlnet_loader.load(path, pipe.unet, dtypes.dtype(precision.storage))
    except controlnet_loader.Unfit as error:
        raise _broken(control, str(error)) from None
    except (Cancelled, CannotLook, JobFailed):
        raise
    except Exception as error:
        if devices.is_out_of_memory(error) or devices.is_fatal(error):
            raise
        look_failed(error, f"the ControlNet {control.name}")
        log.warning("a ControlNet cannot be loaded: %s", type(error).__name__)
        raise _broken(control, "its file is cut off, or does not hold what it says") from None


def _broken(control: ControlFiles, why: str) -> JobFailed:
    sentence = f"The ControlNet {control.name} cannot be used: {why}."
    return JobFailed("controlnet_broken", sentence, {"controlnet": control.name})


def _missing(control: ControlFiles, why: str) -> JobFailed:
    return JobFailed("controlnet_missing", f"The ControlNet {control.name} {why}.", {"controlnet": control.name})
