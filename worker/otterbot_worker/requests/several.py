"""Jobs whose pictures differ in more than their seed: each is resolved as a job of one picture, before any is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from ..schemas.resolved import ResolvedRequest, joined
from ..schemas.resolved_parts import UsedAxis, field_name
from .refusal import Refused, problem

LARGEST = 256 * 1024
"""Characters of a resolved request as JSON in ASCII. A client has to be able to send it back within one body."""
SHOWN = 3
"""Pictures that a problem names; of the others it says how many there are."""


@dataclass(frozen=True, kw_only=True)
class One:
    """One of a job's pictures."""

    name: str
    """In problems: its number, or what it is called on a sheet."""
    request: ImageRequest


def named(pictures: Sequence[ImageRequest], *, across: int | None) -> list[One]:
    """``across``: how many stand side by side, where they are fields of a grid with titles."""
    return [One(name=field_name(index, across), request=one) for index, one in enumerate(pictures)]


def resolved(pictures: Sequence[One], resolve: Callable[[ImageRequest], ResolvedRequest]) -> list[ResolvedRequest]:
    """Each picture's request with nothing left open. Of one that stands alone it is the whole job's, whatever its
    count.

    :raises Refused: what is wrong with any of them, the same once :raises CannotLook:
    """
    if len(pictures) == 1:
        return [resolve(pictures[0].request)]
    found: list[ResolvedRequest] = []
    problems: dict[str, tuple[FieldProblem, list[str]]] = {}
    for one in pictures:
        try:
            found.append(resolve(one.request))
        except Refused as refused:
            for each in refused.problems:
                problems.setdefault(each.model_dump_json(), (each, []))[1].append(one.name)
    if problems:
        raise Refused([_said_of(each, names, len(pictures)) for each, names in problems.values()])
    return found


def as_one(pictures: Sequence[ResolvedRequest], sweep: Sequence[UsedAxis] = ()) -> ResolvedRequest:
    """The request of the whole job. :raises Refused: it is too large to be kept"""
    if len(pictures) == 1:
        return pictures[0]
    whole = joined(pictures, sweep)
    if len(json.dumps(whole.model_dump(mode="json"))) > LARGEST:
        sentence = "These pictures differ in too many words for one request; ask for fewer, or with fewer words."
        raise Refused([problem("prompt", "too_long", sentence)])
    return whole


def _said_of(one: FieldProblem, names: Sequence[str], of: int) -> FieldProblem:
    """``names``: the pictures that have this problem, of so many. Where all have it, it is the request's own."""
    if len(names) == of:
        return one
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    details = {**one.details, "pictures": list(names)}
    return one.model_copy(update={"message": f"{shown}: {one.message}", "details": details})
