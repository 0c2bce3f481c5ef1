"""Kinds of values with parts: a size, a shape, a variation, a ControlNet, a hires pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .option_kinds import INTEGER, BadValue, Kind, NeverTyped, Number, Whole, Words
from .option_values import MAX_PROMPT, UPSCALERS, Control, Hires, Variation, is_kind, is_shape
from .structures import KEYS, MAX_ITEMS, MAX_THEME, Structure, Value

_ENDS = r"(?:[,;،；、،؛]|[.!?。．！？]{1,3}(?!\S)|(?!\S))"
"""Behind a value that ends: a space, or the punctuation of a sentence."""
_SIZE = re.compile(rf"(\d{{1,9}})\s{{0,3}}[xX×✕*хХｘＸ＊]\s{{0,3}}(\d{{1,9}})(?:px)?{_ENDS}")
_RATIO = re.compile(rf"(\d{{1,3}})\s?[:/xX×：／ｘＸ]\s?(\d{{1,3}}){_ENDS}")


@dataclass(frozen=True)
class Size(Kind):
    """Width and height: ``768x512``, ``768``."""

    side: Whole
    numeric = True
    spaced = _SIZE

    def typed(self, text: str) -> tuple[int, int]:
        sides = (text, text) if INTEGER.fullmatch(text) else None
        if (match := _SIZE.fullmatch(text)) is not None:
            sides = (match[1], match[2])
        if sides is None:
            raise BadValue
        return self.side.typed(sides[0]), self.side.typed(sides[1])

    def recorded(self, value: Any) -> tuple[int, int]:
        return self.side.recorded(value[0]), self.side.recorded(value[1])

    def written(self, value: tuple[int, int]) -> str:
        return f"{value[0]}x{value[1]}"

    def said(self, value: tuple[int, int]) -> str:
        return f"{value[0]}×{value[1]}"


class Shape(Kind):
    """``3:2``, or a word for it."""

    numeric = True
    spaced = _RATIO

    def typed(self, text: str) -> str:
        match = _RATIO.fullmatch(text)
        shape = text.lower() if match is None else f"{int(match[1])}:{int(match[2])}"
        if not is_shape(shape):
            raise BadValue
        return shape

    def recorded(self, value: Any) -> str:
        if not isinstance(value, str) or not is_shape(value):
            raise NeverTyped
        return value


@dataclass(frozen=True)
class VariationOf(Kind):
    """``0.2``, ``42:0.2``."""

    seed: Whole
    strength: Number
    numeric = True

    def typed(self, text: str) -> Variation:
        seed, colon, strength = text.rpartition(":")
        other = self.seed.typed(seed) if colon else None
        return Variation(seed=other, strength=self.strength.typed(strength))

    def recorded(self, value: Any) -> Variation:
        if not isinstance(value, Mapping):
            raise NeverTyped
        seed, strength = self.seed.recorded(value.get("seed")), self.strength.recorded(value.get("strength"))
        return Variation(seed=seed, strength=strength)

    def sent(self, value: Variation) -> dict[str, Any] | None:
        return None if value.seed is None else vars(value)

    def written(self, value: Variation) -> str:
        strength = self.strength.written(value.strength)
        return strength if value.seed is None else f"{value.seed}:{strength}"

    def said(self, value: Variation) -> str:
        return f"{self.strength.written(value.strength)} of the way to seed {value.seed}"


@dataclass(frozen=True)
class ControlBy(Kind):
    """``canny``, ``canny:0.7``, the name of a ControlNet."""

    scale: Number

    def typed(self, text: str) -> Control:
        kind, colon, amount = text.rpartition(":")
        kind, scale = (kind.strip(), self.scale.typed(amount)) if colon else (text, None)
        if not is_kind(kind):
            raise BadValue("bad_value" if kind else "no_value")
        return Control(kind=kind, scale=scale)

    def recorded(self, value: Any) -> Control:
        if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str) or not is_kind(value["kind"]):
            raise NeverTyped
        scale = self.scale.recorded(value["scale"]) if "scale" in value else None
        return Control(kind=value["kind"], scale=scale)

    def written(self, value: Control) -> str:
        return value.kind if value.scale is None else f"{value.kind}:{self.scale.written(value.scale)}"


@dataclass(frozen=True)
class HiresOf(Kind):
    """``2``, ``2x``, ``1.5:0.4``, ``2:lanczos``, ``2:0.4:lanczos``."""

    scale: Number
    strength: Number
    steps: Whole
    numeric = True

    def typed(self, text: str) -> Hires:
        times, *rest = [part.strip().lower() for part in text.split(":")]
        times = times.strip("x×*")
        if len(rest) > 2:
            raise BadValue
        scale = self.scale.typed(times)
        upscaler = rest.pop() if rest and rest[-1] in UPSCALERS else None
        if len(rest) > 1:
            raise BadValue
        return Hires(scale=scale, strength=self.strength.typed(rest[0]) if rest else None, upscaler=upscaler)

    def recorded(self, value: Any) -> Hires:
        if not isinstance(value, Mapping):
            raise NeverTyped
        strength, upscaler, steps = (value.get(name) for name in ("strength", "upscaler", "steps"))
        if upscaler is not None and (not isinstance(upscaler, str) or upscaler not in UPSCALERS):
            raise NeverTyped
        return Hires(
            scale=self.scale.recorded(value.get("scale")),
            strength=None if strength is None else self.strength.recorded(strength),
            upscaler=upscaler,
            steps=None if steps is None else self.steps.recorded(steps),
        )

    def sent(self, value: Hires) -> dict[str, Any]:
        """Without what is as usual."""
        return {name: part for name, part in vars(value).items() if part is not None}

    def written(self, value: Hires) -> str:
        strength = None if value.strength is None else self.strength.written(value.strength)
        return ":".join(part for part in (self.scale.written(value.scale), strength, value.upscaler) if part)

    def said(self, value: Hires) -> str:
        changed = None if value.strength is None else f"strength {self.strength.written(value.strength)}"
        steps = None if value.steps is None else f"{value.steps} steps"
        parts = (f"{self.scale.written(value.scale)} times as large", value.upscaler, changed, steps)
        return ", ".join(part for part in parts if part)


class StructureOf(Kind):
    """A prompt by keys. It is typed as lines (:mod:`.structured`); here it comes out of records."""

    def typed(self, text: str) -> Structure:
        raise BadValue

    def recorded(self, value: Any) -> Structure:
        if not isinstance(value, Mapping):
            raise NeverTyped
        found = Structure.of({name: self._value(value[name], name) for name in KEYS if value.get(name) is not None})
        if found is None or not found.prompt or max(len(found.prompt), len(found.negative or "")) > MAX_PROMPT:
            raise NeverTyped
        return found

    def _value(self, value: Any, name: str) -> Value:
        texts = value if isinstance(value, list) and name != "theme" else [value]
        if len(texts) > MAX_ITEMS or (name == "theme" and len(str(value)) > MAX_THEME):
            raise NeverTyped
        words = tuple(Words().recorded(text) for text in texts)
        return words if isinstance(value, list) else words[0]

    def written(self, value: Structure) -> str:
        return value.written
