"""The worker's problems in OpenAI's form, which has other statuses and names the field in its own words."""

from __future__ import annotations

from typing import Any

from ....schemas.jobs import Problem

_STATUS = {422: 400}
_CODES = {"unknown_model": (404, "model_not_found"), "chat_model_missing": (404, "model_not_found")}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_PARAMS = {"width": "size", "height": "size", "count": "n", "init_image": "image"}


def shape(problem: Problem) -> tuple[int, dict[str, Any]]:
    """Status and body."""
    status, code = _CODES.get(problem.code, (_STATUS.get(problem.status, problem.status), problem.code))
    sentences = [field.message for field in problem.fields]
    param = problem.fields[0].field.removeprefix("request.").split(".")[0] if problem.fields else None
    message = _message(problem, sentences)
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return status, {
        "error": {
            "message": message,
            "type": kind,
            "param": _PARAMS.get(param, param) if param is not None else None,
            "code": code,
        }
    }


def _message(problem: Problem, sentences: list[str]) -> str:
    detail = problem.detail or problem.title
    named = [f"{field.field.removeprefix('request.')}: {field.message}" for field in problem.fields if field.message]
    if not sentences or all(sentence in detail for sentence in sentences):
        return detail
    return " ".join([detail, *named])
