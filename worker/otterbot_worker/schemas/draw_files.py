"""Paths of the files that a picture needs, added to a resolved request when it is drawn.

A request stores names and hashes, never paths: the operator's folders may lie elsewhere tomorrow.
"""

from __future__ import annotations

from .resolved_parts import Fixed, ResolvedControl, ResolvedInitImage, ResolvedMask, UsedEmbedding, UsedLora


class LoraFile(UsedLora):
    path: str


class EmbeddingFile(UsedEmbedding):
    path: str


class InitImageFile(ResolvedInitImage):
    path: str
    """A checked RGB PNG."""


class MaskFile(ResolvedMask):
    path: str
    """A checked PNG of the init image's shape, white where to repaint."""
    of_init_image: bool = False
    """It is the transparency of the init image itself, whose colours have been laid on white."""


class ControlFiles(ResolvedControl):
    picture: str
    """The ControlNet's input, a checked RGB PNG."""
    canny: bool
    """Compute Canny edges of ``picture`` first."""
    path: str | None
    """The ControlNet's path; ``None``: download it from ``hub``."""


class CaptionerFiles(Fixed):
    """The captioner's: a folder, or a repository that may be fetched first."""

    folder: str | None
    hub: str | None


class CheckerFiles(Fixed):
    """The safety checker's: two folders, or a repository that may be fetched first."""

    folder: str | None
    features: str | None
    hub: str | None
