"""Draws the training pictures with PIL."""

from .picture import draw

__all__ = ["draw"]
