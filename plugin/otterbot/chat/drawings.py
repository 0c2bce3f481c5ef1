"""A picture that a language model asks for in a chat: what it says, as a person would have typed it. Pure.

Who asks is the person whose turn it is: the request for the picture is stored in the transaction that ends the turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..language.line import line_of
from ..language.option_kinds import BadValue
from ..language.option_table import FIELDS
from ..language.options import DrawOptions
from ..language.typed import clean
from ..store.quotas import Follow
from ..store.rows import Request
from ..worker.jobs import Drawing

DRAWS = "draws"
"""In ``asked`` of a turn: the model may ask for a picture. Decided when it is asked."""
FEATURE = "draws"
"""Of a worker that passes on what a model asks for."""
DREW = "drew"
"""In our key of an answer: what the picture shows that came with it."""
MOST_DREW = 300
"""Characters of that."""

Draw = Callable[[Request, DrawOptions, str, "str | None"], Awaitable["Follow | str | None"]]
"""Makes the request for a picture of a turn, which replies to the event of the answer, in that thread. A sentence where
it cannot be; ``None``: it is not to be."""


def options_of(drawing: Drawing) -> DrawOptions | None:
    """Its words are words, whatever looks like a flag in them; ``None``: it says nothing."""
    prompt = clean(drawing.prompt).strip()
    if not prompt:
        return None
    negative = clean(drawing.negative_prompt or "").strip() or None
    return DrawOptions(prompt=prompt, negative_prompt=negative, aspect=_shape(drawing.aspect))


def _shape(typed: str | None) -> str | None:
    try:
        return None if typed is None else str(FIELDS["aspect"].kind.typed(typed))
    except BadValue:
        return None


def line(options: DrawOptions) -> str:
    """As a person would have typed it, without the prefix."""
    return line_of(options) or f"draw {options.prompt}"
