"""The styles of a request: found when it is accepted, with their words, which stay the same from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..models import plain_files
from ..prompts import read
from ..prompts.lora_tags import lora_tags
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest, StyleWords
from ..schemas.resolved_parts import UsedStyle
from ..schemas.style_words import STYLED_MAX, Words, styled
from ..styles import Style, StyleLibrary
from .refusal import problem

WHOLE = "An .and() or .blend() is the whole prompt: no style can be put around it."
UNKNOWN = "There is no style of that name."


@dataclass(kw_only=True)
class ChosenStyles:
    words: Words
    """What they make of the request's."""
    styles: list[UsedStyle] = field(default_factory=list)
    aspect: str | None = None
    """The shape that the first of them asks for that asks for any."""
    notes: list[str] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)


def find_styles(request: ImageRequest, negative_prompt: str, library: StyleLibrary) -> ChosenStyles:
    """``negative_prompt``: with the defaults filled in. Reads files, so it runs in a thread. :raises CannotLook:"""
    words = Words(request.prompt, negative_prompt)
    chosen = ChosenStyles(words=words)
    if request.style is not None:
        _of_request(request.style, chosen, library)
    elif request.upscale is None:
        _of_layers(request, chosen, library)
    if not chosen.styles:
        return chosen
    if read(lora_tags(request.prompt).text).kind != "plain":
        if request.style is not None:
            chosen.problems.append(problem("style", "whole_prompt", WHOLE))
        chosen.notes += [] if request.style is not None else [WHOLE]
        chosen.styles, chosen.aspect = [], None
        return chosen
    chosen.words = styled(words, chosen.styles)
    _check_lengths(chosen)
    return chosen


def explained(words: Words, wanted: Sequence[str | StyleWords], library: StyleLibrary) -> ChosenStyles:
    """What styles make of words, without a picture. :raises CannotLook:"""
    chosen = ChosenStyles(words=words)
    _of_request(wanted, chosen, library)
    chosen.words = styled(words, chosen.styles)
    _check_lengths(chosen)
    return chosen


def _of_request(wanted: Sequence[str | StyleWords], chosen: ChosenStyles, library: StyleLibrary) -> None:
    for number, one in enumerate(wanted):
        if not _add(one, chosen, library):
            assert isinstance(one, str), "words need not be found"
            near = library.near(one)
            chosen.problems.append(problem(f"style.{number}", "unknown_style", UNKNOWN, number=number, near=near))


def _of_layers(request: ImageRequest, chosen: ChosenStyles, library: StyleLibrary) -> None:
    """Nobody typed these names, so one that is gone stops no picture."""
    layer = next((layer for layer in request.layers if layer.style is not None), None)
    for one in layer.style or () if layer is not None else ():
        if not _add(one, chosen, library):
            chosen.notes.append(f"The style {plain_files.printable(str(one))} is usual here, and not there any more.")
    chosen.notes = list(dict.fromkeys(chosen.notes))
    if any(layer.size is not None for layer in request.layers):
        chosen.aspect = None


def _add(one: str | StyleWords, chosen: ChosenStyles, library: StyleLibrary) -> bool:
    found: Style | StyleWords | None = library.find(one) if isinstance(one, str) else one
    if found is None:
        return False
    chosen.styles.append(UsedStyle(name=found.name, prompt=found.prompt, negative_prompt=found.negative_prompt))
    if isinstance(found, Style):
        chosen.aspect = chosen.aspect or found.aspect
    return True


def _check_lengths(chosen: ChosenStyles) -> None:
    for text, what in zip(chosen.words, ("prompt", "negative prompt"), strict=True):
        if len(text) > STYLED_MAX:
            sentence = (
                f"With its styles the {what} is longer than {STYLED_MAX:,} characters; please use fewer of them, or "
                "fewer words."
            )
            chosen.problems.append(problem("style", "too_long", sentence, most=STYLED_MAX))


def with_shape(request: ImageRequest, aspect: str | None) -> tuple[ImageRequest, list[str]]:
    """The request with the shape that its styles ask for, where nothing else says one, and what is said of it."""
    said = (request.width, request.height, request.aspect, request.init_image, request.control, request.upscale)
    if aspect is None or any(one is not None for one in said):
        return request, []
    return request.model_copy(update={"aspect": aspect}), [f"The style asks for the shape {aspect}."]
