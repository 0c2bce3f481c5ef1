"""How a prompt is understood, without drawing it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from ..errors import CannotLook
from ..models.loras import Library
from ..prompts import PARSER, chance
from ..prompts import explain as explain_one
from ..requests import styles
from ..schemas.listings import ExplainedChance, ExplainedFragment, ExplainedLora, ExplainedPrompt, ExplainedPrompts
from ..schemas.requests import ExplainRequest, StyleWords
from ..schemas.style_words import Words
from .operations import Operation, reply
from .parts import PARTS
from .problems import ApiProblem, body

OPTIONS_MAX = 20
"""Alternatives of a choice that are told."""


async def explain(request: web.Request) -> web.Response:
    asked = await body(request, ExplainRequest.model_validate_json)
    seed, library = asked.seed, request.app[PARTS].library
    prompt = await asyncio.to_thread(_outcome, asked.prompt, "prompt", seed, library)
    negative = await asyncio.to_thread(_outcome, asked.negative_prompt or "", "negative_prompt", seed, library)
    words = Words(prompt.text, negative.text)
    if asked.style:
        words = await _styled(request, words, asked.style)
    wanted = asked.negative_prompt is not None or words.negative_prompt
    return reply(
        ExplainedPrompts(
            parser=PARSER,
            prompt=_explained(words.prompt, prompt),
            negative_prompt=_explained(words.negative_prompt, negative) if wanted else None,
        )
    )


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """Of words by chance; without chance, or where nothing can be drawn, the words as they are."""

    text: str
    drawn: bool = False
    may: Sequence[chance.May] = ()
    notes: Sequence[str] = ()


def _outcome(text: str, of: chance.Of, seed: int, library: Library) -> _Outcome:
    """May read files."""
    if not chance.may_have(text):
        return _Outcome(text=text)
    try:
        files = library.wildcards.look()
        drawn, may = chance.draw(text, seed, of, files), chance.may_come(text, files)
        return _Outcome(text=drawn.text, drawn=drawn.by_chance, may=may, notes=tuple(files.notes(drawn.files)))
    except (chance.Undrawable, CannotLook) as why:
        return _Outcome(text=text, notes=[f"{str(why).rstrip('.')}."])


async def _styled(request: web.Request, words: Words, style: Sequence[str | StyleWords]) -> Words:
    """:raises ApiProblem:"""
    found = await asyncio.to_thread(styles.explained, words, style, request.app[PARTS].styles)
    if not found.problems:
        return found.words
    sentences = " ".join(problem.message for problem in found.problems)
    raise ApiProblem(422, found.problems[0].code, sentences, fields=found.problems)


def _explained(text: str, outcome: _Outcome) -> ExplainedPrompt:
    """``text``: the outcome with its styles."""
    found = explain_one(text)
    return ExplainedPrompt(
        drawn=outcome.text if outcome.drawn else None,
        chance=[_may(one) for one in outcome.may],
        kind=found.kind,
        fragments=[ExplainedFragment(**fragment._asdict()) for fragment in found.fragments],
        part_weights=list(found.part_weights),
        loras=[ExplainedLora(name=lora.name, weight=lora.weight) for lora in found.loras],
        marks=[*found.marks, *(["chance"] if outcome.drawn else [])],
        notes=[*outcome.notes, *found.notes],
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
