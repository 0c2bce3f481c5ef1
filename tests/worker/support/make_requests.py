"""Resolved requests for tests: a small picture, and what a test changes of it."""

from __future__ import annotations

from typing import Any

from otterbot_worker.schemas.resolved import ResolvedRequest


def resolved(**changes: Any) -> ResolvedRequest:
    """Sub-models may be given as dicts."""
    usual = {
        "model": "sdxl", "prompt": "otter", "negative_prompt": "", "steps": 30, "guidance_scale": 5.0, "width": 512,
        "height": 512, "sampler": "Euler", "seed": 7,
    }  # fmt: skip
    return ResolvedRequest.model_validate({**usual, **changes})
