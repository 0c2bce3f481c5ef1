"""Whether a language model is to write a request's prompt, and where the prompt comes from if one has.

The writing itself is the first stage of such a job (``runner.expansions``).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..models.entries import ModelEntry
from ..prompts.expansion import take_apart
from ..prompts.expansion.length import tokens
from ..schemas.requests import ImageRequest
from ..schemas.resolved_parts import ResolvedExpansion

UPSCALED = "An upscaled picture shows what the other one does, so its prompt was not expanded."
WORDLESS = "The prompt was not expanded: there are no words in it."
WHOLE = "The prompt was not expanded: an .and() or .blend() takes the whole prompt."
LONG = "The prompt was not expanded: it is as long as the model reads well."


@dataclass(frozen=True, kw_only=True)
class Expand:
    wanted: bool
    notes: tuple[str, ...] = ()


def find(request: ImageRequest, entry: ModelEntry, *, usual: bool) -> Expand:
    """``usual``: what the room is used to, of which nothing is said where it cannot be."""
    if not (usual if request.expand is None else request.expand):
        return Expand(wanted=False)
    why = _why_not(request, entry)
    if why is None:
        return Expand(wanted=True)
    return Expand(wanted=False, notes=(why,) if request.expand else ())


def _why_not(request: ImageRequest, entry: ModelEntry) -> str | None:
    if request.upscale is not None:
        return UPSCALED
    named = take_apart(request.prompt)
    if not named.words:
        return WORDLESS
    if not named.possible:
        return WHOLE
    return LONG if tokens(named.words) >= entry.prompt_form.tokens else None


def before(request: ImageRequest) -> ResolvedExpansion | None:
    """What wrote the prompt of an earlier picture, which this one has again."""
    given = request.expansion
    if given is None or request.expand:
        return None
    return ResolvedExpansion(prompt=given.prompt, model=given.model)
