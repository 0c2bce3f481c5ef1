"""Signing in with a token, and out."""

from __future__ import annotations

import logging

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from ..api import auth
from ..api.problems import ApiProblem, body
from .guard import COOKIE, PREFIX, SECURE_COOKIE, SESSION, SESSIONS, secret
from .replies import answer

log = logging.getLogger(__name__)

MOST_TOKEN = 1_000


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: str = Field(max_length=MOST_TOKEN)


async def sign_in(request: web.Request) -> web.Response:
    asked = await body(request, SignIn.model_validate_json)
    client = request.app[auth.ACCESS].admit(asked.token.strip().encode("utf-8", "surrogateescape"), request.remote)
    if client.kind == "program":
        detail = "This token is a program's, and the page shows everybody's pictures. Use the worker's own token."
        raise ApiProblem(403, "not_for_the_page", detail)
    request.app[SESSIONS].close(secret(request))
    made = request.app[SESSIONS].open(client)
    log.info("signed in at the page", extra={"client": client.name, "address": request.remote})
    response = answer({"client": client.name})
    if _encrypted(request):
        response.set_cookie(SECURE_COOKIE, made, path="/", secure=True, httponly=True, samesite="Strict")
    else:
        response.set_cookie(COOKIE, made, path=PREFIX.rstrip("/"), httponly=True, samesite="Strict")
    return response


async def look(request: web.Request) -> web.Response:
    """Who is signed in, if anybody is."""
    session = request.get(SESSION)
    return answer({"client": None if session is None else session.client.name})


async def sign_out(request: web.Request) -> web.Response:
    request.app[SESSIONS].close(secret(request))
    response = web.Response(status=204)
    response.del_cookie(COOKIE, path=PREFIX.rstrip("/"), httponly=True, samesite="Strict")
    if _encrypted(request):
        response.del_cookie(SECURE_COOKIE, path="/", secure=True, httponly=True, samesite="Strict")
    return response


def _encrypted(request: web.Request) -> bool:
    """Whether the browser speaks TLS, with us or with a proxy before us: it says so in ``Origin``."""
    return request.secure or request.headers.get("Origin", "").startswith("https://")
