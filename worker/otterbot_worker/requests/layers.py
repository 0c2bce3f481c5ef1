"""What is taken where a request leaves something open: what the room and the instance are used to, where the model can
take it, else the model's own. Also checks steps and sampler against the limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..models import resolution
from ..models.entries import ModelEntry
from ..sampling import samplers
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest, Layer
from .refusal import problem

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Defaults for one model."""

    steps: int
    guidance_scale: float | None
    """``None``: the model's own, which may differ for weighted prompts."""
    size: Pair | None
    """``None``: the model's own."""
    sampler: str | None
    """``None``: one that nobody knows."""
    negative_prompt: str
    expand: bool


def usual(layers: Sequence[Layer], entry: ModelEntry) -> Usual:
    """Room and operator defaults apply to every model. Where a model's limits exclude one, the next is used: a note of
    :func:`left_out` says so of a room's.

    :raises CannotLook:
    """
    own, limits = entry.defaults, entry.limits
    steps = (layer.steps for layer in layers if layer.steps is not None)
    scales = (layer.guidance_scale for layer in layers if layer.guidance_scale is not None)
    sizes = (layer.size for layer in layers if layer.size is not None)
    expand = (layer.expand for layer in layers if layer.expand is not None)
    return Usual(
        steps=next((one for one in steps if limits.steps_min <= one <= limits.steps_max), own.steps),
        guidance_scale=next((one for one in scales if one <= limits.guidance_scale_max), None),
        size=next((one for one in sizes if resolution.fits(one, limits)), None),
        sampler=_usual_sampler(layers, entry),
        negative_prompt=usual_negative(layers, entry),
        expand=next(expand, False),
    )


def usual_negative(layers: Sequence[Layer], entry: ModelEntry) -> str:
    said = (layer.negative_prompt for layer in layers if layer.negative_prompt is not None)
    return next(said, entry.defaults.negative_prompt)


def left_out(request: ImageRequest, entry: ModelEntry, *, shaped: bool) -> list[str]:
    """Notes on what people have set in their room and this model does not take. An operator's defaults, which hold for
    all rooms and models, give way silently. ``shaped``: the size follows from something else than defaults."""
    limits, notes = entry.limits, list[str]()
    for layer in (layer for layer in request.layers if layer.layer == "room"):
        steps, scale, size = layer.steps, layer.guidance_scale, layer.size
        if request.steps is None and steps is not None and not limits.steps_min <= steps <= limits.steps_max:
            bounds = f"{limits.steps_min} to {limits.steps_max}"
            notes.append(f"This room's {steps} steps were left out: {entry.name} takes {bounds}.")
        if request.guidance_scale is None and scale is not None and scale > limits.guidance_scale_max:
            most = f"at most {limits.guidance_scale_max:g}"
            notes.append(f"This room's CFG {scale:g} was left out: {entry.name} takes {most}.")
        if not shaped and size is not None and not resolution.fits(size, limits):
            notes.append(f"This room's size, {size[0]}x{size[1]}, was left out: {entry.name} does not draw it.")
    return notes


def _usual_sampler(layers: Sequence[Layer], entry: ModelEntry) -> str | None:
    for typed in (layer.sampler for layer in layers if layer.sampler is not None):
        sampler = samplers.resolve(typed)
        if sampler is None or sampler in entry.samplers():
            return sampler
    return entry.defaults.sampler


@dataclass(kw_only=True)
class Steps:
    number: int
    notes: list[str] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)


def find_steps(request: ImageRequest, entry: ModelEntry, usual: int) -> Steps:
    """The number of steps. Too many requested steps are refused; a default is lowered to the limit, with a note."""
    limits, name, allowed = entry.limits, entry.name, request.most.steps
    asked = request.steps is not None
    wanted = usual if request.steps is None else request.steps
    within = wanted if allowed is None else min(wanted, allowed)
    steps = Steps(number=wanted if asked else within)
    if within < limits.steps_min:
        sentence = f"{name} takes at least {limits.steps_min} steps"
        sentence += f", and here at most {allowed} are allowed." if within < wanted else "."
        steps.problems.append(problem("steps", "too_few", sentence, model=name, least=limits.steps_min, most=allowed))
    elif steps.number > limits.steps_max and (allowed is None or limits.steps_max <= allowed):
        sentence = f"{name} takes at most {limits.steps_max} steps."
        steps.problems.append(problem("steps", "too_many", sentence, model=name, most=limits.steps_max))
    elif within < wanted and asked:
        steps.problems.append(
            problem("steps", "not_allowed", f"At most {allowed} steps are allowed here.", most=allowed)
        )
    elif within < wanted:
        steps.notes.append(f"At most {allowed} steps are allowed here; {wanted} are usual.")
    return steps


def guidance_problems(guidance: float, entry: ModelEntry) -> list[FieldProblem]:
    most = entry.limits.guidance_scale_max
    if guidance <= most:
        return []
    sentence = f"{entry.name} takes a CFG of at most {most:g}."
    return [problem("guidance_scale", "too_large", sentence, model=entry.name, most=most)]


def sampler_problems(request: ImageRequest, sampler: str | None, entry: ModelEntry) -> list[FieldProblem]:
    """Problems with the sampler. ``sampler``: its proper name; ``None`` where the requested one, or a layer's, is
    unknown."""
    taken = entry.samplers()
    if sampler is None:
        named = (request.sampler, *(layer.sampler for layer in request.layers))
        typed = next((one for one in named if one is not None and samplers.resolve(one) is None), "")
        known = samplers.names()
        sentence = f"No such sampler. There are: {', '.join(known)}."
        return [problem("sampler", "unknown_sampler", sentence, near=samplers.near(typed), known=known)]
    if sampler in taken:
        return []
    if sampler in entry.abilities.samplers:
        sentence = f"{entry.name} begins with nothing but noise (zero terminal SNR), which {sampler} cannot."
    else:
        sentence = f"{entry.name} does not take that sampler."
    return [problem("sampler", "sampler_mismatch", f"{sentence} It takes: {', '.join(taken)}.")]
