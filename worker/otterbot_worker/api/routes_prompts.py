"""How a prompt is understood, without drawing it."""

from __future__ import annotations

from aiohttp import web

from ..prompts import PARSER
from ..prompts import explain as explain_one
from ..schemas.listings import ExplainedFragment, ExplainedLora, ExplainedPrompt, ExplainedPrompts
from ..schemas.requests import ExplainRequest
from .operations import Operation, reply
from .problems import body


async def explain(request: web.Request) -> web.Response:
    asked = await body(request, ExplainRequest.model_validate_json)
    return reply(
        ExplainedPrompts(
            parser=PARSER,
            prompt=_explained(asked.prompt),
            negative_prompt=None if asked.negative_prompt is None else _explained(asked.negative_prompt),
        )
    )


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
