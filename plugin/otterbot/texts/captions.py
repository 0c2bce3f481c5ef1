"""What stands under a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import numeric
from .escape import code, plain, plain_lines
from .jobs import count_of, duration, seconds_taken, typed

if TYPE_CHECKING:
    from ..worker.info import ModelDefaults

MAX_NEGATIVE = 40
MAX_CAPTION = 1_000
"""Characters of the prompt that the caption shows; all of it is in the record."""


def caption(prompt: str, record: Mapping[str, Any], own: ModelDefaults | None = None) -> str:
    """Markdown: the words, a line of what made the picture, and what a language model was asked with. ``own``: as in
    :func:`summary`."""
    parts = (prompt_lines(prompt), summary(record, own), expanded(record.get("used")))
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


def summary(record: Mapping[str, Any], own: ModelDefaults | None = None) -> str:
    """``ssd-1b · seed 42 · 50 steps · 768×512`` from a record: model, seed, and what was asked for or is not as the
    model has it by itself, whose defaults ``own`` are. Where nobody knows these, all of it, with the time that it took.
    What is missing is left out."""
    used = record.get("used")
    used = used if isinstance(used, Mapping) else {}
    parts = []
    if used.get("model"):
        parts.append(plain(str(used["model"]), 60))
    if numeric.whole(used.get("seed")) is not None:
        parts.append(f"seed {used['seed']}{_towards(used.get('variation'))}")
    parts += _styles(used.get("styles"))
    parts += _settings(used, _Usual(record.get("asked"), own))
    parts += _larger(used)
    if own is None and (took := seconds_taken(record)):
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


class _Usual:
    """Tells what goes without saying."""

    def __init__(self, asked: Any, own: ModelDefaults | None) -> None:
        self._asked = asked if isinstance(asked, Mapping) else {}
        self._own = own

    def __call__(self, *names: str, value: Callable[[ModelDefaults], bool]) -> bool:
        """Was none of that asked for, and does ``value`` hold of the model's own?"""
        asked = any(self._asked.get(name) is not None for name in names)
        return self._own is not None and not asked and value(self._own)

    @property
    def negative(self) -> str | None:
        """What was asked not to be in it, where the usual is known; ``None``: nothing was asked."""
        asked = self._asked.get("negative_prompt")
        return asked if self._own is not None and isinstance(asked, str) else None


def _settings(used: Mapping[str, Any], usual: _Usual) -> list[str]:
    said = []
    steps, guidance = numeric.whole(used.get("steps")), numeric.number(used.get("guidance_scale"))
    if steps is not None and not usual("steps", value=lambda own: own.steps == steps):
        said.append(count_of(steps, "step", "steps"))
    if guidance is not None and not usual(
        "guidance_scale", value=lambda own: guidance in (own.guidance_scale, own.guidance_scale_weighted)
    ):
        said.append(f"CFG {guidance:g}")
    if (strength := numeric.number(used.get("strength"))) is not None:
        said.append(f"strength {strength:g}")
    if isinstance(control := used.get("control"), Mapping) and isinstance(control.get("kind"), str):
        said.append(f"steered by {plain(control['kind'], 40)}{_scale(control.get('scale'))}")
    sampler = used.get("sampler")
    if sampler and not usual("sampler", value=lambda own: own.sampler.casefold() == str(sampler).casefold()):
        said.append(plain(str(sampler), 40))
    width, height = numeric.whole(used.get("width")), numeric.whole(used.get("height"))
    if None not in (width, height) and not usual(
        "width", "height", "aspect", value=lambda own: (own.width, own.height) == (width, height)
    ):
        said.append(f"{width}×{height}")
    if (negative := usual.negative) is not None:
        said.append(f"no “{plain(negative, MAX_NEGATIVE)}”" if negative else "no negative prompt")
    return said


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
