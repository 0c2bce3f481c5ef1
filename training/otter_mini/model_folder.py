"""What a model's folder says about its pictures. Free of torch."""

from __future__ import annotations

import json
from pathlib import Path


def side_of(model: Path) -> int:
    """Pixels on each side of the pictures that it was trained for.

    :raises OSError: :raises ValueError: the folder has no such configuration
    """
    unet, vae = (json.loads((model / part / "config.json").read_text("utf-8")) for part in ("unet", "vae"))
    return int(unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1))
