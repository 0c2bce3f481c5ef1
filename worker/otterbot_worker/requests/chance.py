"""Words of a request that are drawn by chance (`prompts.chance`): each picture of its own, by its seed, before anything
else is made of them. What was drawn before is taken as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..models.wildcards import Look
from ..prompts import chance
from ..prompts.chance import Drawn, Files, Of, Undrawable
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from ..schemas.resolved import ResolvedRequest, seed_of
from ..schemas.resolved_parts import UsedChance
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


def draw(request: ImageRequest, usual_negative: str, look: Callable[[], Look]) -> Words:
    """``request``: for one picture. ``usual_negative``: what is not to be in it where the request does not say.
    ``look``: into the folder of wildcards, only where words may name one.

    :raises Refused: :raises CannotLook:
    """
    negative = usual_negative if request.negative_prompt is None else request.negative_prompt
    words: dict[Of, str] = {"prompt": request.prompt, "negative_prompt": negative}
    before = _before(request)
    templates = {of: template for of, template in before.items() if template != words[of]}
    to_draw = {of: text for of, text in words.items() if of not in before and chance.may_have(text)}
    notes: list[str] = []
    if to_draw:
        files = look()
        drawn = {of: one for of, one in _drawn(to_draw, request.seed, files).items() if one.by_chance}
        templates |= {of: to_draw[of] for of in drawn}
        request = request.model_copy(update={of: one.text for of, one in drawn.items()})
        notes += files.notes(list(dict.fromkeys(file for one in drawn.values() for file in one.files)))
    return Words(request=request, drawn_from=UsedChance(**templates) if templates else None, notes=tuple(notes))


def _drawn(words: Mapping[Of, str], seed: int, files: Files) -> dict[Of, Drawn]:
    """:raises Refused: :raises CannotLook:"""
    problems: list[FieldProblem] = []
    found: dict[Of, Drawn] = {}
    for of, text in words.items():
        try:
            found[of] = chance.draw(text, seed, of, files)
        except Undrawable as why:
            problems.append(problem(of, why.code, str(why)))
    if problems:
        raise Refused(problems)
    return found


def _before(request: ImageRequest) -> dict[Of, str]:
    """What words were drawn from that are not drawn any more."""
    given = request.chance
    said: dict[Of, str | None] = {}
    if given is not None:
        said = {"prompt": given.prompt, "negative_prompt": given.negative_prompt}
    return {of: template for of, template in said.items() if template is not None}


def as_they_are(request: ResolvedRequest) -> dict[str, str]:
    """The request's words as `Chance` says that they were drawn before, whatever stands in them."""
    drawn_from = request.chance or UsedChance()
    return {
        "prompt": request.prompt if drawn_from.prompt is None else drawn_from.prompt,
        "negative_prompt": request.negative_prompt
        if drawn_from.negative_prompt is None
        else drawn_from.negative_prompt,
    }


def _may_be_drawn(request: ImageRequest) -> bool:
    before = _before(request)
    return any(chance.may_have(text) for of, text in _words(request) if of not in before)


def _words(request: ImageRequest) -> Iterator[tuple[Of, str]]:
    """All that may become its prompts, but for a model's own."""
    yield "prompt", request.prompt
    if request.negative_prompt is not None:
        yield "negative_prompt", request.negative_prompt
    else:
        said = (layer.negative_prompt for layer in request.layers if layer.negative_prompt is not None)
        yield from (("negative_prompt", text) for text in said)


def _single(request: ImageRequest, number: int) -> ImageRequest:
    """With the seeds that picture has in a job of several (`ResolvedRequest.picture`)."""
    if request.variation is None:
        return request.model_copy(update={"count": 1, "seed": seed_of(request.seed, number)})
    varied = request.variation.model_copy(update={"seed": seed_of(request.variation.seed, number)})
    return request.model_copy(update={"count": 1, "variation": varied})
