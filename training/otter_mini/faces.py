"""Where the drawings have their faces: errors count more there, in pictures and in latents."""

from __future__ import annotations

import torch

FACE_AT, FACE_REACH = (0.36, 0.5), (0.17, 0.2)
"""Middle and deviations of a bell over the faces of the drawings, down and right, as shares of the sides."""


def importance(height: int, width: int, face: float) -> torch.Tensor:
    """How much an error counts at each pixel or latent, 1 in the mean, H×W: a bell of ``face`` over where the drawings
    have their faces, in the middle and somewhat above it."""
    down = ((torch.arange(height) + 0.5) / height - FACE_AT[0]) / FACE_REACH[0]
    right = ((torch.arange(width) + 0.5) / width - FACE_AT[1]) / FACE_REACH[1]
    found = 1 + face * torch.exp(-(down[:, None].square() + right.square()) / 2)
    return found / found.mean()
