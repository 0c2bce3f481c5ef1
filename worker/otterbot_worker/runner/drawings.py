"""The one tool of chats: a language model asks for a picture. What it says is read with suspicion: only words come out.

Nothing is drawn here. The client is told, and asks for the picture as the person who chats, with all that limits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..chat import Tool, ToolCall
from ..prompts.expansion import plain_words
from ..schemas.jobs import Drawing

SHAPES = ("square", "portrait", "landscape")
LONGEST = 1_000
"""Characters of a prompt."""
DRAW = Tool(
    name="draw_picture",
    about="Draws one picture for the person you talk with and shows it to them. Use it only when they ask to see "
    "something, and then once.",
    parameters={
        "type": "object",
        "properties": {
            "prompt": {"type": "string", "description": "What the picture shows, in short English phrases."},
            "negative_prompt": {"type": "string", "description": "What must not be in it."},
            "aspect": {"type": "string", "enum": list(SHAPES)},
        },
        "required": ["prompt"],
    },
)
MORE = "The model asked for more than one picture at once; only the first is drawn."
UNUSABLE = "The model asked for a picture, but not in a way that can be drawn."


def asked(calls: Sequence[ToolCall]) -> tuple[Drawing | None, list[str]]:
    """The picture that is asked for, and what is to be said of it."""
    found = [drawing for one in calls if one.name == DRAW.name and (drawing := _drawing(one.arguments)) is not None]
    if not found:
        return None, [UNUSABLE] if calls else []
    return found[0], [MORE] if len(found) > 1 else []


def _drawing(arguments: Any) -> Drawing | None:
    prompt, negative, aspect = (arguments.get(name) for name in ("prompt", "negative_prompt", "aspect"))
    words = _words(prompt)
    if not words:
        return None
    shape = aspect.strip().lower() if isinstance(aspect, str) else None
    return Drawing.model_validate(
        {"prompt": words, "negative_prompt": _words(negative) or None, "aspect": shape if shape in SHAPES else None}
    )


def _words(text: object) -> str:
    return plain_words(text)[:LONGEST].strip() if isinstance(text, str) else ""
