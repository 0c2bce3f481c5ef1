"""How a prompt is understood, without drawing it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from ..prompts import PARSER
from ..prompts import explain as explain_one
from ..requests import styles
from ..schemas.listings import ExplainedFragment, ExplainedLora, ExplainedPrompt, ExplainedPrompts
from ..schemas.requests import ExplainRequest, StyleWords
from ..schemas.style_words import Words
from .operations import Operation, reply
from .parts import PARTS
from .problems import ApiProblem, body


async def explain(request: web.Request) -> web.Response:
    asked = await body(request, ExplainRequest.model_validate_json)
    words = Words(asked.prompt, asked.negative_prompt or "")
    if asked.style:
        words = await _styled(request, words, asked.style)
    wanted = asked.negative_prompt is not None or words.negative_prompt
    return reply(
        ExplainedPrompts(
            parser=PARSER,
            prompt=_explained(words.prompt),
            negative_prompt=_explained(words.negative_prompt) if wanted else None,
        )
    )


async def _styled(request: web.Request, words: Words, style: Sequence[str | StyleWords]) -> Words:
    """:raises ApiProblem:"""
    found = await asyncio.to_thread(styles.explained, words, style, request.app[PARTS].styles)
    if not found.problems:
        return found.words
    sentences = " ".join(problem.message for problem in found.problems)
    raise ApiProblem(422, found.problems[0].code, sentences, fields=found.problems)


def _explained(text: str) -> ExplainedPrompt:
    found = explain_one(text)
    return ExplainedPrompt(
        kind=found.kind,
        fragments=[ExplainedFragment(**fragment._asdict()) for fragment in found.fragments],
        part_weights=list(found.part_weights),
        loras=[ExplainedLora(name=lora.name, weight=lora.weight) for lora in found.loras],
        marks=list(found.marks),
        notes=list(found.notes),
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/prompts/explain",
        handler=explain,
        summary="How prompts are understood: their pieces with their weights, what was recognised, what is not done.",
        body=ExplainRequest,
        answers={200: ExplainedPrompts},
        problems=(413, 415, 422),
    ),
)
