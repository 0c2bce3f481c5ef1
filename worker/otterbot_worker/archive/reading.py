"""A picture or its sidecar → the request that makes it again.

What is taken, the first that is there and whole:

1. the ``otterbot`` chunk of a PNG of ours;
2. A1111's ``parameters``, of whatever tool: in PNG, or as EXIF's ``UserComment`` in PNG, JPEG and WebP;
3. what other programs write (`others`);
4. for a ``.yml``: the record in it.

Nothing is guessed: settings that a request cannot hold are left out, with a note.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import yamlfile
from ..schemas.requests import Control, ImageOptions, StyleWords
from . import containers, from_text, metadata
from .containers import BadPicture, NoSettings
from .found import LABELS, Found, any_variation, sampler, valid

_MAX_SIDECAR = 512 * 1024
"""Bytes; five times the longest that is written."""

_SEND_AGAIN = (
    "the line draws without it, the request of the API names it by its SHA-256, under which it has to be sent to the "
    "worker again."
)
_FOLLOWS = ("width", "height", "tile")
"""Fields of a record's second pass that a request does not have: they are computed from the rest and the model."""


def read(path: Path) -> Found:
    """:raises BadPicture: :raises NoSettings: nothing to be read in it :raises OSError:"""
    try:
        texts = containers.texts(path)
    except NoSettings:
        raise
    except BadPicture:
        if path.suffix.lower() in (".yml", ".yaml") and path.is_file():
            return _of_record(_sidecar(path), "the sidecar", [])
        raise
    notes: list[str] = []
    if metadata.OWN_CHUNK in texts:
        try:
            return _of_record(_own(texts), "Otterbot's own record", [])
        except NoSettings as error:
            if not texts.get(metadata.A1111_CHUNK):
                raise
            notes.append(f"Otterbot's own record in it {error}; A1111's text was read instead.")
    return from_text.read_texts(texts, notes)


def read_record(path: Path) -> dict[str, Any]:
    """The record in a PNG's own chunk. It is input like any other: whoever uses it validates it first.

    :raises BadPicture: :raises OSError:
    """
    return _own(containers.texts(path))


# ---------------------------------------------------------------- our own record


def _own(texts: Mapping[str, str | None]) -> dict[str, Any]:
    if metadata.OWN_CHUNK not in texts:
        raise NoSettings("has no record of Otterbot in it")
    try:
        return _checked(json.loads(texts[metadata.OWN_CHUNK] or ""))
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadPicture):
            raise
        raise NoSettings("is damaged") from None


def _sidecar(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _MAX_SIDECAR:
        raise BadPicture("is too large for a sidecar")
    try:
        document = yamlfile.parse(path.read_text("utf-8"))
    except (yamlfile.Unreadable, UnicodeDecodeError):
        raise BadPicture("is no YAML") from None
    return _checked(document.get("record") if isinstance(document, dict) else None)


def _checked(record: Any) -> dict[str, Any]:
    if not isinstance(record, dict) or not isinstance(record.get("used"), dict):
        raise NoSettings("holds no record of a picture")
    if record.get("v") != 1:
        raise NoSettings("is of another version than 1")
    return record


def _of_record(record: Mapping[str, Any], source: str, notes: list[str]) -> Found:
    used = record["used"]
    values = {name: used.get(name) for name in LABELS}
    values |= _before_styles(used)
    values["sampler"] = sampler(used.get("sampler"), None, notes)
    values["variation"] = any_variation(values["variation"])
    if isinstance(values["hires"], dict):
        values["hires"] = {name: value for name, value in values["hires"].items() if name not in _FOLLOWS}
    if values["upscale"] is not None:
        values["width"] = values["height"] = None  # computed from the init image
    if values["mask"] is not None:
        values["mask"] = {"id": values["mask"]}
    if values["init_image"] is not None:
        values["init_image"] = {"id": values["init_image"]}
        notes.append(f"It was drawn from another picture: {_SEND_AGAIN}")
    if isinstance(control := values["control"], dict):
        values["control"] = {name: control[name] for name in Control.model_fields if name in control}
        notes.append(f"Another picture steered it: {_SEND_AGAIN}")
    return Found(
        source=source,
        request=valid(values, notes),
        details=tuple(_details(record, used)),
        notes=tuple(notes),
    )


def _before_styles(used: Mapping[str, Any]) -> dict[str, Any]:
    """The styles with their words, and the words that they were put around; nothing where a request could not hold
    them: then the words as they were drawn say the same."""
    styles, words = used.get("styles"), used.get("styled")
    if not isinstance(styles, list) or not styles or not isinstance(words, dict):
        return {}
    given = [{name: one.get(name) for name in StyleWords.model_fields} for one in styles if isinstance(one, dict)]
    found = {"style": tuple(given), **{name: words.get(name) for name in ("prompt", "negative_prompt")}}
    try:
        ImageOptions.model_validate(found)
    except ValidationError:
        return {}
    return found


def _details(record: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Only texts and numbers: nested values may be large and hostile."""

    def line(*values: Any) -> str:
        return " ".join(str(value) for value in values if isinstance(value, (str, int, float)))

    def side(tile: Any) -> str:
        return line(*tile[:2]) if isinstance(tile, list) else ""

    if isinstance(chance := used.get("chance"), dict):
        yield "drawn from", line(chance.get("prompt"))
        yield "not in it, from", line(chance.get("negative_prompt"))
    yield "model hash", line(used.get("model_hash"))
    for name, keys in (("loras", ("name", "weight", "hash")), ("embeddings", ("name", "hash"))):
        entries = used.get(name)
        for entry in entries[:16] if isinstance(entries, list) else []:
            if isinstance(entry, dict):
                yield name[:-1], line(*map(entry.get, keys))
    refiner = used.get("refiner")
    if isinstance(refiner, dict):
        yield "refiner", line(*map(refiner.get, ("name", "hash", "hand_over")))
    if isinstance(vae := used.get("vae"), dict):
        yield "decoder", line(*map(vae.get, ("name", "hash")))
    yield "guidance rescale", line(used.get("guidance_rescale"))
    if isinstance(variation := used.get("variation"), dict):
        yield "variation", line(*map(variation.get, ("seed", "strength")))
    if isinstance(hires := used.get("hires"), dict):
        yield "second pass", line(*map(hires.get, ("scale", "strength", "steps", "upscaler", "width", "height")))
        yield "in tiles of", side(hires.get("tile"))
    yield "upscaled", line(used.get("upscale"))
    yield "in tiles of", side(used.get("tile"))
    yield "picture to start from", line(used.get("init_image"))
    yield "strength", line(used.get("strength"))
    yield "mask", line(used.get("mask"))
    yield "memory plan", line(used.get("plan"))
    control = used.get("control")
    if isinstance(control, dict):
        yield "steered by", line(*map(control.get, ("kind", "name", "hash", "id", "scale", "start", "end")))
    yield "parser", line(used.get("parser"))
    versions = used.get("versions")
    for name, version in list(versions.items())[:32] if isinstance(versions, dict) else []:
        yield line(name), line(version)
    if took := line(record.get("took")):
        yield "took", f"{took} s"
