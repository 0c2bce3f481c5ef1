"""How a drawing can be spoilt, and the words for it: what stands in negative prompts. Free of torch and PIL.

A spoilt picture is described with such words, a clean one never is.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

WORDINGS: dict[str, tuple[str, ...]] = {
    "blurred": ("blurry", "blurry", "blurred", "blur", "out of focus", "low quality", "poor quality"),
    "jpeg": ("jpeg artifacts", "jpeg artifacts", "compression artifacts", "low quality", "worst quality"),
    "noise": ("noisy", "grainy", "noise", "poor quality", "worst quality", "low quality"),
    "reduced": ("low quality", "worst quality", "poor quality", "low resolution", "lowres", "bad quality"),
    "blocks": ("worst quality", "ugly", "low quality", "broken", "glitch"),
    "faded": ("washed out", "faded", "overexposed", "poor quality", "worst quality"),
    "warped": (
        "ugly", "bad anatomy", "bad hands", "missing fingers", "extra digit", "fewer digits", "deformed", "disfigured",
        "mutated", "extra limbs", "bad proportions",
    ),
    "letters": ("text", "watermark", "signature", "username", "artist name", "error", "logo", "letters"),
    "cropped": ("cropped", "cropped", "cut off", "out of frame"),
}  # fmt: skip
"""By kind, the words that people use for it; the more often it stands there, the more often it is said."""
KINDS = tuple(WORDINGS)
STANDARD_NEGATIVE = (
    "ugly, poor quality, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, "
    "worst quality, low quality, jpeg artifacts, signature, watermark, username, artist name"
)
"""What people of this field put into every negative prompt."""


@dataclass(frozen=True, kw_only=True)
class Spoiling:
    """What is done to a drawing: ``kinds`` in this order, each with ``strength`` 0 … 1; ``seed`` is for its chances."""

    kinds: tuple[str, ...]
    strength: float
    seed: int

    @property
    def heavy(self) -> bool:
        """So spoilt that the whole standard list describes it."""
        return len(self.kinds) > 2


def sample(rng: random.Random, kind: str | None = None) -> Spoiling:
    """One kind in most, two in some, three or four in every sixth. ``kind``: that one alone."""
    count = rng.choices((1, 2, 3, 4), (65, 18, 9, 8))[0]
    kinds = tuple(rng.sample(KINDS, count))
    strength, seed = rng.random(), rng.randrange(2**31)
    return Spoiling(kinds=kinds if kind is None else (kind,), strength=strength, seed=seed)


def words(spoiling: Spoiling, rng: random.Random) -> list[str]:
    """What is said about it: something about each kind, or the whole standard list."""
    if spoiling.heavy and rng.random() < 0.6:
        return STANDARD_NEGATIVE.split(", ")
    found = [rng.choice(WORDINGS[kind]) for kind in spoiling.kinds]
    if rng.random() < 0.3:
        found.append(rng.choice(WORDINGS[spoiling.kinds[0]]))
    return list(dict.fromkeys(found))
