"""How a prompt is understood, without drawing it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ..errors import CannotLook
from ..models.loras import Library
from ..prompts import PARSER, chance
from ..prompts import explain as explain_one
from ..schemas.listings import ExplainedChance, ExplainedFragment, ExplainedLora, ExplainedPrompt, ExplainedPrompts
from ..schemas.requests import ExplainRequest
from .operations import Operation, reply
from .parts import PARTS
from .problems import body

OPTIONS_MAX = 20
"""Alternatives of a choice that are told."""


async def explain(request: web.Request) -> web.Response:
    asked = await body(request, ExplainRequest.model_validate_json)
    library = request.app[PARTS].library
    negative = asked.negative_prompt
    return reply(
        ExplainedPrompts(
            parser=PARSER,
            prompt=await asyncio.to_thread(_explained, asked.prompt, "prompt", asked.seed, library),
            negative_prompt=None
            if negative is None
            else await asyncio.to_thread(_explained, negative, "negative_prompt", asked.seed, library),
        )
    )


def _explained(text: str, of: chance.Of, seed: int, library: Library) -> ExplainedPrompt:
    """Of words by chance one outcome; where nothing can be drawn, the words as they are, and why. May read files."""
    drawn, may, notes = chance.Drawn(text, by_chance=False), list[chance.May](), list[str]()
    if chance.may_have(text):
        try:
            files = library.wildcards.look()
            drawn, may = chance.draw(text, seed, of, files), chance.may_come(text, files)
            notes = list(files.notes(drawn.files))
        except (chance.Undrawable, CannotLook) as why:
            notes = [f"{str(why).rstrip('.')}."]
    found = explain_one(drawn.text)
    return ExplainedPrompt(
        drawn=drawn.text if drawn.by_chance else None,
        chance=[_may(one) for one in may],
        kind=found.kind,
        fragments=[ExplainedFragment(**fragment._asdict()) for fragment in found.fragments],
        part_weights=list(found.part_weights),
        loras=[ExplainedLora(name=lora.name, weight=lora.weight) for lora in found.loras],
        marks=[*found.marks, *(["chance"] if drawn.by_chance else [])],
        notes=[*notes, *found.notes],
    )


def _may(one: chance.May) -> ExplainedChance:
    return ExplainedChance(**{**vars(one), "options": [text.strip() for text in one.options[:OPTIONS_MAX]]})


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/prompts/explain",
        handler=explain,
        summary="How prompts are understood: what is drawn by chance, the pieces with their weights, what is not done.",
        body=ExplainRequest,
        answers={200: ExplainedPrompts},
        problems=(413, 415, 422),
    ),
)
