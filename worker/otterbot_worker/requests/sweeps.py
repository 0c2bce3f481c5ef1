"""Sweeps: a request becomes one request for each field of a grid, which differ in one setting or two.

The first axis goes across, the second one down. What is wrong with an axis itself is told here; what a model does not
take, where each field is resolved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

from pydantic import ValidationError

from .. import expected
from ..prompts.lora_tags import LORA_WEIGHT_MAX, TAG, lora_tags
from ..prompts.replacing import replaced
from ..schemas.jobs import FieldProblem
from ..schemas.requests import (
    MAX_PICTURES,
    MAX_PROMPT,
    MAX_SEED,
    ImageOptions,
    ImageRequest,
    SheetRequest,
    StyleWords,
    SweepAxis,
    SweptValue,
)
from ..schemas.resolved_parts import UsedAxis
from .refusal import Refused, problem

LONGEST = 80
"""Characters of a title."""
Changes = Mapping[str, Any]
TITLES = {"guidance_scale": "CFG", "steps": "steps", "seed": "seed", "strength": "strength", "variation": "variation",
          "hires": "second pass", "clip_skip": "clip skip"}  # fmt: skip
"""What stands before a value; of the others the value says enough."""
WITHOUT = "without"
"""What stands for no words and no styles."""


def singly(request: ImageRequest) -> list[ImageRequest]:
    """The request of each field, row by row; the request alone where there is no sweep.

    :raises Refused: with the place of each value that no model could take
    """
    if not request.sweep:
        return [request]
    problems = [*_problems(request), *(one for place in range(len(request.sweep)) for one in _unfit(request, place))]
    if problems:
        raise Refused(problems)
    across, *rest = request.sweep
    down = rest[0].values if rest else (None,)
    base = request.model_copy(update={"sweep": ()})
    found = [
        _with(_with(base, across, right), rest[0], below) if rest else _with(base, across, right)
        for below, right in product(down, across.values)
    ]
    if max(len(one.prompt) for one in found) > MAX_PROMPT:
        sentence = f"With some of these words the prompt is longer than {MAX_PROMPT:,} characters."
        raise Refused([problem("sweep", "too_long", sentence, most=MAX_PROMPT)])
    return found


def axes(request: ImageRequest) -> list[UsedAxis]:
    """As they stand in what is kept."""
    return [UsedAxis(**axis.model_dump(mode="json")) for axis in request.sweep]


def sheet(request: ImageRequest) -> SheetRequest | None:
    """The sheet that was asked for; of a sweep with its values beside the pictures, if the request names no titles."""
    asked = request.sheet
    if asked is None or not request.sweep or asked.column_titles or asked.row_titles or asked.titles:
        return asked
    across, *rest = ([label(axis, value)[:LONGEST] for value in axis.values] for axis in request.sweep)
    titles = {"column_titles": across, "row_titles": rest[0], "columns": len(across)} if rest else {"titles": across}
    return SheetRequest.model_validate({**asked.model_dump(exclude_unset=True), **_tuples(titles)})


def _tuples(titles: Changes) -> Changes:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in titles.items()}


def label(axis: SweepAxis, value: SweptValue) -> str:
    """A value as it stands beside the pictures."""
    said = _written(value)
    if axis.field == "lora":
        return f"{axis.name or 'LoRA'} {said}"
    return f"{TITLES[axis.field]} {said}" if axis.field in TITLES else said or WITHOUT


def _written(value: SweptValue) -> str:
    if isinstance(value, tuple) and all(isinstance(side, int) for side in value) and value:
        return "×".join(map(str, value))
    if isinstance(value, tuple):
        return ", ".join(one.name if isinstance(one, StyleWords) else str(one) for one in value)
    return value.strip() if isinstance(value, str) else f"{value:.10g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------- what is wrong with it


def _problems(request: ImageRequest) -> list[FieldProblem]:
    count = 1
    for axis in request.sweep:
        count *= len(axis.values)
    found = []
    if count > MAX_PICTURES:
        sentence = f"A sweep has at most {MAX_PICTURES} pictures; this one has {count}."
        found.append(problem("sweep", "too_many", sentence, most=MAX_PICTURES))
    if request.count > 1:
        found.append(problem("count", "swept", "A sweep has one picture for each of its fields, so no count is taken."))
    if len(request.sweep) > 1 and _same_setting(*request.sweep):
        found.append(problem("sweep", "twice", "Both directions of a sweep are about the same setting."))
    return found


def _same_setting(one: SweepAxis, other: SweepAxis) -> bool:
    if one.field == "words":
        return other.field == "words" and str(one.values[0]).casefold() == str(other.values[0]).casefold()
    return one.field == other.field and (one.name or "").casefold() == (other.name or "").casefold()


def _unfit(request: ImageRequest, place: int) -> list[FieldProblem]:
    """What is wrong with an axis, whatever model draws."""
    axis = request.sweep[place]
    where = f"sweep.{place}"
    if axis.field == "hires" and request.hires is None:
        sentence = "The strength of a second pass needs a second pass."
        return [problem(where, "no_hires", sentence)]
    if axis.field == "variation" and request.variation is None:
        return [problem(where, "no_variation", "How far a picture is varied needs the seed that it is varied to.")]
    if axis.field == "lora" and (unknown := _no_such_lora(request, axis)) is not None:
        return [problem(where, "no_lora", unknown)]
    if axis.field == "words":
        return _unfit_words(request, axis, where)
    found = []
    for number, value in enumerate(axis.values):
        if (why := _why_not(request, axis, value)) is not None:
            found.append(problem(f"{where}.values.{number}", "bad_value", why))
    return found


def _no_such_lora(request: ImageRequest, axis: SweepAxis) -> str | None:
    there = [tag.name for tag in lora_tags(request.prompt).loras]
    if axis.name is None:
        if len(there) == 1:
            return None
        return "Which LoRA? The prompt has none." if not there else "Which LoRA? The prompt has several."
    if axis.name.casefold() in (name.casefold() for name in there):
        return None
    return "The prompt has no LoRA of that name."


def _unfit_words(request: ImageRequest, axis: SweepAxis, where: str) -> list[FieldProblem]:
    if not all(isinstance(value, str) for value in axis.values):
        return [problem(where, "bad_value", "Expected text.")]
    if replaced(request.prompt, str(axis.values[0]), "x") is None:
        return [problem(f"{where}.values.0", "words_missing", "These words do not stand in the prompt.")]
    return []


def _why_not(request: ImageRequest, axis: SweepAxis, value: SweptValue) -> str | None:
    """Why no model could take the value, as a sentence."""
    if axis.field == "lora":
        number = isinstance(value, int | float) and abs(value) <= LORA_WEIGHT_MAX
        return None if number else f"Expected a number from -{LORA_WEIGHT_MAX:g} to {LORA_WEIGHT_MAX:g}."
    if axis.field == "size" and not (isinstance(value, tuple) and len(value) == 2):
        return "Expected width and height."
    try:
        ImageOptions.model_validate(_changes(request, axis, value))
    except ValidationError as error:
        why = expected.of(error.errors(include_input=False)[0])
        return f"{why[:1].upper()}{why[1:]}."
    return None


# ---------------------------------------------------------------- a field's request


def _with(request: ImageRequest, axis: SweepAxis, value: SweptValue | None) -> ImageRequest:
    """``asked`` says what a person could have typed for this picture alone."""
    assert value is not None, "each axis has values"
    if axis.field in ("words", "lora"):
        return request.model_copy(update=_other_words(request, axis, value))
    read = ImageOptions.model_validate(_changes(request, axis, value))
    changes = {name: getattr(read, name) for name in read.model_fields_set}
    return request.model_copy(update={**changes, "asked": _asked(request.asked, changes)})


def _asked(before: ImageOptions, changes: Changes) -> ImageOptions:
    kept = {name: getattr(before, name) for name in before.model_fields_set}
    return ImageOptions(**{name: value for name, value in {**kept, **changes}.items() if value is not None})


def _changes(request: ImageRequest, axis: SweepAxis, value: SweptValue) -> Changes:
    """Fields of `ImageOptions`, not validated."""
    if axis.field == "size":
        width, height = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
        return {"width": width, "height": height, "aspect": None}
    if axis.field == "variation":
        assert request.variation is not None, "refused before"
        return {"variation": {"seed": request.variation.seed, "strength": value}}
    if axis.field == "hires":
        assert request.hires is not None, "refused before"
        return {"hires": {**request.hires.model_dump(), "strength": value}}
    if axis.field in ("guidance_scale", "strength") and isinstance(value, int) and abs(value) <= MAX_SEED:
        return {axis.field: float(value)}
    if axis.field == "style" and isinstance(value, str):
        return {"style": (value,) if value.strip() else ()}
    return {axis.field: value}


def _reworded(prompt: str, axis: SweepAxis, value: SweptValue) -> str:
    if axis.field == "lora":
        return _reweighted(prompt, axis.name, float(value))  # type: ignore[arg-type]
    found = replaced(prompt, str(axis.values[0]), str(value))
    return prompt if found is None else found


def _other_words(request: ImageRequest, axis: SweepAxis, value: SweptValue) -> Changes:
    """What was drawn changes, and as far as the words stand there also what it was drawn from: a template, and what a
    language model was asked with."""
    prompt = _reworded(request.prompt, axis, value)
    changes: dict[str, Any] = {"prompt": prompt}
    if request.asked.prompt is not None:
        asked = _reworded(request.asked.prompt, axis, value)
        changes["asked"] = request.asked.model_copy(update={"prompt": asked})
    if (expansion := request.expansion) is not None:
        changes["expansion"] = expansion.model_copy(update={"prompt": _reworded(expansion.prompt, axis, value)})
    if (chance := request.chance) is not None and chance.prompt is not None:
        template = _reworded(chance.prompt, axis, value)
        if template == chance.prompt and prompt != request.prompt:
            template = prompt  # the words were drawn: no template makes these
        changes["chance"] = chance.model_copy(update={"prompt": template})
    return changes


def _reweighted(prompt: str, name: str | None, weight: float) -> str:
    """``prompt`` with the LoRA at that weight; the first of several tags of it has all of it. 0 takes it out."""
    done = False

    def tag(found: re.Match[str]) -> str:
        nonlocal done
        called = found[2].partition(":")[0].strip()
        if name is not None and called.casefold() != name.casefold():
            return found[0]
        if done or weight == 0:
            return ""
        done = True
        return f"<{found[1]}:{called}:{weight:.6g}>"

    return TAG.sub(tag, prompt)
