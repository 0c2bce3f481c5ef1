"""What an OpenAI-compatible server answered, as codes for programs and sentences for people.

``name`` is the server's, as sentences call it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import JobFailed
from ..failures import busy, failure, refused

_MISSING = re.compile(r"model.{0,300}(?:not found|does not exist|not exist)|no such model|model_not_found", re.I | re.S)
_NO_CREDIT = re.compile(r"insufficient_quota|billing|credit|exceeded your current quota", re.I)
_OUT_OF_MEMORY = re.compile(r"out of memory|insufficient memory", re.I)


class ServerRefused(Exception):
    """An HTTP error of the server. ``words`` are its own: never for people, nor for the log."""

    def __init__(self, status: int, answer: object, retry_after: str | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.speaks = isinstance(answer, Mapping)
        """Whether it answered as such a server does, with JSON."""
        self.words = json.dumps(answer, ensure_ascii=False) if answer is not None else ""
        self.param = _param(answer)
        self.retry_after = _seconds(retry_after)

    @property
    def loading(self) -> bool:
        return self.status == 503 and "loading" in self.words.lower()


def _param(answer: object) -> str:
    """The field that the server names as the one that it does not take."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    return str(error.get("param") or "") if isinstance(error, Mapping) else ""


def _seconds(retry_after: str | None) -> int | None:
    """Of the header; some say a date instead, which is not worth reading."""
    try:
        return max(1, min(86_400, round(float(retry_after or ""))))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Who was asked for what: so much the sentences need."""

    name: str
    with_key: bool
    model: str = ""


def from_answer(error: ServerRefused, asked: Asked) -> JobFailed:
    """Not one that speaks of length, which is `too_long`."""
    name, status = asked.name, error.status
    if status in (401, 403):
        return _key(asked, status)
    if status == 404:
        return missing(name, asked.model) if asked.model and _is_missing(error) else wrong_address(name, status)
    if status == 429:
        return _too_many(name, error)
    if _OUT_OF_MEMORY.search(error.words):
        message = f"{name} has not enough memory for the chat model. A smaller one may fit."
        return failure("chat_failed", message, {"status": status, "reason": "out_of_memory"})
    if error.loading:
        return failure(
            "chat_timeout", f"{name} is still loading its model. Please ask again in a minute.", {"reason": "load"}
        )
    if status == 503:
        return busy(name, status)
    if status >= 500:
        message = f"{name} is out of order (HTTP {status}). Please try again later."
        return failure("chat_failed", message, {"status": status, "reason": "fault"})
    if asked.model and _is_missing(error):
        return missing(name, asked.model)
    if 300 <= status < 400:
        return wrong_address(name, status)
    return refused(name, status)


def _is_missing(error: ServerRefused) -> bool:
    return error.speaks and _MISSING.search(error.words) is not None


def _key(asked: Asked, status: int) -> JobFailed:
    if asked.with_key:
        message = f"{asked.name} does not accept the worker's key (HTTP {status}). The operator has to look at it: its "
        message += "file is chat.api_key_file of the worker's settings."
    else:
        message = f"{asked.name} wants a key (HTTP {status}). The operator puts it into a file, and names that as "
        message += "chat.api_key_file in the worker's settings."
    return failure("chat_failed", message, {"status": status, "reason": "key"})


def _too_many(name: str, error: ServerRefused) -> JobFailed:
    details: dict[str, Any] = {"status": error.status, "reason": "rate", "retry_after": error.retry_after}
    if _NO_CREDIT.search(error.words):
        message = f"{name} says that the operator's credit there is used up."
        return failure("chat_failed", message, details | {"reason": "credit"})
    when = "later" if error.retry_after is None else f"in {_in_words(error.retry_after)}"
    return failure("chat_failed", f"{name} takes no more questions for now. Please ask again {when}.", details)


def _in_words(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} second{'s' * (seconds != 1)}"
    minutes = -(-seconds // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{-(-minutes // 60)} hours"


def wrong_address(name: str, status: int) -> JobFailed:
    return failure(
        "ollama_unreachable",
        f"{name}'s address is wrong (HTTP {status}): what answers there does not speak OpenAI's language. The operator "
        "sets it in the worker's settings, as chat.url: http://127.0.0.1:8080/v1, for instance.",
        {"reason": "address", "status": status},
    )


def outside(name: str) -> JobFailed:
    return failure(
        "ollama_unreachable",
        f"{name}'s address leads out of the operator's network, and this bot keeps chats at home. The operator finds "
        "it in the worker's settings, as chat.url.",
        {"reason": "outside"},
    )


def missing(name: str, model: str) -> JobFailed:
    return failure("chat_model_missing", f"{name} has no model {model}. Please choose another one.", {"model": model})


def no_model(name: str) -> JobFailed:
    return failure("chat_model_missing", f"{name} has no chat model. The operator has to give it one.")


def filtered(name: str) -> JobFailed:
    return failure(
        "chat_failed",
        f"{name} kept its answer back, as its rules say. Please ask in other words.",
        {"reason": "filter"},
    )
