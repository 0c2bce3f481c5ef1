"""Errors as RFC 9457 problem documents. They never hold what was sent."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from .. import expected
from ..archive import Archive
from ..errors import CannotLook
from ..schemas.jobs import FieldProblem, Problem

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOK_AGAIN_SECONDS = 10
FIELDS_MAX = 50
"""At most so many fields are named: a request of a megabyte can have ninety thousand unknown ones."""
_KINDS = frozenset(
    {"image", "resolved", "chat", "describe", "NewImageJob", "NewResolvedJob", "NewChatJob", "NewDescribeJob"}
)


class ApiProblem(Exception):
    """Raised by a handler, turned into a problem document by ``middleware``."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fields: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.problem = Problem(
            title=HTTPStatus(status).phrase, status=status, code=code, detail=detail, fields=list(fields)
        )
        self.headers = dict(headers or {})


def disk_full(archive: Archive) -> ApiProblem:
    """507. A client that has promised a picture may submit again later."""
    detail = archive.no_room() or "The worker's disk is full, so it takes no new pictures."
    return ApiProblem(507, "disk_full", detail, headers={"Retry-After": "30"})


def not_found(what: str) -> ApiProblem:
    return ApiProblem(404, "not_found", f"There is no such {what}.")


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error that leaves a handler becomes a problem document."""
    try:
        return await handler(request)
    except ApiProblem as problem:
        return answer(problem)
    except web.HTTPRequestEntityTooLarge:
        # Close the connection: the rest of the body was not read.
        response = answer(ApiProblem(413, "too_large", "The request is larger than this worker reads."))
        response.force_close()
        return response
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return of_http(error)
    except CannotLook as error:
        # Unknown, not absent: the client keeps the request and asks again.
        log.warning("could not look at a file", extra={"route": route_name(request), "why": error.why})
        return answer(ApiProblem(503, "cannot_look", error.sentence, headers={"Retry-After": str(LOOK_AGAIN_SECONDS)}))
    except web.RequestPayloadError:
        # Close the connection: with broken chunks nobody knows where the next request begins.
        response = answer(ApiProblem(400, "bad_request", "The body did not arrive as HTTP sends one."))
        response.force_close()
        return response
    except Exception as error:
        if isinstance(error, ConnectionError) and request.transport is None:
            log.debug("a client left in the middle of its request", extra={"route": route_name(request)})
            return answer(ApiProblem(400, "bad_request", "The request did not come to its end."))
        log.exception("a request failed unexpectedly", extra={"method": request.method, "route": route_name(request)})
        return answer(ApiProblem(500, "internal", "Something unexpected went wrong in the worker; its log says what."))


def of_http(error: web.HTTPException) -> web.Response:
    """aiohttp's own error as a problem document, without its text."""
    code = "not_found" if error.status == 404 else HTTPStatus(error.status).phrase.lower().replace(" ", "_")
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return answer(ApiProblem(error.status, code, HTTPStatus(error.status).description, headers=headers))


def route_name(request: web.Request) -> str:
    """The route's pattern, for logs: a path may hold what somebody typed."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def answer(error: ApiProblem) -> web.Response:
    return web.Response(
        status=error.problem.status,
        body=error.problem.model_dump_json().encode(),
        content_type="application/problem+json",
        headers=error.headers,
    )


def as_it_is(request: web.Request) -> None:
    """Refuse compressed bodies: no client needs them, and a few bytes could unpack to gigabytes.

    :raises ApiProblem: 415
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise ApiProblem(415, "unsupported_media_type", "Send the body as it is, without Content-Encoding.")


async def body(request: web.Request, validate: Callable[[bytes], Model]) -> Model:
    """The request's JSON body, validated.

    :raises ApiProblem: 413, 415 or 422
    """
    if request.content_type != "application/json":
        raise ApiProblem(415, "unsupported_media_type", "Send the body as application/json.")
    as_it_is(request)
    raw = await request.read()
    try:
        return validate(raw)
    except ValidationError as error:
        refuse(error)


def refuse(error: ValidationError) -> NoReturn:
    """:raises ApiProblem: 422 with its fields"""
    problems = error.errors(include_input=False, include_url=False)
    fields = [_field(problem) for problem in problems[:FIELDS_MAX]]
    raise ApiProblem(422, "invalid_request", "The request cannot be used as it is.", fields=fields) from None


def _field(problem: Mapping[str, Any]) -> FieldProblem:
    path = [str(part) for part in problem["loc"]]
    if len(path) > 1 and path[0] in _KINDS:
        path = path[1:]  # which of the bodies it was taken for; further on it is a field of that name
    kind = str(problem["type"])
    if kind == "extra_forbidden":
        # The key's name was sent, so it is cut to something harmless; without it nobody could find it.
        path[-1] = "".join(c for c in path[-1][:64] if c.isalnum() or c in "_-.") or "?"
        message = "This worker does not know this field."
    elif kind == "missing":
        message = "This field is needed."
    elif kind == "json_invalid":
        message = "The body is not JSON."
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        path, message = ["kind"], "Expected image, resolved or chat."
    else:
        said = _lengths(kind, problem.get("ctx", {})) or expected.of(problem)
        message = f"{said[0].upper()}{said[1:]}."
    return FieldProblem(field=".".join(path) or "body", code=kind, message=message)


def _lengths(kind: str, context: Mapping[str, Any]) -> str | None:
    if kind == "string_too_long":
        return f"at most {context['max_length']} characters"
    if kind == "string_too_short":
        return f"at least {context['min_length']} characters"
    if kind == "too_long":
        return f"at most {context['max_length']} entries"
    if kind == "too_short":
        return f"at least {context['min_length']} entries"
    return None
