"""The worker's problems as A1111's server tells them, which is FastAPI's way."""

from __future__ import annotations

from typing import Any

from ....schemas.jobs import FieldProblem, Problem

_NAMES = {
    "guidance_scale": "cfg_scale",
    "sampler": "sampler_name",
    "count": "batch_size",
    "strength": "denoising_strength",
    "init_image": "init_images",
    "model": "sd_model_checkpoint",
    "style": "styles",
    "variation": "subseed_strength",
    "hires": "enable_hr",
}


def shape(problem: Problem) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    sentence = problem.detail or problem.title
    detail: Any = sentence
    if problem.fields:
        detail = [_field(field) for field in problem.fields]
        missing = [f"{one['loc'][-1]}: {one['msg']}" for one in detail if one["msg"] not in sentence]
        sentence = " ".join([sentence, *missing])
    # Some clients show ``errors``, some ``detail``.
    return problem.status, {"error": problem.code, "detail": detail, "body": "", "errors": sentence}


def _field(field: FieldProblem) -> dict[str, Any]:
    path = field.field.removeprefix("request.").split(".")
    return {"loc": ["body", _NAMES.get(path[0], path[0]), *path[1:]], "msg": field.message, "type": field.code}
