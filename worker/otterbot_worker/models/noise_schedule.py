"""A model's noise schedule: prediction type, and zero terminal SNR. Free of torch.

NoobAI and its relatives predict the velocity and have learned noise without any picture in it ("zero terminal SNR").
Drawn with as if they were plain SDXL, they begin with noise that they never saw, and give grey or burnt pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..sampling import samplers
from .headers import Header

VELOCITY = {"prediction_type": "v_prediction"}
ZERO_SNR = {"rescale_betas_zero_snr": True}
"""The scheduler setting of diffusers."""
RESCALE = 0.7
"""Guidance rescale for models with zero terminal SNR, as its authors recommend."""


def said(header: Header) -> dict[str, Any]:
    """The noise settings that a single file states. Trainers of SDXL leave empty tensors with these names, or notes."""
    notes = header.metadata
    velocity = (
        "v_pred" in header.shapes
        or notes.get("modelspec.prediction_type") in ("v", "v_prediction")
        or _true(notes, "ss_v_parameterization")
    )
    zero = "ztsnr" in header.shapes or _true(notes, "ss_zero_terminal_snr")
    return (VELOCITY if velocity else {}) | (ZERO_SNR if zero else {})


def settled(base: Mapping[str, Any], found: Mapping[str, Any], prediction: str | None) -> dict[str, Any]:
    """A scheduler's settings: the kind's, overridden by the file's, overridden by the entry's prediction type. Epsilon
    prediction excludes zero terminal SNR whatever the file says: at the step of pure noise the picture cannot be
    derived from predicted noise."""
    made = {**base, **found, **({} if prediction is None else {"prediction_type": prediction})}
    if made.get("prediction_type") != "v_prediction":
        made.pop("rescale_betas_zero_snr", None)
    return made


def zero_snr(settings: Mapping[str, Any]) -> bool:
    """Whether a scheduler's settings have zero terminal SNR."""
    return bool(settings.get("rescale_betas_zero_snr"))


def samplers_for(taken: tuple[str, ...], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Which of a family's samplers a model with those settings takes."""
    return tuple(name for name in taken if samplers.SAMPLERS[name].zero_snr) if zero_snr(settings) else taken


def rescale(settings: Mapping[str, Any]) -> float:
    """The guidance rescale for a scheduler's settings."""
    return RESCALE if zero_snr(settings) and settings.get("prediction_type") == "v_prediction" else 0.0


def _true(notes: Mapping[str, str], name: str) -> bool:
    return notes.get(name, "").lower() == "true"
