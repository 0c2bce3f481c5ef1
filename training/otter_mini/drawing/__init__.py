"""Draws scenes with PIL: what the model learns from."""

from .picture import draw

__all__ = ["draw"]
