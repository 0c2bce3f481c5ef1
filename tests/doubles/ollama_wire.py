"""How an Ollama server (v0.33) writes: Go's JSON, its times and durations, its errors."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from aiohttp import web

NDJSON = "application/x-ndjson"
FOREVER = float("inf")
_FAR_AWAY = "2319-03-02T02:48:08.123456789Z"

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class Refused(Exception):
    """An error answer: ``{"error": …}``."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error

    def response(self, *, stream: bool = False) -> web.Response:
        """In chunks and without a charset where a stream was asked for."""
        answer = reply({"error": self.error}, self.status)
        if stream:
            answer.headers["Content-Type"] = "application/json"
            answer.enable_chunked_encoding()
        return answer


def dumps(value: Any) -> bytes:
    """As Go's encoder: ``<>&`` and the two line separators escaped, everything else raw, U+0085 too."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "replace")


def reply(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=dumps(value), status=status, headers={"Content-Type": "application/json; charset=utf-8"})


def stamp(seconds: float | None = None) -> str:
    """RFC 3339 in UTC with up to nine digits, zeros at the end trimmed."""
    if seconds == FOREVER:
        return _FAR_AWAY
    nanoseconds = time.time_ns() if seconds is None else int(seconds * 1e9)
    whole, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f"{rest:09d}".rstrip("0")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + (f".{fraction}" if fraction else "") + "Z"


def keep_alive(value: Any, default: float) -> float:
    """Seconds. Raises `Refused` in the words of Go's ``time.ParseDuration``."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Refused(400, f"Unsupported type: '{type(value).__name__}'")
    if not isinstance(value, str):
        return FOREVER if value < 0 else float(value)
    text = value.removeprefix("-").removeprefix("+")
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        if re.fullmatch(r"[\d.]+", text):
            raise Refused(400, f'time: missing unit in duration "{value}"')
        raise Refused(400, f'time: invalid duration "{value}"')
    return FOREVER if value.startswith("-") else sum(float(number) * _UNITS[unit] for number, unit in parts)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request; errors in Go's words as far as they matter."""
    data = await request.read()
    if not data.strip():
        raise Refused(400, "missing request body")
    try:
        body = json.loads(data)
    except ValueError as error:
        place = getattr(error, "pos", 0)
        character = data[place : place + 1].decode("latin-1") or " "
        raise Refused(400, f"invalid character '{character}' looking for beginning of object key string") from None
    if not isinstance(body, dict):
        raise Refused(400, "json: cannot unmarshal into Go value of type api.ChatRequest")
    return body


_NAME = re.compile(r"[A-Za-z0-9][\w./@-]*(:[\w.-]+)?")


def check_name(name: str) -> None:
    """Refuses what can be no model's name."""
    if not _NAME.fullmatch(name):
        raise Refused(400, "invalid model name")


def full_name(name: str) -> str:
    """``tiny`` → ``tiny:latest``."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
