"""Where errors count more, in pictures and in latents: where the drawings have their faces, and what is held up."""

from __future__ import annotations

import torch

FACE_AT, FACE_REACH = (0.36, 0.5), (0.17, 0.2)
"""Middle and deviations of a bell over the faces of the drawings, down and right, as shares of the sides."""
HELD_AT, HELD_REACH = (0.27, 0.18), (0.14, 0.13)
"""The same for balloons and umbrellas."""


def importance(height: int, width: int, face: float, held: float = 0.0) -> torch.Tensor:
    """How much an error counts at each pixel or latent, 1 in the mean, H×W: bells of ``face`` over where the drawings
    have their faces, and of ``held`` over what they hold up."""
    found = torch.ones(height, width)
    for weight, middle, reach in ((face, FACE_AT, FACE_REACH), (held, HELD_AT, HELD_REACH)):
        down = ((torch.arange(height) + 0.5) / height - middle[0]) / reach[0]
        right = ((torch.arange(width) + 0.5) / width - middle[1]) / reach[1]
        found = found + weight * torch.exp(-(down[:, None].square() + right.square()) / 2)
    return found / found.mean()
