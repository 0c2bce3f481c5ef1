"""The families of models, by the name that a catalogue entry gives. Adding one is a module and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from .base import Computing, Family, Preview
from .flux2 import FLUX2
from .prompt import Prompt
from .sd import SD
from .sd3 import SD3
from .sdxl import SDXL
from .zimage import ZIMAGE

__all__ = ["FAMILIES", "Computing", "Family", "Preview", "Prompt"]

FAMILIES: Mapping[str, Family] = {"sd": SD, "sdxl": SDXL, "sd3": SD3, "zimage": ZIMAGE, "flux2": FLUX2}
