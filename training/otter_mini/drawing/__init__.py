"""Draws the training pictures with PIL."""

from .picture import draw
from .spoil import spoil

__all__ = ["draw", "spoil"]
