"""Bearer tokens: one per client, made at the first start, kept in files that only this user can read."""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from .problems import ApiProblem, Handler
from .wrong_tokens import WrongTokens

log = logging.getLogger(__name__)

CLIENT = web.RequestKey("client", str)
OPEN_PATHS = frozenset({"/healthz"})
MIN_TOKEN = 16


class BadToken(Exception):
    """A token file that cannot be used; the message names it."""


def load_tokens(files: Mapping[str, Path]) -> dict[str, str]:
    """Client → token; makes the files that are missing.

    :raises BadToken:
    """
    tokens = {client: _load(path) for client, path in files.items()}
    if len(set(tokens.values())) != len(tokens):
        raise BadToken("two clients have the same token")
    return tokens


def _load(path: Path) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return _read(path)
        token = secrets.token_urlsafe(32)
        with os.fdopen(fd, "w") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        log.info("made a token", extra={"file": str(path)})
    except OSError as error:
        raise BadToken(f"{path}: cannot be read or made ({error.strerror})") from None
    return token


def is_open(path: Path) -> bool:
    """Whether others on this machine may read the token. :raises OSError:"""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _read(path: Path) -> str:
    if is_open(path):
        log.warning("others on this machine can read the token; make the file 0600", extra={"file": str(path)})
    return read_token(path)


def read_token(path: Path) -> str:
    """:raises BadToken: :raises OSError:"""
    try:
        token = path.read_text("ascii").strip()
    except UnicodeDecodeError:
        raise BadToken(f"{path}: expected a token of ASCII characters") from None
    if len(token) < MIN_TOKEN or any(character.isspace() for character in token):
        raise BadToken(f"{path}: expected one token of at least {MIN_TOKEN} characters; delete the file for a new one")
    return token


def middleware(tokens: Mapping[str, str], wrong: WrongTokens) -> Middleware:
    """Refuses every request without a known token, except the open ones, and tells ``wrong`` of them."""
    known = [(client, token.encode()) for client, token in tokens.items()]

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS:
            request[CLIENT] = _client(request, known, wrong)
        return await handler(request)

    return check


def client_of(request: web.Request) -> str:
    """The client whose token the request has."""
    return request[CLIENT]


def _client(request: web.Request, known: list[tuple[str, bytes]], wrong: WrongTokens) -> str:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    offered = sent.strip().encode("utf-8", "surrogateescape") if scheme.lower() == "bearer" else b""
    found = None
    for client, token in known:
        # Compare with every token: the time taken must not tell how close one was.
        if hmac.compare_digest(offered, token):
            found = client
    if found is None:
        wrong.refused(request.remote, offered=bool(offered))
        raise ApiProblem(401, "unauthorized", "A valid bearer token is needed.", headers={"WWW-Authenticate": "Bearer"})
    return found
