"""Pictures larger than a model draws at once: a second pass (``hires``) and ``upscale``. Resolves and checks both.
Pure. All sizes are (width, height) in pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..models.entries import ModelEntry
from ..queue.input_rows import Input
from ..sampling import sampling_steps, tiles
from ..schemas.jobs import FieldProblem
from ..schemas.requests import Hires, ImageRequest
from ..schemas.resolved_parts import ResolvedHires, ResolvedUpscale
from .refusal import problem
from .size import Size

SIDE_MAX = 4096
PIXELS_MAX = 4096 * 4096
TIMES_MAX = 16
"""Maximum size, as a multiple of the pixels that the model draws in one go: it bounds the time."""

_STRENGTHS = {"latent": 0.7, "lanczos": 0.5}
"""Default strengths. Enlarged latents are blurred and need a high one: 0.7 is A1111's default. Pixels need less."""
_IN_TILES = 0.35
"""Default strength in tiles. A tile knows nothing of its neighbours, so it should not invent much."""


@dataclass(kw_only=True)
class ChosenHires:
    """The fields of a resolved request."""

    hires: ResolvedHires | None = None
    upscale: ResolvedUpscale | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)


def upscaled_size(request: ImageRequest, factor: int, entry: ModelEntry, start: Input | None) -> Size:
    """The size of ``init_image`` upscaled by ``factor``, in the model's multiples. Its problems include options that
    exclude ``upscale``."""
    size = Size(width=entry.defaults.width, height=entry.defaults.height)
    for name in ("width", "height", "aspect", "hires", "variation", "control"):
        if getattr(request, name) is not None:
            sentence = "An upscaled picture is that picture, so many times as large; leave this out."
            size.problems.append(problem(name, "conflict", sentence))
    if request.mask is not None:
        size.problems.append(problem("mask", "conflict", "All of a picture is upscaled; leave the mask out."))
    if request.init_image is None:
        size.problems.append(problem("upscale", "no_picture", "Upscaling needs a picture to start from."))
    if start is None:
        return size
    wanted = _in_multiples((start.width * factor, start.height * factor), entry)
    if min(wanted) < entry.limits.size_min:
        sentence = f"This picture is too small even if upscaled: {entry.name} draws sides from {entry.limits.size_min}"
        size.problems.append(problem("upscale", "too_small", f"{sentence} pixels."))
    elif not _fits(wanted, entry):
        half = _in_multiples((start.width * 2, start.height * 2), entry)
        advice = "Twice is possible." if factor > 2 and _fits(half, entry) else "Send it smaller."
        size.problems.append(problem("upscale", "too_large", f"{_too_large(wanted, entry)} {advice}"))
    else:
        size.width, size.height = wanted
        size.notes.append(f"Upscaled from {start.width}x{start.height} to {wanted[0]}x{wanted[1]}.")
    return size


def find(request: ImageRequest, entry: ModelEntry, size: Size, steps: int) -> ChosenHires:
    """Resolve and check the second pass. ``size``: the base's, or the upscaled picture's; ``steps``: the base's."""
    larger = ChosenHires()
    if request.upscale is not None:
        tile = _tile((size.width, size.height), entry)
        larger.upscale = ResolvedUpscale(factor=request.upscale, tile=tile)
        larger.notes += _tiles_note((size.width, size.height), tile, entry)
    elif request.hires is not None:
        _second_pass(larger, request, request.hires, entry, size, steps)
    return larger


def _second_pass(
    larger: ChosenHires, request: ImageRequest, asked: Hires, entry: ModelEntry, base: Size, steps: int
) -> None:
    if not entry.abilities.pictures:
        sentence = f"{entry.name} cannot start from a picture, as a second pass does; another model can."
        larger.problems.append(problem("hires", "no_pictures", sentence))
    if request.mask is not None:
        sentence = "What lies outside of a mask stays as it is, so it cannot be drawn larger; leave one of them out."
        larger.problems.append(problem("hires", "conflict", sentence))
    size = _in_multiples((base.width * asked.scale, base.height * asked.scale), entry)
    if not _fits(size, entry):
        most = _largest_scale((base.width, base.height), entry)
        sentence = f"{_too_large(size, entry)} {base.width}x{base.height} can be drawn {most:g} times as large."
        larger.problems.append(problem("hires.scale", "too_large", sentence))
        return
    steps = steps if asked.steps is None else asked.steps
    if not entry.limits.steps_min <= steps <= entry.limits.steps_max:
        sentence = f"{entry.name} takes {entry.limits.steps_min} to {entry.limits.steps_max} steps."
        larger.problems.append(problem("hires.steps", "bad_steps", sentence))
    tile = _tile(size, entry)
    cut = tile != size
    upscaler = asked.upscaler or ("lanczos" if cut else "latent")
    usual = _IN_TILES if cut else _STRENGTHS[upscaler]
    strength = usual if asked.strength is None else asked.strength
    larger.hires = ResolvedHires(
        scale=asked.scale,
        strength=strength,
        steps=steps,
        upscaler=upscaler,
        width=size[0],
        height=size[1],
        tile=tile,
    )
    larger.notes.append(
        f"Drawn at {base.width}x{base.height}, then at {size[0]}x{size[1]}: there a strength of {strength:g} "
        f"{sampling_steps.takes(steps, strength)}."
    )
    larger.notes += _tiles_note(size, tile, entry)


def _tile(size: tuple[int, int], entry: ModelEntry) -> tuple[int, int]:
    """The tile: the whole picture where the model draws such sizes, else the model's usual size."""
    limits, usual = entry.limits, (entry.defaults.width, entry.defaults.height)
    if size[0] * size[1] <= limits.pixels_max and max(size) <= limits.size_max and not entry.whole_only:
        return size
    return min(size[0], usual[0]), min(size[1], usual[1])


def _tiles_note(size: tuple[int, int], tile: tuple[int, int], entry: ModelEntry) -> list[str]:
    if tile == size:
        return []
    said = f"It was drawn in {len(tiles.grid(size, tile))} overlapping tiles of {tile[0]}x{tile[1]}"
    if not entry.whole_only:
        return [f"{said}."]
    return [f"{said}, and without the words: {entry.name} would draw all that they say in each of the tiles."]


def _in_multiples(size: tuple[float, float], entry: ModelEntry) -> tuple[int, int]:
    step = entry.limits.size_multiple
    width, height = (max(step, math.floor(side / step + 0.5) * step) for side in size)
    return width, height


def _pixels_max(entry: ModelEntry) -> int:
    return min(PIXELS_MAX, TIMES_MAX * entry.limits.pixels_max)


def _fits(size: tuple[int, int], entry: ModelEntry) -> bool:
    return max(size) <= SIDE_MAX and size[0] * size[1] <= _pixels_max(entry)


def _largest_scale(base: tuple[int, int], entry: ModelEntry) -> float:
    """The largest allowed scale, in tenths."""
    tenths = range(40, 10, -1)
    fitting = (
        one / 10 for one in tenths if _fits(_in_multiples((base[0] * one / 10, base[1] * one / 10), entry), entry)
    )
    return next(fitting, 1.0)


def _too_large(size: tuple[int, int], entry: ModelEntry) -> str:
    most = _pixels_max(entry) / 1e6
    return (
        f"That would be {size[0]}x{size[1]}; with {entry.name} larger pictures have at most {most:.3g} megapixels and "
        f"sides of {SIDE_MAX}."
    )
