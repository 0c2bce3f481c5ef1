"""Where the files lie that a picture needs: what is added to a resolved request when it is drawn.

A request stores names and hashes, never paths: the operator's folders may lie elsewhere tomorrow.
"""

from __future__ import annotations

from .resolved import Fixed, ResolvedControl, ResolvedInitImage, ResolvedMask, UsedEmbedding, UsedLora


class LoraFile(UsedLora):
    path: str


class EmbeddingFile(UsedEmbedding):
    path: str


class InitImageFile(ResolvedInitImage):
    path: str
    """A checked RGB PNG."""


class MaskFile(ResolvedMask):
    path: str
    """A checked PNG of the init image's shape; its brightness says where to draw anew."""
    of_init_image: bool = False
    """It is the transparency of the init image itself, whose colours have been laid on white."""


class ControlFiles(ResolvedControl):
    picture: str
    """The picture that steers, a checked RGB PNG."""
    canny: bool
    """Its edges are taken."""
    path: str | None
    """The ControlNet's; ``None``: it is fetched from ``hub``."""


class CaptionerFiles(Fixed):
    """The captioner's: a folder, or a repository that may be fetched first."""

    folder: str | None
    hub: str | None


class CheckerFiles(Fixed):
    """The safety checker's: two folders, or a repository that may be fetched first."""

    folder: str | None
    features: str | None
    hub: str | None
