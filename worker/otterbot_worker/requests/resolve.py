"""From what a client sent to a request with nothing left open, or the list of what is wrong with it.

Values beyond a limit are refused, never changed (who asks for 1000 steps is told the limit). Only sizes are rounded to
the model's multiples, with a note. Free of torch.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..models import safety
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..models.wildcards import Look
from ..prompts import StepCount, read
from ..prompts.lora_tags import lora_tags
from ..queue.submission import Submission, new_rows
from ..sampling import samplers, sampling_steps
from ..schemas.jobs import FieldProblem
from ..schemas.new_jobs import NewChatJob, NewDescribeJob, NewImageJob, NewResolvedJob
from ..schemas.requests import ImageRequest, SheetRequest
from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import ResolvedInitImage, ResolvedMask, ResolvedSheet, UsedAxis
from ..styles import StyleLibrary
from . import chance, expansions, hires, layers, resubmitted, several, sheets, structures, sweeps, variations
from . import input_images as pictures
from .controlnet import ChosenControlNet, find_controlnet
from .input_images import Sources
from .loras import ChosenLoras, find_loras
from .model import choose_model
from .refusal import Refused, problem
from .size import Size, find_size
from .styles import ChosenStyles, find_styles, with_shape

NO_PREVIEWS = "There were no previews, because the safety checker looks at finished pictures only."
NO_FILM = "There is no film, because the safety checker looks at finished pictures only."
NO_FILM_OF_UPSCALED = "There is no film of a picture that is made larger."


def body_hash(job: NewImageJob | NewChatJob | NewResolvedJob | NewDescribeJob) -> str:
    """A hash that is equal for equal requests in any JSON spelling, and unchanged by fields that later versions add."""
    body = job.model_dump(mode="json", exclude_defaults=True, exclude={"key"})
    canonical = json.dumps(body, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def image_submission(
    job: NewImageJob | NewResolvedJob,
    client: str,
    catalogue: Catalogue,
    default_model: str,
    sources: Sources | None = None,
    library: Library | None = None,
    styles: StyleLibrary | None = None,
) -> Submission:
    """``sources``: the request's input pictures that are here. Reads LoRAs and masks, so it runs in a thread.

    :raises Refused: :raises CannotLook: a file could not be looked at
    """
    sources = sources or Sources()
    # All pictures are drawn from the folder as it is at one moment, which is looked at once.
    look = functools.cache((library or Library()).wildcards.look)

    def one(request: ImageRequest) -> ResolvedRequest:
        return resolve_image(request, catalogue, default_model, sources, library, styles, look)

    sweep: Sequence[UsedAxis]
    sheet: SheetRequest | ResolvedSheet | None
    if isinstance(job, NewImageJob):
        whole = structures.as_sentence(job.request)
        fields = [structures.kept(field, whole) for field in sweeps.singly(whole)]
        asked = [one for field in fields for one in chance.singly(field)]
        sweep, sheet = sweeps.axes(whole), sweeps.sheet(whole)
    else:
        asked, sweep, sheet = resubmitted.asked(job), resubmitted.sweep(job.request), job.request.sheet
    pictures = several.resolved(several.named(asked, across=len(sweep[0].values) if len(sweep) > 1 else None), one)
    if isinstance(job, NewResolvedJob):
        before = resubmitted.pictures(job.request)
        pictures = [resubmitted.noted(now, then) for now, then in zip(pictures, before, strict=True)]
    request = sheets.added(several.as_one(pictures, sweep), sheet)
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
        rows=new_rows(request),
        input_ids=sources.ids,
    )


def resolve_image(
    request: ImageRequest,
    catalogue: Catalogue,
    default_model: str,
    sources: Sources | None = None,
    library: Library | None = None,
    styles: StyleLibrary | None = None,
    look: Callable[[], Look] | None = None,
) -> ResolvedRequest:
    """Fill in defaults and check everything against the model's limits. ``look``: into the folder of wildcards, for
    who has more than one request; else the library's.

    :raises Refused: :raises CannotLook:
    """
    sources = sources or Sources()
    model = choose_model(request, catalogue, default_model)
    entry = model.entry
    words = chance.draw(
        request, layers.usual_negative(request.layers, entry), look or (library or Library()).wildcards.look
    )
    request = words.request
    files = Files(library=library, styles=styles or StyleLibrary(), downloads=catalogue.downloads_allowed)
    chosen = _choose(request, entry, sources, files)
    problems = [
        *_unavailable(request, entry, catalogue),
        *chosen.sampler_problems,
        *pictures.problems(request, sources, entry),
        *chosen.steps.problems,
        *layers.guidance_problems(chosen.guidance_scale, entry),
        *chosen.size.problems,
        *chosen.enlarged.problems,
        *_nothing_to_draw(request),
        *_no_film(request),
        *chosen.style.problems,
        *chosen.wanted.problems,
        *chosen.steering.problems,
    ]
    if problems:
        raise Refused(problems)
    bad, said = pictures.look_at_mask(sources, chosen.size.width, chosen.size.height)
    if bad is not None:
        raise Refused([bad])
    notes = [*pictures.notes(sources), *([said] if said is not None else [])]
    resolved = _resolved(request, entry, chosen, sources, notes=notes)
    more = {"chance": words.drawn_from, "notes": (*model.notes, *words.notes, *resolved.notes)}
    return resolved.model_copy(update=more)


@dataclass(frozen=True, kw_only=True)
class Files:
    """What prompts may name, and whether ControlNets may be fetched."""

    library: Library | None
    styles: StyleLibrary
    downloads: bool


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The request's values, with defaults filled in."""

    sampler: str | None
    """``None``: an unknown one."""
    sampler_problems: list[FieldProblem]
    steps: layers.Steps
    guidance_scale: float
    guidance_notes: list[str]
    negative_prompt: str
    style: ChosenStyles
    size: Size
    left_out: list[str]
    """Notes on the room's defaults that do not fit."""
    enlarged: hires.ChosenHires
    expand: expansions.Expand
    wanted: ChosenLoras
    steering: ChosenControlNet


def _choose(request: ImageRequest, entry: ModelEntry, sources: Sources, files: Files) -> _Chosen:
    usual = layers.usual(request.layers, entry)
    steps = layers.find_steps(request, entry, usual.steps)
    negative = usual.negative_prompt if request.negative_prompt is None else request.negative_prompt
    style = find_styles(request, negative, files.styles)
    request, shape_notes = with_shape(request, style.aspect)
    style.notes += shape_notes
    words, library = style.words, files.library
    sampler = usual.sampler if request.sampler is None else samplers.resolve(request.sampler)
    if request.upscale is not None:
        size = hires.upscaled_size(request, request.upscale, entry, sources.start)
    else:
        size = find_size(request, entry, pictures.shape(sources), usual.size)
    nets = (library or Library()).controlnets
    counted = StepCount(*sampling_steps.steps(steps.number, pictures.strength(request, sources)))
    guidance_scale, guidance_notes = _guidance(request, words.prompt, entry, usual.guidance_scale, counted)
    return _Chosen(
        sampler=sampler,
        sampler_problems=layers.sampler_problems(request, sampler, entry),
        steps=steps,
        guidance_scale=guidance_scale,
        guidance_notes=guidance_notes,
        negative_prompt=negative,
        style=style,
        size=size,
        left_out=layers.left_out(request, entry, shaped=_shaped(request, sources)),
        enlarged=hires.find(request, entry, size, steps.number),
        expand=expansions.find(request, entry, usual=usual.expand),
        wanted=find_loras(*words, entry, library, counted) if library is not None else ChosenLoras(),
        steering=find_controlnet(request, sources.control, entry, nets, downloads=files.downloads),
    )


def _shaped(request: ImageRequest, sources: Sources) -> bool:
    """Does the size follow from the request or its picture?"""
    typed = (request.width, request.height, request.aspect, request.upscale)
    return any(one is not None for one in typed) or pictures.shape(sources) is not None


def _guidance(
    request: ImageRequest, prompt: str, entry: ModelEntry, set_here: float | None, steps: StepCount
) -> tuple[float, list[str]]:
    """The CFG, and notes. ``prompt``: with its styles; ``set_here``: from a layer."""
    usual, weighted = entry.defaults.guidance_scale, entry.defaults.guidance_scale_weighted
    if request.guidance_scale is not None:
        return request.guidance_scale, []
    if set_here is not None:
        return set_here, []
    if weighted is None or weighted == usual or not read(lora_tags(prompt).text, steps).weighted:
        return usual, []
    return weighted, [f"CFG {weighted:g}, as the prompt has weights; {usual:g} is usual."]


def _resolved(
    request: ImageRequest, entry: ModelEntry, chosen: _Chosen, sources: Sources, *, notes: list[str]
) -> ResolvedRequest:
    """``notes``: besides those of the parts."""
    assert chosen.sampler is not None, "a sampler that nobody knows is refused"
    start, mask, size, enlarged = sources.start, sources.mask, chosen.size, chosen.enlarged
    return ResolvedRequest(
        model=entry.name,
        prompt=request.prompt,
        negative_prompt=chosen.negative_prompt,
        styles=tuple(chosen.style.styles),
        steps=chosen.steps.number,
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
        expand=chosen.expand.wanted,
        expansion=expansions.before(request),
        structure=structures.used(request.structure),
        theme=request.theme,
        loras=tuple(chosen.wanted.loras),
        embeddings=tuple(chosen.wanted.embeddings),
        safety=request.safety,
        preview=request.preview and not request.safety,
        film=request.film and not request.safety,
        card=request.card,
        describe=request.describe,
        notes=(
            *chosen.left_out,
            *chosen.steps.notes,
            *chosen.guidance_notes,
            *chosen.style.notes,
            *size.notes,
            *enlarged.notes,
            *notes,
            *variations.notes(request.variation),
            *chosen.expand.notes,
            *chosen.steering.notes,
            *([NO_PREVIEWS] if request.preview and request.safety else []),
            *([NO_FILM] if request.film and request.safety else []),
            *chosen.wanted.notes,
        ),
        asked=request.asked,
        **request.settings(),
    )


def _unavailable(request: ImageRequest, entry: ModelEntry, catalogue: Catalogue) -> list[FieldProblem]:
    problems = []
    if not catalogue.available(entry):
        sentence = f"The files of {entry.name} are not on the worker."
        problems.append(problem("model", "model_missing", sentence, model=entry.name))
    if request.safety and catalogue.safety(entry) is None:
        problems.append(problem("safety", "safety_missing", safety.MISSING))
    return problems


def _nothing_to_draw(request: ImageRequest) -> list[FieldProblem]:
    if request.prompt.strip() or request.upscale is not None:
        return []
    return [problem("prompt", "empty", "Say what to draw.")]


def _no_film(request: ImageRequest) -> list[FieldProblem]:
    return [problem("film", "film_of_upscaled", NO_FILM_OF_UPSCALED)] if request.film and request.upscale else []
