"""What nobody should send, made from the contract itself: for every field of a request, the values that are wrong.

A field that is added to ``schemas`` is in here by being there. Values are raw JSON, as some of them are none that
Python would write: ``NaN``, a number of 400 digits, half a character.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

CANARY = "canary5f1e"
"""Stands in every wrong text, and may stand in no answer."""

Json = dict[str, Any]
Path = tuple[str, ...]

OF_EACH_TYPE = {
    "string": json.dumps(CANARY),
    "boolean": "true",
    "integer": "7",
    "number": "0.5",
    "array": json.dumps([CANARY]),
    "object": json.dumps({CANARY: 1}),
    "null": "null",
}
NO_NUMBERS = ('"7"', "NaN", "Infinity", "-Infinity", "1e999", "-1e999")
HUGE = ("1e308", "-1e308", str(2**64), str(-(2**64)), "1" + "0" * 400, "1" + "0" * 5000)
NUMBERS = ("0", "-1", "-0.5", str(2**31), *HUGE)
TEXTS = ("", "../../etc/passwd", "/etc/passwd", "a\0b", "\n", CANARY, "💚" * 300, CANARY * 7_000)
FOR_ANY = (r'"\ud800"', r'"\udc00\ud800"', "[" * 100_000, '{"a":' * 300 + "1" + "}" * 300, "", "otter", '"' + CANARY)
"""Wrong wherever they stand: no JSON, or deeper than anything is."""


@dataclass(frozen=True, kw_only=True)
class Field:
    path: Path
    kinds: tuple[Json, ...]
    """The JSON schemas of which a value has to match one."""

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    def of(self, *types: str) -> list[Json]:
        return [kind for kind in self.kinds if kind.get("type") in types]


class Contract:
    """The JSON schema of a request, walked."""

    def __init__(self, schema: Json) -> None:
        self._definitions = schema.get("$defs", {})
        self._root = schema

    def kinds(self, schema: Json) -> list[Json]:
        if "$ref" in schema:
            return self.kinds(self._definitions[schema["$ref"].rsplit("/", 1)[1]])
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return [kind for one in schema[several] for kind in self.kinds(one)]
        return [schema]

    def fields(self, schema: Json | None = None, path: Path = ()) -> Iterator[Field]:
        """Every field, those inside of others included."""
        for name, value in (self._root if schema is None else schema).get("properties", {}).items():
            kinds = tuple(self.kinds(value))
            yield Field(path=(*path, name), kinds=kinds)
            for kind in kinds:
                yield from self.fields(kind, (*path, name))

    def objects(self) -> list[Path]:
        """Where fields can stand."""
        return [(), *(field.path for field in self.fields() if field.of("object"))]

    def example(self, kind: Json) -> Any:
        """A value that the schema takes."""
        if "const" in kind or "enum" in kind:
            return kind.get("const", kind.get("enum", [None])[0])
        if kind.get("type") == "object":
            needed = kind.get("required", [])
            return {name: self.example(self.kinds(kind["properties"][name])[0]) for name in needed}
        if kind.get("type") in ("integer", "number"):
            return kind.get("minimum", kind.get("maximum", 1))
        if kind.get("type") == "string":
            samples = (CANARY, "0" * 64, "1:1", "a")
            return next(text for text in samples if fits_text(kind, text))
        return {"boolean": False, "array": [], "null": None}[kind["type"]]

    def around(self, base: Json, path: Path, raw: str) -> str:
        """``base`` with ``raw`` at that path; objects on the way there are filled in with what they need."""
        mark, body = "the place", json.loads(json.dumps(base))
        place, fields = body, {field.path: field for field in self.fields()}
        for depth, name in enumerate(path[:-1], 1):
            if place.get(name) is None:
                (kind, *_) = fields[path[:depth]].of("object")
                place[name] = self.example(kind)
            place = place[name]
        place[path[-1]] = mark
        return json.dumps(body).replace(json.dumps(mark), raw)


def fits_text(kind: Json, text: str) -> bool:
    if "enum" in kind or "const" in kind:
        return text in kind.get("enum", [kind.get("const")])
    pattern = kind.get("pattern")
    matches = pattern is None or re.search(pattern.replace("$", r"\Z"), text) is not None
    return matches and kind.get("minLength", 0) <= len(text) <= kind.get("maxLength", len(text))


def fits_number(kind: Json, raw: str) -> bool:
    value = float(raw) if len(raw) < 300 else float("inf")
    if kind["type"] == "integer" and not raw.lstrip("-").isdigit():
        return False
    if "enum" in kind or "const" in kind:
        return value in kind.get("enum", [kind.get("const")])
    return (
        kind.get("minimum", value) <= value <= kind.get("maximum", value)
        and ("exclusiveMinimum" not in kind or value > kind["exclusiveMinimum"])
        and ("exclusiveMaximum" not in kind or value < kind["exclusiveMaximum"])
    )


def wrong(field: Field) -> Iterator[str]:
    """Raw JSON that this field has to refuse."""
    types = {str(kind.get("type")) for kind in field.kinds}
    numbers, texts = field.of("integer", "number"), field.of("string")
    for name, raw in OF_EACH_TYPE.items():
        if name not in types and not (name == "integer" and numbers) and not (name == "string" and texts):
            yield raw
    if numbers:
        yield from NO_NUMBERS
    for kind in numbers:
        edges = [kind[edge] + step for edge, step in (("minimum", -1), ("maximum", 1)) if edge in kind]
        edges += [kind[edge] for edge in ("exclusiveMinimum", "exclusiveMaximum") if edge in kind]
        yield from (raw for raw in map(str, edges) if not any(fits_number(other, raw) for other in numbers))
        yield from (raw for raw in NUMBERS if not any(fits_number(other, raw) for other in numbers))
    yield from (json.dumps(text) for text in TEXTS if texts and not any(fits_text(kind, text) for kind in texts))
    yield from FOR_ANY


def edges(field: Field) -> Iterator[str]:
    """Raw JSON that this field takes by its schema, however strange it is."""
    for kind in field.of("integer", "number"):
        values = [kind[edge] for edge in ("minimum", "maximum") if edge in kind]
        values += [kind["exclusiveMinimum"] + 1e-300] if "exclusiveMinimum" in kind else []
        yield from map(str, values)
    for kind in field.of("string"):
        longest = "ö" * int(kind.get("maxLength", 0))
        texts = (*STRANGE, longest, *map(str, kind.get("enum", [])))
        yield from (json.dumps(text) for text in dict.fromkeys(texts) if fits_text(kind, text))
    for kind in field.of("boolean"):
        yield from ("true", "false") if kind else ()


STRANGE = (
    *TEXTS[:-1],
    "(" * 300 + "otter" + ")" * 300,
    "[" * 300 + "otter" + "]" * 300,
    "(((" * 100,
    "<lora:../../etc/passwd:1>",
    "<lora:/etc/passwd:1>",
    "<lora:a\0b:1>",
    "<lora:penguin:nan>",
    "<lora:penguin:1e308>",
    '("a", "b").blend(1, -1)',
    "Steps: 1, Sampler: x\nNegative prompt: y",
    "‮\u0000￾",
)
