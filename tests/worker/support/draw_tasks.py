"""Tasks for the engine. Tests say what the engine reads of them; what it does not read is filled in."""

from __future__ import annotations

from typing import Any

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.draw_files import ControlFiles

_FILE = {"id": "0" * 64, "width": 64, "height": 64}
_CONTROL = {**_FILE, "kind": "canny", "start": 0.0, "end": 1.0, "hub": None, "picture": "", "canny": True}


def draw_task(**fields: Any) -> Draw:
    """``entry``: one, or its fields; ``init_image`` and ``mask``: paths; ``mask_is_alpha``: the mask is the init
    image's own; LoRAs, embeddings and the ControlNet: dicts."""
    entry = fields.pop("entry")
    entry = ModelEntry.from_dict(entry) if isinstance(entry, dict) else entry
    of_init_image = fields.pop("mask_is_alpha", False)
    for name, more in (("init_image", {}), ("mask", {"alpha": of_init_image, "of_init_image": of_init_image})):
        if (path := fields.get(name)) is not None:
            fields[name] = {**_FILE, "path": str(path), **more}
    if fields.get("mask"):
        del fields["mask"]["width"], fields["mask"]["height"]
    if isinstance(fields.get("control"), dict):
        fields["control"] = control_files(fields["control"])
    fields["loras"] = [{"autov3": "", **lora} for lora in fields.get("loras", [])]
    if isinstance(fields.get("hires"), dict):
        fields["hires"] = {"scale": 2.0, **fields["hires"]}
    if isinstance(fields.get("upscale"), dict):
        fields["upscale"] = {"factor": 2, **fields["upscale"]}
    return Draw.model_validate({"entry": entry, "model": entry.name, **fields})


def control_files(fields: dict[str, Any]) -> ControlFiles:
    path = fields["path"]
    return ControlFiles.model_validate({**_CONTROL, **fields, "path": None if path is None else str(path)})
