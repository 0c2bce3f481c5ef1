"""Words of a request that are drawn by chance (`prompts.chance`): each picture of its own, by its seed, before anything
else is made of them. What was drawn before is taken as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..models.loras import Library
from ..prompts import chance
from ..prompts.chance import Drawn, Of, Undrawable
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from ..schemas.resolved import UsedChance, seed_of
from .refusal import Refused, problem


@dataclass(frozen=True, kw_only=True)
class Words:
    """A request with its words as they were drawn."""

    request: ImageRequest
    drawn_from: UsedChance | None = None
    notes: tuple[str, ...] = ()


def singly(request: ImageRequest) -> list[ImageRequest]:
    """A request for each picture, where each may have words of its own; else the request alone."""
    if request.count == 1 or not _may_be_drawn(request):
        return [request]
    return [_single(request, number) for number in range(request.count)]


def draw(request: ImageRequest, usual_negative: str, library: Library | None) -> Words:
    """``request``: for one picture. ``usual_negative``: what is not to be in it where the request does not say. Looks
    into the folder of wildcards where words name one.

    :raises Refused: :raises CannotLook:
    """
    if request.chance is not None:
        before = UsedChance(**dict(request.chance))
        return Words(request=request, drawn_from=before if before != UsedChance() else None)
    negative = usual_negative if request.negative_prompt is None else request.negative_prompt
    if not chance.may_have(request.prompt) and not chance.may_have(negative):
        return Words(request=request)
    files = (library or Library()).wildcards.look()
    problems: list[FieldProblem] = []
    found: dict[Of, Drawn] = {}
    texts: tuple[tuple[Of, str], ...] = (("prompt", request.prompt), ("negative_prompt", negative))
    for of, text in texts:
        try:
            found[of] = chance.draw(text, request.seed, of, files)
        except Undrawable as why:
            problems.append(problem(of, why.code, str(why)))
    if problems:
        raise Refused(problems)
    by_chance = {of: text for of, text in texts if found[of].by_chance}
    if not by_chance:
        return Words(request=request)
    return Words(
        request=request.model_copy(update={of: found[of].text for of in by_chance}),
        drawn_from=UsedChance(**by_chance),
        notes=tuple(files.notes(list(dict.fromkeys(file for one in found.values() for file in one.files)))),
    )


def _may_be_drawn(request: ImageRequest) -> bool:
    return request.chance is None and any(chance.may_have(text) for text in _words(request))


def _words(request: ImageRequest) -> Iterator[str]:
    """All that may become its prompts, but for a model's own."""
    yield request.prompt
    if request.negative_prompt is not None:
        yield request.negative_prompt
    else:
        yield from (layer.negative_prompt for layer in request.layers if layer.negative_prompt is not None)


def _single(request: ImageRequest, number: int) -> ImageRequest:
    """With the seeds that picture has in a job of several (`ResolvedRequest.picture`)."""
    if request.variation is None:
        return request.model_copy(update={"count": 1, "seed": seed_of(request.seed, number)})
    varied = request.variation.model_copy(update={"seed": seed_of(request.variation.seed, number)})
    return request.model_copy(update={"count": 1, "variation": varied})
