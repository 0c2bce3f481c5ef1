# mypy: disallow-untyped-calls=False
"""The judge: a small classifier that says what is in a picture and whether it is spoilt, one answer for each question.

It has only ever seen drawings of the program, never a picture of the model that it judges. It is what tests and the
evaluation mean by "an otter in a cowboy hat is to be seen". ``judge_training`` makes its weights, which lie beside
this file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from .scenes import NONE, QUESTIONS

SIZE = 128
"""Pixels on each side; other pictures are brought to it. So it does not see whether one of 256 is sharp: ``sharpness``
measures that at the picture's own size."""
WEIGHTS = Path(__file__).with_name("judge.safetensors")
LATE = 152
"""Features of the last layer."""
PRESENT = 0.5
"""A value counts as seen where the judge gives it more than all others of its category together."""

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pictures = Sequence[Image.Image] | Pixels


class Network(nn.Module):
    """Pictures N×3×128×128 in 0 … 1 to logits N×(all values of all questions, in their order)."""

    def __init__(self) -> None:
        super().__init__()
        self.early = nn.Sequential(_conv(3, 24, kernel=5, stride=2), _conv(24, 32, stride=2))
        self.middle = nn.Sequential(_conv(32, 64, stride=2), _conv(64, 64))
        self.late = nn.Sequential(_conv(64, 96, stride=2), _conv(96, 96), _conv(96, LATE))
        self.heads = nn.Linear(2 * 32 + 2 * 64 + 2 * LATE, sum(map(len, QUESTIONS.values())))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        early = self.early(pictures * 2 - 1)
        middle = self.middle(early)
        late = self.late(middle)
        # Averages of early features capture texture (style); maxima of late ones find objects (hats).
        features = torch.cat([f(layer) for layer in (early, middle, late) for f in (_mean, _largest)], dim=1)
        return self.heads(F.dropout(features, 0.1, self.training))  # type: ignore[no-any-return]


class Judge:
    """Answers about pictures. Holds the weights (about 1.5 MB in memory); one thread of PyTorch's is enough."""

    def __init__(self, network: Network) -> None:
        self._network = network.eval()

    @classmethod
    def load(cls, path: Path | None = None) -> Judge:
        """:raises FileNotFoundError: ValueError: the weights are of other categories than ``scenes`` has now"""
        path = path or WEIGHTS
        if metadata(path).get("categories") != _categories():
            raise ValueError(
                f"{path.name} was trained for other categories; train it again: python -m otter_mini judge"
            )
        network = Network()
        network.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
        return cls(network)

    def logits(self, pictures: Pictures) -> dict[str, Floats]:
        """By question N×K, natural logarithms up to a constant for each picture."""
        pixels = as_pixels(pictures)
        with torch.inference_mode():
            parts = [self._network(as_tensor(pixels[at : at + 64])).numpy() for at in range(0, len(pixels), 64)]
        none = np.zeros((0, self._network.heads.out_features), np.float32)
        return split(np.concatenate([none, *parts]))

    def probabilities(self, pictures: Pictures) -> dict[str, Floats]:
        """By question N×K; each row adds up to 1. The columns are the values in the order of ``QUESTIONS``."""
        return {question: _softmax(logits) for question, logits in self.logits(pictures).items()}

    def score(self, pictures: Pictures, question: str, value: str) -> Floats:
        """N probabilities of that value."""
        return self.probabilities(pictures)[question][:, QUESTIONS[question].index(value)]

    def spoilt(self, pictures: Pictures) -> Floats:
        """N probabilities that a picture is spoilt, in whatever way."""
        shares: Floats = 1 - self.score(pictures, "spoilt", NONE)
        return shares

    def logit(self, pictures: Pictures, question: str, value: str) -> Floats:
        """N log-odds of that value against all others, which still differ where probabilities are close to 0 or 1."""
        logits = self.logits(pictures)[question]
        index = QUESTIONS[question].index(value)
        others = np.delete(logits, index, axis=1)
        top = others.max(axis=1)
        odds: Floats = logits[:, index] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
        return odds


def write(network: Network, path: Path, notes: Mapping[str, str]) -> None:
    """The weights in half precision, with the categories and ``notes`` in the file's head."""
    tensors = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items() if tensor.ndim}
    # Sort the header: the library writes it in random order, and the same seed must give the same bytes.
    data = save(tensors)
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    head["__metadata__"] = {**notes, "categories": _categories()}
    text = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])


def metadata(path: Path | None = None) -> dict[str, str]:
    with safe_open(path or WEIGHTS, framework="pt") as file:
        return dict(file.metadata() or {})


def as_pixels(pictures: Pictures) -> Pixels:
    """N×128×128×3 from pictures or arrays of any size. :raises ValueError: for an array that is no row of pictures"""
    if isinstance(pictures, np.ndarray):
        if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"pictures must be uint8 N×H×W×3, not {pictures.dtype} {pictures.shape}")
        if pictures.shape[1:3] == (SIZE, SIZE):
            return pictures
        pictures = [Image.fromarray(picture) for picture in pictures]
    if not pictures:
        return np.zeros((0, SIZE, SIZE, 3), np.uint8)
    return np.stack([np.asarray(_resized(picture.convert("RGB"))) for picture in pictures])


def as_tensor(pixels: Pixels) -> torch.Tensor:
    """N×3×H×W in 0 … 1."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 255


def split(logits: Floats) -> dict[str, Floats]:
    """The columns of each question."""
    ends = np.cumsum([len(values) for values in QUESTIONS.values()])[:-1]
    return dict(zip(QUESTIONS, np.split(logits, ends, axis=1), strict=True))


def _resized(picture: Image.Image) -> Image.Image:
    return picture if picture.size == (SIZE, SIZE) else picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def _conv(before: int, after: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )


def _mean(features: torch.Tensor) -> torch.Tensor:
    return features.mean(dim=(2, 3))


def _largest(features: torch.Tensor) -> torch.Tensor:
    return features.amax(dim=(2, 3))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _categories() -> str:
    return json.dumps(QUESTIONS)
