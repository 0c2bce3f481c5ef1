"""Why a turn failed, for any backend: codes for programs and sentences for people.

``name`` is the backend's. A server's own words are never passed on: they can hold paths of its machine and parts of a
prompt. What only one backend can say is in its own ``failures``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from ..errors import Detail, JobFailed

ChatCode = Literal[
    "ollama_unreachable", "chat_model_missing", "chat_broke_off", "chat_too_long", "chat_timeout", "chat_failed"
]
"""The codes of the worker's API. ``ollama_unreachable``: the backend, whichever it is, cannot be reached."""
CODES: tuple[ChatCode, ...] = get_args(ChatCode)


def failure(code: ChatCode, message: str, details: Mapping[str, Detail] | None = None) -> JobFailed:
    return JobFailed(code, message, details)


def switched_off() -> JobFailed:
    return failure("ollama_unreachable", "Chat is switched off on this worker.")


def unreachable(name: str) -> JobFailed:
    return failure(
        "ollama_unreachable",
        f"{name}, which answers chats, cannot be reached. Please try again when the operator has started it.",
    )


def refused(name: str, status: int) -> JobFailed:
    return failure(
        "chat_failed",
        f"{name} refused the message. The operator finds the reason in its log.",
        {"status": status},
    )


def busy(name: str, status: int) -> JobFailed:
    return failure("chat_failed", f"{name} is busy with others. Please try again in a minute.", {"status": status})


def bad_model_name() -> JobFailed:
    return failure("chat_model_missing", "That is not the name of a chat model.")


def cannot_chat(model: str) -> JobFailed:
    return failure(
        "chat_model_missing",
        f"The model {model} is not made for chat. Please choose another one.",
        {"model": model, "reason": "cannot_chat"},
    )


def cloud_model(model: str) -> JobFailed:
    return failure(
        "chat_failed",
        f"The chat model {model} runs on somebody else's machines, and this bot keeps chats at home. "
        "Please choose another model.",
        {"model": model, "reason": "cloud_model"},
    )


def too_long(context: int, tokens: int | None = None) -> JobFailed:
    counts = f" ({tokens} tokens, and {context} fit)" if tokens is not None else ""
    return failure(
        "chat_too_long",
        f"The message is too long for this chat model{counts}. Please send a shorter one.",
        {"context": context, "tokens": tokens},
    )


def slow_start(seconds: float) -> JobFailed:
    return failure(
        "chat_timeout",
        f"The chat model did not begin to answer within {seconds:.0f} seconds. Please ask again, with less text.",
        {"reason": "first_byte"},
    )


def stalled(seconds: float) -> JobFailed:
    return failure(
        "chat_timeout",
        f"The chat model thought for {seconds:.0f} seconds without finishing. Please ask again, or ask for less.",
        {"reason": "stalled"},
    )


def broke_off() -> JobFailed:
    return failure(
        "chat_broke_off", "The chat model broke off before it said anything. Please ask again.", {"reason": "no_end"}
    )


def empty(*, thought: bool, cut: bool) -> JobFailed:
    if thought and cut:
        message = "The chat model used up all its room for thinking and gave no answer. Please ask for less."
    elif thought:
        message = "The chat model thought, and gave no answer. Please ask in other words."
    else:
        message = "The chat model gave an empty answer. Please ask in other words."
    return failure("chat_failed", message, {"reason": "empty", "thought": thought})
