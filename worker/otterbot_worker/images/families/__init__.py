"""The families of models, by the name that a catalogue entry gives. Adding one is a module and a line here."""

from __future__ import annotations

from .base import Family
from .sd import SD
from .sdxl import SDXL

__all__ = ["FAMILIES", "Family"]

FAMILIES = {"sd": SD, "sdxl": SDXL}
