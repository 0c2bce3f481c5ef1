"""A request with a structured prompt becomes one with a prompt, before anything else is decided of it."""

from __future__ import annotations

from typing import Any

from ..prompts.structure import PARTS, joined
from ..schemas.requests import MAX_PROMPT, Chance, ImageRequest
from ..schemas.structure import Structure, UsedStructure
from .refusal import Refused, problem


def as_sentence(request: ImageRequest) -> ImageRequest:
    """Its prompt, its negative prompt and its theme out of its structure, which stays beside them. A prompt that a
    language model wrote stands, and so do words that were drawn by chance before: the structure is what both are of.

    :raises Refused: it is too long
    """
    structure = request.structure
    if structure is None:
        return request
    changed: dict[str, Any] = {}
    drawn = request.chance or Chance()
    if (request.expansion is None or request.expand) and drawn.prompt is None:
        changed["prompt"] = joined(getattr(structure, name) for name in PARTS)
    if structure.negative is not None and drawn.negative_prompt is None:
        changed["negative_prompt"] = joined([structure.negative])
    if request.theme is None:
        changed["theme"] = structure.theme
    if any(len(changed.get(name, "")) > MAX_PROMPT for name in ("prompt", "negative_prompt")):
        sentence = f"Joined, the words of a structure are {MAX_PROMPT} characters at most."
        raise Refused([problem("structure", "too_long", sentence, most=MAX_PROMPT)])
    return request.model_copy(update=changed)


def kept(field: ImageRequest, whole: ImageRequest) -> ImageRequest:
    """A field of a sweep without its structure, where the words are others than those that were joined of it."""
    if (field.prompt, field.negative_prompt) == (whole.prompt, whole.negative_prompt):
        return field
    return field.model_copy(update={"structure": None})


def used(structure: Structure | None) -> UsedStructure | None:
    """As the record has it; ``None`` where no key says anything."""
    given = {} if structure is None else structure.model_dump(exclude_none=True)
    return UsedStructure(**given) if given else None
