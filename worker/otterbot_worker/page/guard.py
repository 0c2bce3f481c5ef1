"""The page's door: what a browser says of where a request comes from is looked at before anything is answered.

========================  ========================================================
every path of the page    ``Host`` is a name of ours
`ROOT` and `STATIC`       nothing else: they say nothing of what is here
what needs a session      the cookie of one, and no other site or port that asks
what changes something    an ``Origin`` of ours, and the header `OWN_HEADER`
========================  ========================================================
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Middleware

from ..api import auth
from ..api.problems import ApiProblem, Handler
from . import hosts
from .sessions import Session, Sessions

ROOT = "/"
PREFIX = "/page/"
STATIC = "/page/static/"
SIGN_IN = "/page/session"
OWN_HEADER = "Otterbot-Page"
"""Another origin's script may send it only where the worker says so, and it never does."""
COOKIE, SECURE_COOKIE = "otterbot", "__Host-otterbot"

SESSION = web.RequestKey("session", Session)
SESSIONS = web.AppKey("sessions", Sessions)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_READING = frozenset({"GET", "HEAD"})


def is_page(path: str) -> bool:
    return path == ROOT or path.startswith(PREFIX)


def middleware(names: frozenset[str]) -> Middleware:
    """``names``: by which the worker goes (`hosts.names`)."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hosts.is_ours(request.headers.get("Host", ""), names):
            detail = (
                "The worker does not know this name as its own. Open the page by the address in numbers, or put the "
                "name into api.page_hosts of the worker's settings."
            )
            raise ApiProblem(421, "unknown_host", detail)
        if request.path == ROOT or request.path.startswith(STATIC):
            return await handler(request)
        _from_our_page(request)
        session = request.app[SESSIONS].find(secret(request))
        if session is not None:
            request[SESSION] = session
            request[auth.CLIENT] = session.client
        elif request.path != SIGN_IN or request.method not in ("GET", "POST"):
            raise ApiProblem(401, "signed_out", "You are not signed in, or not any more.")
        return await handler(request)

    return check


def secret(request: web.Request) -> str:
    """The session's, as the cookie has it; empty where there is none."""
    return request.cookies.get(SECURE_COOKIE) or request.cookies.get(COOKIE) or ""


def _from_our_page(request: web.Request) -> None:
    """:raises ApiProblem: another site asks, or another port of this one"""
    headers = request.headers
    # Browsers that are too old to say it are held back by the cookie's SameSite.
    elsewhere = headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none")
    if request.method not in _READING:
        elsewhere |= not hosts.same(headers.get("Origin", ""), headers.get("Host", "")) or OWN_HEADER not in headers
    if elsewhere:
        raise ApiProblem(403, "other_origin", "Only the page itself may ask for this.")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """To every answer of the page, problems included."""
    if is_page(request.path):
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
