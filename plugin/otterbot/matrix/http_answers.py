"""What an answer from the homeserver's address means: JSON, or one of the errors of :mod:`..errors`.

Proxies answer there as well. An error is the homeserver's only if it has an ``errcode``; any other is an answer that
was lost, whatever its status. Two statuses keep their meaning without one: 429 says when to come again, and 413 that a
proxy passes nothing of that size on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from .. import numeric
from ..errors import AnswerLost, MatrixRefused, NotAllowed, RateLimited, TooLarge

MAX_RETRY_AFTER = 600.0
_NOT_HERE = {"M_FORBIDDEN", "M_NOT_FOUND", "M_NOT_JOINED", "M_USER_DEACTIVATED", "M_UNSUPPORTED_ROOM_VERSION"}


def read(response: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; raises what any other answer means."""
    try:
        parsed = numeric.parse(body)
    except ValueError:
        parsed = None
    if 200 <= response.status < 300:
        if not isinstance(parsed, dict):
            raise AnswerLost("the answer is no JSON object", response.status)
        return parsed
    fields = parsed if isinstance(parsed, dict) else {}
    errcode = fields.get("errcode")
    raise _error(response, errcode if isinstance(errcode, str) else "", fields)


def listed(answer: Mapping[str, Any], name: str) -> list[Any]:
    """The list that such an answer always has; without it something else has answered."""
    found = answer.get(name)
    if not isinstance(found, list):
        raise AnswerLost(f"an answer without {name}")
    return found


def event_id(answer: Mapping[str, Any]) -> str:
    """The id of what was sent; without it nobody knows whether it was."""
    found = answer.get("event_id")
    if not isinstance(found, str) or not found:
        raise AnswerLost("an answer without event_id")
    return found


def event(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event has a type and a content; ``{}`` is none."""
    if not isinstance(answer.get("type"), str) or not isinstance(answer.get("content"), dict):
        raise AnswerLost("an answer without an event")
    return answer


def sync(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer to a sync says where the next one begins; without it something else has answered."""
    if not isinstance(answer.get("next_batch"), str):
        raise AnswerLost("an answer without next_batch")
    return answer


def _error(response: aiohttp.ClientResponse, errcode: str, fields: Mapping[str, Any]) -> Exception:
    status = response.status
    if status == 429 or errcode == "M_LIMIT_EXCEEDED":
        return RateLimited(_retry_after(response, fields))
    if status == 413 or errcode == "M_TOO_LARGE":
        return TooLarge(f"{status} {errcode}", errcode)
    # 401 says that our token is not taken (for the operator to mend), not that there is no such thing.
    if not errcode or status >= 500 or status in (401, 408):
        return AnswerLost(f"HTTP {status} {errcode}".rstrip(), status)
    if errcode in _NOT_HERE or status == 403:
        return NotAllowed(status, errcode)
    return MatrixRefused(status, errcode)


def _retry_after(response: aiohttp.ClientResponse, fields: Mapping[str, Any]) -> float:
    """Seconds: ``retry_after_ms`` of the body, else the header, else five."""
    in_body = numeric.number(fields.get("retry_after_ms"))
    if in_body is not None:
        return min(max(in_body / 1000.0, 0.05), MAX_RETRY_AFTER)
    header = response.headers.get("Retry-After", "")
    if header.isascii() and header.isdecimal():
        return min(max(float(header[:10]), 0.05), MAX_RETRY_AFTER)
    return 5.0
