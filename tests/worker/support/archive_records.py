"""A record as the worker writes it."""

from __future__ import annotations

from typing import Any

from otterbot_worker.schemas.records import Record


def record(**used: Any) -> Record:
    return Record.model_validate(unchecked(**used))


def unchecked(**used: Any) -> dict[str, Any]:
    """As JSON, whatever is in it: others can write anything into a file."""
    return {
        "v": 1,
        "asked": {"prompt": "otter"},
        "used": {
            "prompt": "otter, cowboy hat",
            "negative_prompt": "ugly, poor quality",
            "model": "ssd-1b",
            "model_hash": "0123456789abcdef0123",
            "sampler": "dpm++2m-karras",
            "steps": 30,
            "guidance_scale": 12.0,
            "width": 768,
            "height": 512,
            "seed": 42,
            "parser": "otterbot-1",
            "versions": {"otterbot-worker": "0.1.0", "diffusers": "0.42"},
        }
        | used,
        "took": 31.5,
    }
