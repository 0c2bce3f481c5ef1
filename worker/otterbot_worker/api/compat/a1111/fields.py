"""Which of A1111's many fields ask for nothing that is not done here.

Clients send all of them, with the values that change nothing. So what is not done is refused where it would change the
picture, by its name, and passes where it would not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....schemas.jobs import FieldProblem

NOTHING: tuple[Any, ...] = (None, False, "", [], {})
"""Change nothing, whichever field has them."""

_SAME: dict[str, tuple[Any, ...]] = {
    "firstphase_width": (0,),
    "firstphase_height": (0,),
    "hr_resize_x": (0,),
    "hr_resize_y": (0,),
    "hr_checkpoint_name": ("Use same checkpoint",),
    "hr_sampler_name": ("Use same sampler",),
    "hr_scheduler": ("Use same scheduler",),
}
"""The second pass, with ``enable_hr`` only."""
_MASKED: dict[str, tuple[Any, ...]] = {
    "mask_blur": (0, 4),
    "mask_blur_x": (0, 4),
    "mask_blur_y": (0, 4),
    "inpainting_fill": (0, 1),
    "inpaint_full_res": (True,),
    "inpaint_full_res_padding": (0, 32),
    "inpainting_mask_invert": (0,),
    "mask_round": (True,),
}
"""Inpainting, with a mask only."""
_ALWAYS: dict[str, tuple[Any, ...]] = {
    "seed_resize_from_h": (-1, 0),
    "seed_resize_from_w": (-1, 0),
    "eta": (0,),
    "s_min_uncond": (0,),
    "s_churn": (0,),
    "s_tmin": (0,),
    "s_tmax": (0,),
    "s_noise": (0, 1),
    "refiner_checkpoint": ("None",),
    "initial_noise_multiplier": (1,),
    "image_cfg_scale": (1.5,),
    "ddim_discretize": ("uniform",),
    "resize_mode": (0,),
    "script_name": ("None",),
    "disable_extra_networks": (),
}
_HARMLESS = frozenset(
    {
        "url", "auth",  # SillyTavern passes its own address of the server along
        "do_not_save_samples", "do_not_save_grid", "override_settings_restore_afterwards", "force_task_id",
        "refiner_switch_at", "do_not_reload_embeddings", "comments", "hr_second_pass_steps", "hr_scale", "hr_upscaler",
        "return_grid",
    }
)  # fmt: skip
"""Change no picture, or none without another field that is judged."""
_SETTINGS: dict[str, tuple[Any, ...]] = {
    "sd_vae": ("Automatic", "None"),
    "eta_noise_seed_delta": (0,),
    "enable_pnginfo": (True,),
}
_HARMLESS_SETTINGS = frozenset(
    {
        "samples_save",
        "grid_save",
        "return_grid",
        "samples_format",
        "live_previews_enable",
        "show_progress_every_n_steps",
    }
)


def undone(fields: Mapping[str, Any], *, second_pass: bool, masked: bool) -> Iterator[FieldProblem]:
    """A problem for each field that would change the picture here, and cannot. ``fields``: those that nothing reads."""
    for name, value in fields.items():
        same = _ALWAYS.get(name, ())
        if name in _SAME:
            same = _SAME[name] if second_pass else (value,)
        elif name in _MASKED:
            same = _MASKED[name] if masked else (value,)
        if name not in _HARMLESS and not _any_of(value, (*NOTHING, *same)):
            yield _problem(name)


def undone_settings(settings: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """The same of ``override_settings``."""
    for name, value in settings.items():
        if name not in _HARMLESS_SETTINGS and not _any_of(value, (*NOTHING, *_SETTINGS.get(name, ()))):
            yield _problem(f"override_settings.{name}")


def _any_of(value: Any, same: tuple[Any, ...]) -> bool:
    """``True`` is not 1 here, nor ``False`` 0."""
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in same)


def _problem(name: str) -> FieldProblem:
    # The name was sent, so it is cut to something harmless; without it nobody could find it.
    shown = "".join(c for c in name[:64] if c.isalnum() or c in "_-.") or "?"
    message = f"{shown} with this value would change the picture, and Otterbot does not do it."
    return FieldProblem(field=shown, code="not_done", message=message)
