"""Who may ask: bearer tokens, compared in constant time.

The bot's token is made at the first start and lies in a file that only this user can read. Those of other programs and
of operators are stored as hashes (`otterbot_worker.tokens`), which are read again when their file has changed.
"""

from __future__ import annotations

import base64
import hmac
import logging
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Middleware

from ..logs import Seldom
from ..tokens import BadTokensFile, Entry, TokensFile, Used, digest, token_id
from .attempts import Attempts
from .problems import ApiProblem, Handler
from .wrong_tokens import WrongTokens

log = logging.getLogger(__name__)
_held = Seldom(__name__, "too many wrong tokens came from an address; for a minute none from there is looked at")

OPEN_PATHS = frozenset({"/healthz"})
OPEN = web.RequestKey("open", bool)
"""Set by a middleware before: this request needs no token."""
MIN_TOKEN = 16


@dataclass(frozen=True, kw_only=True)
class Client:
    name: str
    """As in the database: a client sees its own jobs and pictures only."""
    kind: Literal["bot", "program", "operator"]
    """``bot``: in ``api.clients`` of the settings; the others: `otterbot_worker.tokens.Kind`."""
    id: str
    """Names the token, and is no secret: another one of the same client has another id."""
    per_day: int | None = None
    """Pictures in 24 hours."""
    answers_per_day: int | None = None
    """Turns of chat and descriptions in 24 hours."""


CLIENT = web.RequestKey("client", Client)


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


class Tokens:
    """Every token that opens this worker."""

    def __init__(self, bots: Mapping[str, str], file: TokensFile, used: Used) -> None:
        """``bots``: client → token, as ``load_tokens`` gives them."""
        self._bots = {sha256: _bot(name, sha256) for name, sha256 in _digests(bots)}
        self._names = frozenset(bots)
        self._file = file
        self._used = used
        self._known = self._bots
        self._ids = frozenset(client.id for client in self._bots.values())
        self._stamp: object = _NEVER
        self._problem: str | None = None
        self.revoked: frozenset[str] = frozenset()
        """Names that have no token any more."""
        self.look()

    def client_of(self, offered: str | bytes | None) -> Client | None:
        """Whose token it is; ``None``: nobody's."""
        self.look()
        token = offered.encode("utf-8", "surrogateescape") if isinstance(offered, str) else offered or b""
        sought, found = digest(token), None
        for known, client in self._known.items():
            # Compare with every token: the time taken must not tell how close one was.
            if hmac.compare_digest(sought, known):
                found = client
        if found is not None and found.kind != "bot":
            self._used.note(found.id)
        return found

    def knows(self, token_id: str) -> bool:
        """Whether the token of a ``Client.id`` still opens."""
        self.look()
        return token_id in self._ids

    def names(self) -> frozenset[str]:
        """Of all clients."""
        self.look()
        return frozenset(client.name for client in self._known.values())

    def look(self) -> None:
        """Read the file again if it has changed. Where it cannot be read, what was known of it stays valid."""
        try:
            stamp = self._file.stamp()
            if stamp == self._stamp:
                return
            stored = self._file.read()
        except BadTokensFile as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.warning("tokens of other programs stay as they were last read: %s", error)
            return
        self._stamp, self._problem = stamp, None
        self.revoked = frozenset(stored.revoked) - self._names
        others = {bytes.fromhex(entry.sha256): _other(entry) for entry in stored.tokens if self._free(entry.name)}
        self._known = {**others, **self._bots}
        self._ids = frozenset(client.id for client in self._known.values())

    async def write_used(self) -> None:
        """:raises OSError:"""
        await self._used.write(self._ids)

    def _free(self, name: str) -> bool:
        if name in self._names:
            todo = "it opens nothing: revoke it, and make one of another name"
            log.warning("a token has the name of a client in api.clients; %s", todo, extra={"token": name})
        return name not in self._names


_NEVER = object()


def _digests(tokens: Mapping[str, str]) -> list[tuple[str, bytes]]:
    return [(name, digest(token.encode())) for name, token in tokens.items()]


def _bot(name: str, sha256: bytes) -> Client:
    return Client(name=name, kind="bot", id=token_id(sha256))


def _other(entry: Entry) -> Client:
    return Client(
        name=entry.name,
        kind=entry.kind,
        id=entry.id,
        per_day=entry.per_day,
        answers_per_day=entry.answers_per_day,
    )


class Access:
    """Lets clients in by their tokens, and holds back who tries many wrong ones."""

    def __init__(self, tokens: Tokens, wrong: WrongTokens) -> None:
        self.tokens = tokens
        self._wrong = wrong
        self._attempts = Attempts()

    def admit(self, offered: bytes, address: str | None) -> Client:
        """``offered``: a token, empty where there is none; ``address``: who asks.

        :raises ApiProblem: 401, the token is wrong, or nobody looks at it because too many from there were
        """
        client = self.tokens.client_of(offered)
        wait = self._attempts.admit(address, client.id if client else None, offered=bool(offered))
        if wait is not None:
            _held.warning(address=address)
            # 401, not 429: a plugin keeps what it has for a worker that does not know it, and gives up what is refused.
            detail = f"Too many wrong tokens came from this address. Please try again in {wait} s."
            raise _unauthorized("too_many_wrong_tokens", detail, {"Retry-After": str(wait)})
        if client is None:
            self._wrong.refused(address, offered=bool(offered))
            raise _unauthorized("unauthorized", "A valid bearer token is needed.", {})
        return client


def _unauthorized(code: str, detail: str, headers: Mapping[str, str]) -> ApiProblem:
    return ApiProblem(401, code, detail, headers={"WWW-Authenticate": "Bearer", **headers})


ACCESS = web.AppKey("access", Access)


def middleware(access: Access, elsewhere: Callable[[str], bool] = lambda _: False) -> Middleware:
    """Refuses every request without a known token, except the open ones, and what a middleware before has let in.
    ``elsewhere``: whether a path has a door of its own."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        let_in = CLIENT in request or OPEN in request
        if request.path not in OPEN_PATHS and not let_in and not elsewhere(request.path):
            request[CLIENT] = access.admit(offered(request.headers.get("Authorization", "")), request.remote)
        return await handler(request)

    return check


def offered(authorization: str, *, basic: bool = False) -> bytes:
    """The token of an ``Authorization`` header, empty where there is none. ``basic``: a password may be one, of
    whatever user."""
    scheme, _, sent = authorization.partition(" ")
    token = sent.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "bearer":
        return token
    if not basic or scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(token, validate=True).partition(b":")[2]
    except ValueError:
        return b""


def asker(request: web.Request) -> Client:
    """The client whose token the request has."""
    return request[CLIENT]


def client_of(request: web.Request) -> str:
    """Its name."""
    return request[CLIENT].name


def refuse_programs(request: web.Request) -> None:
    """:raises ApiProblem: what is asked for is not for other programs"""
    if asker(request).kind == "program":
        raise ApiProblem(403, "forbidden", "A program's token is for its own jobs and pictures only.")
