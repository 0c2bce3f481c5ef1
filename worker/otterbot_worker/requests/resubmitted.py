"""Resolved requests that clients submit again because the worker has forgotten the job: checked anew, with notes on
files that have changed since."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..schemas.new_jobs import NewImageJob, NewResolvedJob
from ..schemas.requests import ImageRequest
from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import ResolvedExpansion, UsedAxis
from . import chance, structures
from .refusal import Refused, problem

_AS_THEY_ARE = (
    "prompt", "negative_prompt", "model", "steps", "guidance_scale", "sampler", "seed", "count", "strength", "theme",
    "safety", "preview", "film", "expand", "card", "describe",
)  # fmt: skip
"""Fields that are equal in a request and a resolved request. The size is as well, except with ``upscale``."""


def asked(job: NewImageJob | NewResolvedJob) -> list[ImageRequest]:
    """The job's request, within the bounds of any other request; where its pictures differ in more than their seed,
    that of each.

    :raises pydantic.ValidationError: :raises Refused:
    """
    if isinstance(job, NewImageJob):
        return [structures.as_sentence(job.request)]
    given = job.model_dump(include={"key", "owner", "room", "private"})
    found = [
        NewImageJob.model_validate({**given, "kind": "image", "request": _explicit(before)}).request
        for before in pictures(job.request)
    ]
    if any(_start(one) != _start(found[0]) for one in found):
        raise Refused([problem("each", "other_pictures", "All pictures of a job start from the same one.")])
    return found


def pictures(request: ResolvedRequest) -> list[ResolvedRequest]:
    """Each picture's request where they differ in more than their seed, else the request itself.

    :raises pydantic.ValidationError:
    """
    return [request.single(index) for index in range(len(request.each))] or [request]


def sweep(request: ResolvedRequest) -> tuple[UsedAxis, ...]:
    """What its pictures differ in. :raises Refused: they are not the fields of such a grid"""
    if request.sweep and math.prod(len(axis.values) for axis in request.sweep) != len(request.each):
        raise Refused([problem("sweep", "other_pictures", "A sweep has one picture for each of its fields.")])
    return request.sweep


def _start(request: ImageRequest) -> tuple[object, ...]:
    control = request.control
    return request.init_image, request.mask, None if control is None else control.id


def _explicit(before: ResolvedRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(before, name) for name in _AS_THEY_ARE} | before.settings()
    if before.upscale is None:
        fields |= {"width": before.width, "height": before.height}
    else:
        fields["upscale"] = before.upscale.factor
    fields["style"] = tuple(style.model_dump() for style in before.styles)
    fields["variation"] = None if before.variation is None else dict(before.variation)
    for name in ("init_image", "mask"):
        picture = getattr(before, name)
        fields[name] = None if picture is None else {"id": picture.id}
    if (control := before.control) is not None:
        fields["control"] = control.model_dump(include={"kind", "id", "scale", "start", "end"})
    if (hires := before.hires) is not None:
        fields["hires"] = hires.model_dump(include={"scale", "strength", "steps", "upscaler"})
    if before.structure is not None:
        fields["structure"] = before.structure.model_dump()  # its sentence was made once, and stays
    fields["chance"] = chance.as_they_are(before)
    if (expansion := before.expansion) is not None:
        fields["expansion"] = expansion.model_dump(include={"prompt", "model"})
    return {**fields, "asked": before.asked}


def noted(now: ResolvedRequest, before: ResolvedRequest) -> ResolvedRequest:
    """``now`` with the earlier notes added, each once."""
    notes = dict.fromkeys((*before.notes, *_changes(before, now), *now.notes))
    changed: dict[str, Any] = {"notes": tuple(notes)}
    if before.expansion is not None:
        changed["expansion"] = ResolvedExpansion(**dict(before.expansion))
    return now.model_copy(update=changed)


def _changes(before: ResolvedRequest, now: ResolvedRequest) -> Iterator[str]:
    """Notes on files that have changed and give another picture."""
    hashes = ({lora.name: lora.hash for lora in one.loras} for one in (before, now))
    yield from _other_files("LoRA", *hashes)
    hashes = ({embedding.name: embedding.hash for embedding in one.embeddings} for one in (before, now))
    yield from _other_files("embedding", *hashes)
    if (old := before.control) is not None and (new := now.control) is not None:
        if old.name != new.name:
            yield f"Another ControlNet steers than when this was asked for first: {new.name}."
        elif old.hash is not None:  # else the file was not downloaded yet then
            yield from _other_files("ControlNet", {old.name: old.hash}, {new.name: new.hash})


def _other_files(kind: str, before: Mapping[str, str | None], now: Mapping[str, str | None]) -> Iterator[str]:
    for name, hashed in now.items():
        if before.get(name) != hashed:
            is_new = "was not there" if name not in before else "was another file"
            yield f"The {kind} {name} {is_new} when this was asked for first."
    for _ in before.keys() - now.keys():
        yield f"There was one more {kind} when this was asked for first."
