"""The families of models, by the name that a catalogue entry gives. Adding one is a module, a line here, and its
abilities in ``models.families``."""

from __future__ import annotations

from .base import Family, Preview
from .flux2 import FLUX2
from .sd import SD
from .sd3 import SD3
from .sdxl import SDXL
from .zimage import ZIMAGE

__all__ = ["FAMILIES", "Family", "Preview"]

FAMILIES = {"sd": SD, "sdxl": SDXL, "sd3": SD3, "zimage": ZIMAGE, "flux2": FLUX2}
