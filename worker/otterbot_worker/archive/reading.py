"""A picture or its sidecar → the request that makes it again.

What is taken, the first that is there and whole:

1. the ``otterbot`` chunk of a PNG of ours;
2. A1111's ``parameters``, of whatever tool: in PNG, or as EXIF's ``UserComment`` in PNG, JPEG and WebP;
3. for a ``.yml``: the record in it.

Nothing is guessed: what a request cannot hold is left out, and a note says so.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from otterbot_worker import samplers, yamlfile
from otterbot_worker.api.schemas.requests import Control, ImageRequest
from otterbot_worker.archive import containers, infotext, metadata
from otterbot_worker.archive.containers import BadPicture, NoSettings

_MAX_SIDECAR = 512 * 1024
"""Bytes; five times the longest that is written."""

_LABELS = {
    "prompt": "prompt",
    "negative_prompt": "negative prompt",
    "model": "model",
    "steps": "number of steps",
    "guidance_scale": "CFG",
    "width": "size",
    "height": "size",
    "sampler": "sampler",
    "seed": "seed",
    "variation": "variation",
    "init_image": "picture to start from",
    "strength": "strength",
    "mask": "mask",
    "control": "picture that steers",
    "hires": "second pass",
    "upscale": "upscaling",
}
"""Fields of a request, in words."""

_SEND_AGAIN = (
    "the line draws without it, the request of the API names it by its SHA-256, under which it has to be sent to the "
    "worker again."
)
_ABOUT = ("Model hash", "Lora hashes", "TI hashes", "VAE hash", "Hashes", metadata.START, "Version", "User")
"""A1111's fields that change no picture, or say again what another one or a note of its own says."""
_FOLLOWS = ("width", "height", "tile")
"""Of a second pass in a record: what a request cannot say, since it follows from the rest and from the model."""
_PLAIN_SCHEDULES = ("", "Automatic", "Uniform")


@dataclass(frozen=True, kw_only=True)
class Found:
    source: str
    """What was read, in words."""
    request: Mapping[str, Any]
    """Fields of `schemas.ImageRequest`, each one valid; prompt or seed may be missing, a note says so then."""
    details: tuple[tuple[str, str], ...]
    """What the file says besides: names and values, unchecked."""
    notes: tuple[str, ...]
    """Sentences: what is not in the request, and why."""


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
    notes = []
    if metadata.OWN_CHUNK in texts:
        try:
            return _of_record(_own(texts), "Otterbot's own record", [])
        except NoSettings as error:
            if not texts.get(metadata.A1111_CHUNK):
                raise
            notes.append(f"Otterbot's own record in it {error}; A1111's text was read instead.")
    return _of_infotext(texts, notes)


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
    values = {name: used.get(name) for name in _LABELS}
    values["sampler"] = _sampler(used.get("sampler"), None, notes)
    values["variation"] = _any_variation(values["variation"])
    if isinstance(values["hires"], dict):
        values["hires"] = {name: value for name, value in values["hires"].items() if name not in _FOLLOWS}
    if values["upscale"] is not None:
        values["width"] = values["height"] = None  # they follow from the picture
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
        request=_valid(values, notes),
        details=tuple(_details(record, used)),
        notes=tuple(notes),
    )


def _details(record: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Only texts and numbers: what else stands there, nested and a thousandfold, is not looked at."""

    def line(*values: Any) -> str:
        return " ".join(str(value) for value in values if isinstance(value, (str, int, float)))

    def side(tile: Any) -> str:
        return line(*tile[:2]) if isinstance(tile, list) else ""

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


# ---------------------------------------------------------------- A1111's text


def _of_infotext(texts: Mapping[str, str | None], notes: list[str]) -> Found:
    if metadata.A1111_CHUNK in texts and texts[metadata.A1111_CHUNK] is None:
        raise NoSettings("is damaged where its settings stand, or they are too long")
    text = infotext.parse(texts.get(metadata.A1111_CHUNK) or "")
    if text is None:
        comfy = " (only a workflow of ComfyUI, which is no list of settings)" if "workflow" in texts else ""
        raise NoSettings(f"has no settings in it{comfy}")
    fields = dict(text.fields)
    size = re.fullmatch(r"(\d{1,6})x(\d{1,6})", fields.pop("Size", "")) or ("", None, None)
    values = {
        "prompt": text.prompt,
        "negative_prompt": text.negative_prompt,
        "model": fields.pop("Model", None),
        "steps": _number(fields.pop("Steps", None)),
        "guidance_scale": _number(fields.pop("CFG scale", None)),
        "width": _number(size[1]),
        "height": _number(size[2]),
        "sampler": _sampler(fields.pop("Sampler", None), fields.pop("Schedule type", None), notes),
        "seed": _number(fields.pop("Seed", None)),
        "variation": _variation(fields),
    }
    values["hires"] = _hires(fields, values["steps"], notes)
    if text.borders > 1:
        notes.append("Several of its lines begin with “Negative prompt:”; the first was taken for the border.")
    second_pass = any(name.startswith("Hires") for name in fields)
    if metadata.START in fields or ("Denoising strength" in fields and not second_pass):
        notes.append("It was drawn from another picture, which this file does not hold.")
    if others := [name for name in fields if name not in _ABOUT]:
        shown = ", ".join(others[:20]) + (" …" if len(others) > 20 else "")
        notes.append(f"Not in the request, because it has no place for it: {shown}.")
    return Found(
        source=f"A1111's text{' as Otterbot wrote it' if text.ours else ''}",
        request=_valid(values, notes),
        details=tuple(fields.items()),
        notes=tuple(notes),
    )


def _variation(fields: dict[str, str]) -> Any:
    seed, strength = fields.pop("Variation seed", None), fields.pop("Variation seed strength", None)
    if seed is None and strength is None:
        return None
    return _any_variation({"seed": _number(seed), "strength": _number(strength)})


def _hires(fields: dict[str, str], steps: Any, notes: list[str]) -> Any:
    """``steps``: the first pass's. A1111 counts those that are drawn, and draws as many again where it names none."""
    if (scale := fields.pop("Hires upscale", None)) is None:
        return None
    strength, drawn = _number(fields.pop("Denoising strength", None)), _number(fields.pop("Hires steps", None))
    name = fields.pop("Hires upscaler", None)
    upscaler = next((ours for ours, theirs in metadata.UPSCALERS.items() if theirs == name), None)
    if upscaler is None:
        notes.append(f"Its second pass was enlarged by {(name or 'nothing that is named')[:60]}, here by Lanczos.")
    drawn = steps if drawn is None else drawn
    hires = {"scale": _number(scale), "strength": strength, "upscaler": upscaler or "lanczos"}
    if isinstance(drawn, int) and isinstance(strength, (int, float)) and strength > 0:
        hires["steps"] = math.ceil(drawn / strength - 1e-6)
    return hires


def _any_variation(variation: Any) -> Any:
    """With a strength of 0 it is none."""
    none = isinstance(variation, dict) and variation.get("strength") == 0
    return None if none else variation


def _number(text: str | None) -> Any:
    """As a number where it is a plain one. Else the text as it is, which no field for numbers takes."""
    if text is None or not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text, re.ASCII):
        return text
    return float(text) if "." in text else int(text)


# ---------------------------------------------------------------- both


def _sampler(name: Any, schedule: str | None, notes: list[str]) -> str | None:
    """Our name for it, or ``None`` and a note."""
    if name is None:
        return None
    if not isinstance(name, str):
        notes.append("The sampler in it is no name: left out.")
        return None
    if schedule == "Automatic" and name.startswith("DPM"):
        # It stands for another one with each of these, and not for the same in each program.
        known = None
    elif schedule is None or schedule in _PLAIN_SCHEDULES:
        known = samplers.resolve(name)
    else:
        known = samplers.resolve(f"{name} {schedule}")
    if known is None:
        called = f"{name[:60]} with the schedule {schedule[:60]}" if schedule else name[:60]
        notes.append(f"The sampler, {called}, is not one of Otterbot's: left out, so the model's own is used.")
    return known


def _valid(values: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The fields that a request can hold; a note for each of the others."""
    kept = {name: _text(value) for name, value in values.items() if value is not None}
    missing = [name for name in ("prompt", "seed", "model", "steps") if not kept.get(name) and kept.get(name) != 0]
    if kept.get("upscale") and "prompt" in missing:
        missing.remove("prompt")
    bad: set[str] = set()
    try:
        ImageRequest.model_validate(kept)
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors(include_input=False, include_context=False)}
    if bad & {"width", "height"} or ("width" in kept) != ("height" in kept):
        bad |= {"width", "height"}
    labels = sorted({_LABELS[name] for name in bad & kept.keys() if name not in missing})
    notes += [f"The {label} in it is nothing that Otterbot takes: left out." for label in labels]
    notes += [f"It names no {_LABELS[name]}." for name in missing]
    return {name: value for name, value in kept.items() if name not in bad}


def _text(value: Any) -> Any:
    """Half a surrogate pair, which JSON can hold, could neither be printed nor sent."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
