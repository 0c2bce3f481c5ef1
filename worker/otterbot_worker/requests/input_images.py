"""Input pictures of a request: whether they are here, and whether they go together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import look_failed
from ..models.entries import ModelEntry
from ..queue.input_rows import Input, Inputs
from ..sampling import masks, sampling_steps
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from .refusal import problem

GONE = {
    "init_image": "The picture to start from is not on the worker any more; please send it again.",
    "mask": "The mask is not on the worker any more; please send it again.",
    "control": "The picture that steers is not on the worker any more; please send it again.",
}


_COLOURS = {
    "converted": "{name} has a colour profile of its own; its colours were brought to sRGB.",
    "unread": "{name} has a colour profile that cannot be used; its colours were taken for sRGB.",
}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The request's input pictures that are here."""

    start: Input | None = None
    mask: Input | None = None
    control: Input | None = None
    mask_file: Path | None = None
    """The file of the mask, white where to repaint: the picture, or its transparency."""

    @property
    def ids(self) -> list[str]:
        return list(dict.fromkeys(one.id for one in (self.start, self.mask, self.control) if one is not None))


async def find(request: ImageRequest, client: str, inputs: Inputs) -> Sources:
    """Look the request's pictures up among the client's."""
    start, mask, control = [
        None if named is None else await inputs.get(client, named.id)
        for named in (request.init_image, request.mask, request.control)
    ]
    mask_file = None if mask is None else inputs.mask_file(mask)
    return Sources(start=start, mask=mask, control=control, mask_file=mask_file)


def shape(sources: Sources) -> tuple[int, int] | None:
    """Width and height of the picture whose shape is the default."""
    picture = sources.start or sources.control
    return None if picture is None else (picture.width, picture.height)


def strength(request: ImageRequest, sources: Sources) -> float | None:
    """The denoising strength; ``None`` without an init image. With a mask the default is 1: the masked part is to be
    replaced, and transparency has nothing to keep."""
    if sources.start is None or request.strength is not None:
        return None if sources.start is None else request.strength
    if request.upscale is not None:
        return sampling_steps.UPSCALE_STRENGTH
    return sampling_steps.STRENGTH if request.mask is None else 1.0


def problems(request: ImageRequest, sources: Sources, entry: ModelEntry) -> list[FieldProblem]:
    """Problems that are found without reading the files."""
    if request.init_image is not None and not entry.abilities.pictures:
        sentence = f"{entry.name} cannot start from a picture; another model can."
        return [problem("init_image", "no_pictures", sentence)]
    found = [
        problem(name, "input_gone", sentence)
        for name, sentence in GONE.items()
        if getattr(request, name) is not None and getattr(sources, "start" if name == "init_image" else name) is None
    ]
    if request.init_image is None and request.strength is not None:
        found.append(problem("strength", "no_picture", "A strength needs a picture to start from."))
    if request.init_image is None and request.mask is not None:
        found.append(problem("mask", "no_picture", "A mask needs a picture to start from."))
    if (start := sources.start) is not None and (mask := sources.mask) is not None:
        shapes = (start.width, start.height), (mask.width, mask.height)
        if not masks.same_shape(*shapes):
            sentence = (
                f"The mask needs the shape of the picture, which has {start.width}x{start.height} pixels; "
                f"it has {mask.width}x{mask.height}."
            )
            found.append(problem("mask", "mask_shape", sentence))
    return found


def notes(sources: Sources) -> list[str]:
    """Notes on parts of the pictures that are ignored or converted."""
    named = {
        "The picture to start from": sources.start,
        "The mask": sources.mask if sources.mask is not None and sources.mask != sources.start else None,
        "The picture that steers": sources.control,
    }
    moving = [name for name, one in named.items() if one is not None and one.animated]
    said = [f"{name} is an animation; only its first image is used." for name in moving]
    profiled = [(name, one.colours) for name, one in named.items() if one is not None and one.colours in _COLOURS]
    return said + [_COLOURS[colours].format(name=name) for name, colours in profiled]


def look_at_mask(sources: Sources, width: int, height: int) -> tuple[FieldProblem | None, str | None]:
    """A problem with the mask, or a note on it. Reads its file, so it runs in a thread. Width and height: the finished
    picture's, in pixels."""
    if sources.mask_file is None or sources.start is None:
        return None, None
    try:
        share = masks.share(masks.read(sources.mask_file, width, height))
    except (OSError, SyntaxError, ValueError) as error:
        look_failed(error, "the mask")
        return problem("mask", "input_gone", GONE["mask"]), None
    if not share:
        sentence = (
            "The mask leaves nothing to draw: what is to be drawn anew has to be transparent in it, or white where it "
            "has no transparency."
        )
        return problem("mask", "mask_empty", sentence), None
    percent = f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
    stays = (sources.start.width, sources.start.height) == (width, height)
    rest = "stays as it is" if stays else f"is only scaled, to {width}x{height}"
    return None, f"The mask leaves {percent} of the picture to be drawn anew; the rest {rest}."
