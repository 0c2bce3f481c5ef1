"""From what a client sent to a request with nothing left open, or the list of what is wrong with it.

Values are refused, never bent (a person who asks for 1000 steps is told the limit), but for a size between the model's
multiples, which is rounded and said. Free of torch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ..models import safety
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..prompts import StepCount, read
from ..prompts.lora_tags import lora_tags
from ..queue.model import NewRow
from ..queue.store import Submission, new_rows
from ..sampling import samplers, sampling_steps, tiles
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest, NewChatJob, NewImageJob
from ..schemas.resolved import ResolvedChat, ResolvedInitImage, ResolvedMask, ResolvedRequest
from . import hires, variations
from . import input_images as pictures
from .controlnet import Steering, find_control
from .input_images import Sources
from .loras import Wanted, find_wanted
from .size import Size, find_size

NO_PREVIEWS = "There were no previews, because the safety checker looks at finished pictures only."


class Refused(Exception):
    """The request cannot be run as it stands."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("the request cannot be run")
        self.problems = problems


def body_hash(job: NewImageJob | NewChatJob) -> str:
    """Equal for equal requests, however they were spelled; fields that a later version adds do not change it."""
    body = job.model_dump(mode="json", exclude_defaults=True, exclude={"key"})
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def image_submission(
    job: NewImageJob,
    client: str,
    catalogue: Catalogue,
    default_model: str,
    sources: Sources | None = None,
    library: Library | None = None,
) -> Submission:
    """``sources``: the pictures that the request names, as far as they are here. Reads LoRAs and masks: not for the
    event loop.

    :raises Refused: :raises CannotLook: nobody could say whether something is here
    """
    sources = sources or Sources()
    request = resolve_image(job.request, catalogue, default_model, sources, library)
    return Submission(
        client=client,
        key=job.key,
        body_hash=body_hash(job),
        kind="image",
        owner=job.owner,
        room=job.room,
        private=job.private,
        request=request,
        content=None,
        rows=new_rows(request, work=tiles.work(request)),
        input_ids=sources.ids,
    )


def chat_submission(job: NewChatJob, client: str, default_model: str | None) -> Submission:
    """The model may stay open (``""``) while the chat backend has not said what it has.

    :raises Refused:
    """
    messages = job.request.messages
    if messages[-1].role != "user":
        raise Refused([_problem("request.messages", "last_not_user", "The last message has to be the user's.")])
    model = job.request.model or default_model or ""
    return Submission(
        client=client,
        key=job.key,
        body_hash=body_hash(job),
        kind="chat",
        owner=job.owner,
        room=job.room,
        private=job.private,
        request=ResolvedChat(model=model, named=job.request.model is not None),
        content=[message.model_dump() for message in messages],
        rows=[NewRow(seed=0, model=model, work=0.0)],
    )


def resolve_image(
    request: ImageRequest,
    catalogue: Catalogue,
    default_model: str,
    sources: Sources | None = None,
    library: Library | None = None,
) -> ResolvedRequest:
    """Fills in the model's defaults and holds everything against its limits.

    :raises Refused:
    """
    sources = sources or Sources()
    entry = _entry(request.model or default_model, catalogue)
    chosen = _choose(request, entry, sources, library, downloads=catalogue.downloads_allowed)
    problems = [
        *_unavailable(request, entry, catalogue),
        *_sampler_problems(chosen.sampler, entry),
        *pictures.problems(request, sources, entry),
        *_limits(entry, steps=chosen.steps, guidance=chosen.guidance_scale),
        *chosen.size.problems,
        *chosen.enlarged.problems,
        *_nothing_to_draw(request),
        *chosen.wanted.problems,
        *chosen.steering.problems,
    ]
    if problems:
        raise Refused(problems)
    problem, said = pictures.look_at_mask(sources, chosen.size.width, chosen.size.height)
    if problem is not None:
        raise Refused([problem])
    notes = [*pictures.notes(sources), *([said] if said is not None else [])]
    return _resolved(request, entry, chosen, sources, notes=notes)


def _entry(name: str, catalogue: Catalogue) -> ModelEntry:
    """:raises Refused: :raises CannotLook:"""
    look = catalogue.look()
    entry, broken = look.entry(name), look.broken.get(name)
    if broken is not None:
        raise Refused([_problem("request.model", "model_broken", f"{name} cannot be used. {broken}")])
    if entry is None:
        known = ", ".join(sorted(look.images))
        raise Refused([_problem("request.model", "unknown_model", f"No such model. There are: {known}.")])
    return entry


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """What was asked for, with the model's defaults where nothing was."""

    sampler: str | None
    """``None``: one that nobody knows."""
    steps: int
    guidance_scale: float
    guidance_notes: list[str]
    negative_prompt: str
    size: Size
    enlarged: hires.Larger
    wanted: Wanted
    steering: Steering


def _choose(
    request: ImageRequest, entry: ModelEntry, sources: Sources, library: Library | None, *, downloads: bool
) -> _Chosen:
    defaults = entry.defaults
    steps = defaults.steps if request.steps is None else request.steps
    negative = defaults.negative_prompt if request.negative_prompt is None else request.negative_prompt
    if request.upscale is not None:
        size = hires.upscaled_size(request, request.upscale, entry, sources.start)
    else:
        size = find_size(request, entry, pictures.shape(sources))
    nets = (library or Library()).controlnets
    counted = StepCount(*sampling_steps.steps(steps, pictures.strength(request, sources)))
    guidance_scale, guidance_notes = _guidance(request, entry, counted)
    return _Chosen(
        sampler=defaults.sampler if request.sampler is None else samplers.resolve(request.sampler),
        steps=steps,
        guidance_scale=guidance_scale,
        guidance_notes=guidance_notes,
        negative_prompt=negative,
        size=size,
        enlarged=hires.find(request, entry, size, steps),
        wanted=find_wanted(request.prompt, negative, entry, library, counted) if library is not None else Wanted(),
        steering=find_control(request, sources.control, entry, nets, downloads=downloads),
    )


def _guidance(request: ImageRequest, entry: ModelEntry, steps: StepCount) -> tuple[float, list[str]]:
    """And what is to be said about it."""
    usual, weighted = entry.defaults.guidance_scale, entry.defaults.guidance_scale_weighted
    if request.guidance_scale is not None:
        return request.guidance_scale, []
    if weighted is None or weighted == usual or not read(lora_tags(request.prompt).text, steps).weighted:
        return usual, []
    return weighted, [f"CFG {weighted:g}, as the prompt has weights; {usual:g} is usual."]


def _resolved(
    request: ImageRequest, entry: ModelEntry, chosen: _Chosen, sources: Sources, *, notes: list[str]
) -> ResolvedRequest:
    """``notes``: what is to be said beside what the parts say themselves."""
    assert chosen.sampler is not None, "a sampler that nobody knows is refused"
    start, mask, size, enlarged = sources.start, sources.mask, chosen.size, chosen.enlarged
    return ResolvedRequest(
        model=entry.name,
        prompt=request.prompt,
        negative_prompt=chosen.negative_prompt,
        steps=chosen.steps,
        guidance_scale=chosen.guidance_scale,
        width=size.width,
        height=size.height,
        canvas=size.canvas,
        sampler=chosen.sampler,
        seed=request.seed,
        variation=variations.resolved(request.variation),
        count=request.count,
        init_image=None if start is None else ResolvedInitImage(id=start.id, width=start.width, height=start.height),
        strength=pictures.strength(request, sources),
        mask=None if mask is None else ResolvedMask(id=mask.id, alpha=mask.alpha),
        control=chosen.steering.request,
        hires=enlarged.hires,
        upscale=enlarged.upscale,
        theme=request.theme,
        loras=tuple(chosen.wanted.loras),
        embeddings=tuple(chosen.wanted.embeddings),
        safety=request.safety,
        preview=request.preview and not request.safety,
        notes=(
            *chosen.guidance_notes,
            *size.notes,
            *enlarged.notes,
            *notes,
            *variations.notes(request.variation),
            *chosen.steering.notes,
            *([NO_PREVIEWS] if request.preview and request.safety else []),
            *chosen.wanted.notes,
        ),
        asked=request.asked,
    )


def _unavailable(request: ImageRequest, entry: ModelEntry, catalogue: Catalogue) -> list[FieldProblem]:
    problems = []
    if not catalogue.available(entry):
        sentence = f"The files of {entry.name} are not on the worker."
        problems.append(_problem("request.model", "model_missing", sentence))
    if request.safety and catalogue.safety(entry) is None:
        problems.append(_problem("request.safety", "safety_missing", safety.MISSING))
    return problems


def _sampler_problems(sampler: str | None, entry: ModelEntry) -> list[FieldProblem]:
    taken = entry.samplers()
    if sampler is None:
        known = ", ".join(samplers.names())
        return [_problem("request.sampler", "unknown_sampler", f"No such sampler. There are: {known}.")]
    if sampler in entry.abilities.samplers and sampler not in taken:
        sentence = f"{entry.name} begins with nothing but noise (zero terminal SNR), which {sampler} cannot."
        sentence += f" It takes: {', '.join(taken)}."
        return [_problem("request.sampler", "sampler_mismatch", sentence)]
    if sampler not in taken:
        sentence = f"{entry.name} does not take that sampler. It takes: {', '.join(taken)}."
        return [_problem("request.sampler", "sampler_mismatch", sentence)]
    return []


def _nothing_to_draw(request: ImageRequest) -> list[FieldProblem]:
    if request.prompt.strip() or request.upscale is not None:
        return []
    return [_problem("request.prompt", "empty", "Say what to draw.")]


def _limits(entry: ModelEntry, *, steps: int, guidance: float) -> list[FieldProblem]:
    limits, name = entry.limits, entry.name
    problems = []
    if steps > limits.steps_max:
        problems.append(_problem("request.steps", "too_many", f"{name} takes at most {limits.steps_max} steps."))
    if steps < limits.steps_min:
        problems.append(_problem("request.steps", "too_few", f"{name} takes at least {limits.steps_min} steps."))
    if guidance > limits.guidance_scale_max:
        sentence = f"{name} takes a CFG of at most {limits.guidance_scale_max:g}."
        problems.append(_problem("request.guidance_scale", "too_large", sentence))
    return problems


def _problem(field: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(field=field, code=code, message=message)
