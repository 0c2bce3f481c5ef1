"""Which flags there are, and which of them somebody meant who typed another word."""

from __future__ import annotations

from difflib import get_close_matches

from .options import SHAPES

FLAGS = (
    "no", "steps", "cfg", "size", "ar", *SHAPES, "seed", "variation", "model", "sampler", "count", "strength",
    "hires", "inpaint", "control", "explain",
)  # fmt: skip

BARE = ("inpaint", "explain")
"""Flags without a value."""
_WORDS = (*SHAPES, "hires", "inpaint", "control")
"""Flags whose beginnings are words as well."""

ALIASES = {"aspect": "ar"}
"""Not offered to those who mistyped something: too near to words after a dash of prose."""

_MEANT = {
    "negative": "no",
    "neg": "no",
    "not": "no",
    "without": "no",
    "guidance": "cfg",
    "scale": "cfg",
    "guidance_scale": "cfg",
    "width": "size",
    "height": "size",
    "resolution": "size",
    "ratio": "ar",
    "aspect_ratio": "ar",
    "aspect-ratio": "ar",
    "shape": "ar",
    "format": "ar",
    "wide": "landscape",
    "tall": "portrait",
    "w": "size",
    "h": "size",
    "vary": "variation",
    "subseed": "variation",
    "variations": "variation",
    "n": "count",
    "number": "count",
    "amount": "count",
    "images": "count",
    "scheduler": "sampler",
    "s": "steps",
    "mask": "inpaint",
    "fill": "inpaint",
    "controlnet": "control",
    "canny": "control",
    "edges": "control",
    "steer": "control",
    "hr": "hires",
    "highres": "hires",
    "hires_fix": "hires",
    "hires-fix": "hires",
    "upscale": "hires",
    "enlarge": "hires",
    "checkpoint": "model",
    "denoise": "strength",
    "denoising": "strength",
    "denoising_strength": "strength",
}


def meant(name: str) -> str | None:
    """The flag that a word certainly stands for: its own name, or another program's name of it."""
    name = ALIASES.get(name, name)
    return name if name in FLAGS else _MEANT.get(name)


def near_flags(name: str) -> tuple[str, ...]:
    """The flags that somebody who typed ``name`` may have meant, best first."""
    name = name[:40].lower()
    if name in _MEANT:
        return (_MEANT[name],)
    begun = [flag for flag in FLAGS if len(flag) > 2 and (name.startswith(flag) or _begins(flag, name))]
    return tuple(dict.fromkeys([*begun, *get_close_matches(name, FLAGS, n=2, cutoff=0.7)]))[:2]


def _begins(flag: str, name: str) -> bool:
    """A word of prose after a dash, as ``—la mer`` or ``—in blue``, is no beginning of ``landscape`` or ``inpaint``."""
    return flag.startswith(name) and (flag not in _WORDS or 2 * len(name) >= len(flag))
