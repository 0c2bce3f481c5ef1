"""What stands under a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import numeric
from .escape import code, plain, plain_lines
from .jobs import count_of, duration, seconds_taken, typed

MAX_CAPTION = 1_000
"""Characters of the prompt that the caption shows; all of it is in the record."""


def caption(prompt: str, record: Mapping[str, Any]) -> str:
    """Markdown: the prompt, and a line of what made the picture."""
    parts = (prompt_lines(prompt), expanded(record.get("used")), summary(record))
    return "\n\n".join(part for part in parts if part)


def prompt_lines(prompt: str) -> str:
    return plain_lines(prompt, MAX_CAPTION)


def expanded(used: Any) -> str:
    """What a language model was asked with; ``""`` where the prompt is somebody's own."""
    written = used.get("expansion") if isinstance(used, Mapping) else None
    if not isinstance(written, Mapping) or not isinstance(written.get("prompt"), str):
        return ""
    who = plain(str(written.get("model") or "a language model"), 60)
    return f"Written by {who} from: {plain(written['prompt'], MAX_CAPTION)}"


def summary(record: Mapping[str, Any]) -> str:
    """``ssd-1b · seed 42 · 30 steps · CFG 12 · UniPC · 768×768 · 31 s`` from a record; what is missing is left out."""
    used = record.get("used")
    used = used if isinstance(used, Mapping) else {}
    parts = []
    if used.get("model"):
        parts.append(plain(str(used["model"]), 60))
    if numeric.whole(used.get("seed")) is not None:
        parts.append(f"seed {used['seed']}{_towards(used.get('variation'))}")
    parts += _styles(used.get("styles"))
    if numeric.whole(used.get("steps")) is not None:
        parts.append(count_of(used["steps"], "step", "steps"))
    if (guidance := numeric.number(used.get("guidance_scale"))) is not None:
        parts.append(f"CFG {guidance:g}")
    if (strength := numeric.number(used.get("strength"))) is not None:
        parts.append(f"strength {strength:g}")
    if isinstance(control := used.get("control"), Mapping) and isinstance(control.get("kind"), str):
        parts.append(f"steered by {plain(control['kind'], 40)}{_scale(control.get('scale'))}")
    if used.get("sampler"):
        parts.append(plain(str(used["sampler"]), 40))
    if all(numeric.whole(used.get(side)) is not None for side in ("width", "height")):
        parts.append(f"{used['width']}×{used['height']}")
    parts += _larger(used)
    if took := seconds_taken(record):
        parts.append(duration(took))
    return " · ".join(parts)


def _styles(styles: Any) -> list[str]:
    """``style watercolor, backlit``."""
    found = [one.get("name") for one in styles if isinstance(one, Mapping)] if isinstance(styles, list) else []
    names = [plain(one, 40) for one in found if isinstance(one, str)]
    return [f"style {', '.join(names)}"] if names else []


def words_of(used: Any) -> str:
    """A picture's words: those before its styles, which are named by themselves."""
    if not isinstance(used, Mapping):
        return ""
    styled = used.get("styled")
    return str((styled if isinstance(styled, Mapping) else used).get("prompt") or "")


def _larger(used: Mapping[str, Any]) -> list[str]:
    """``drawn again at 1536×1536``, ``upscaled 2×``."""
    said = []
    hires = used.get("hires")
    if isinstance(hires, Mapping) and all(numeric.whole(hires.get(side)) is not None for side in ("width", "height")):
        said.append(f"drawn again at {hires['width']}×{hires['height']}")
    if numeric.whole(used.get("upscale")) is not None:
        said.append(f"upscaled {used['upscale']}×")
    return said


def _towards(variation: Any) -> str:
    """Behind a seed: `` (varied 7:0.2)``, as it would be typed."""
    try:
        seed, strength = numeric.whole(variation["seed"]), numeric.number(float(variation["strength"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""
    return "" if seed is None or strength is None else f" (varied {seed}:{strength:g})"


def _scale(scale: Any) -> str:
    """Behind the kind of steering, where it is not the usual one: `` 0.7``."""
    try:
        known = numeric.number(float(scale))
    except (TypeError, ValueError, OverflowError):
        return ""
    return "" if known is None or known == 1 else f" {known:g}"


def first_picture_hint(prefix: str) -> str:
    """After a room's first picture: the next step."""
    return (
        f"Another one? {code(typed(prefix, 'again'))}. To change something, reply to a picture with "
        f"{code(typed(prefix, 'again --seed same --steps 50'))}."
    )
