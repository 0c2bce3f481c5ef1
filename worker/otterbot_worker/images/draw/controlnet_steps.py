# mypy: disallow-untyped-calls=False
"""ControlNet at work: a net beside the U-Net (Zhang et al. 2023, https://arxiv.org/abs/2302.05543) whose outputs are
added to the U-Net's blocks.

diffusers has ControlNet pipelines for txt2img, img2img and inpainting. Here a hook runs the ControlNet before the U-Net
of whatever pipeline draws, so one implementation serves all, with LoRAs too (tests compare the pictures). No weight of
the model is changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor

from ...schemas.draw_files import ControlFiles
from ..load.controlnet import alone
from . import canny, img2img, inpaint
from .passes import Drawing
from .step_hooks import watching


@contextmanager
def controlnet_applied(drawing: Drawing, pipe: Any) -> Iterator[None]:
    """Context in which the task's ControlNet acts on the steps of ``pipe``, for one run. :raises JobFailed:
    ``input_gone``"""
    control, controls, net = drawing.task.control, drawing.loaded.controls, drawing.loaded.controls.net
    if control is None or net is None or control.scale == 0:
        yield
        return
    hint = _hint(drawing, control)
    calls = steered = 0

    def add(_unet: torch.nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        nonlocal calls, steered
        first, last = calls / pipe.num_timesteps, (calls + 1) / pipe.num_timesteps
        calls += 1
        if first < control.start or last > control.end:
            return None
        steered += 1
        return arguments, {**named, **_residuals(net, hint, control.scale, arguments, named)}

    handle = pipe.unet.register_forward_pre_hook(add, with_kwargs=True)
    try:
        if controls.travels:
            net.to(drawing.device)
        with watching(alone(net), drawing.monitor.check):
            yield
    finally:
        handle.remove()
        if controls.travels:
            net.to("cpu")
    if not steered:
        drawing.notes.append("With so few steps none lies in the part that was to be steered.")


def _residuals(
    net: Any, hint: torch.Tensor, scale: float, arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Any]:
    """The ControlNet's residuals as arguments of the U-Net, computed from the U-Net's own arguments."""
    sample, timestep = arguments
    taken = {
        name: named[name]
        for name in ("encoder_hidden_states", "added_cond_kwargs", "timestep_cond")
        if named.get(name) is not None
    }
    down, middle = net(
        sample,
        timestep,
        controlnet_cond=hint.to(sample).expand(len(sample), -1, -1, -1),
        conditioning_scale=scale,
        return_dict=False,
        **taken,
    )
    return {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}


def _hint(drawing: Drawing, control: ControlFiles) -> torch.Tensor:
    """The ControlNet's input (1, 3, height, width), 0 to 1: the picture scaled to the drawn size, or its Canny
    edges."""
    task = drawing.task
    gone = "The picture that steers is not on the worker any more; please send it again."
    picture = img2img.read(Path(control.picture), task.width, task.height, gone=gone)
    picture = inpaint.on_canvas(task, picture)
    if control.canny:
        picture = canny.edges(picture)
        if picture.getbbox() is None:
            drawing.notes.append("There are no edges in the picture that steers.")
    processor = VaeImageProcessor(do_convert_rgb=True, do_normalize=False)
    hint: torch.Tensor = processor.preprocess(picture)
    return hint
