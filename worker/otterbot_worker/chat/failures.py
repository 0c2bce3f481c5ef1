"""What the server answered, as codes for programs and sentences for people.

The server's own words are never passed on: they can hold paths of its machine and parts of a prompt.
"""

from __future__ import annotations

import re

from otterbot_worker.errors import JobFailed

_MISSING = re.compile(r"model '.*' not found|model not found|no such model|try pulling it", re.IGNORECASE)
_TOO_LONG = re.compile(r"exceed_context_size|exceeds the available context size|context length", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"out of memory|requires more system memory|insufficient memory", re.IGNORECASE)


def unreachable() -> JobFailed:
    return JobFailed(
        "ollama_unreachable",
        "Ollama, which answers chats, cannot be reached. Please try again when the operator has started it.",
    )


def missing(model: str) -> JobFailed:
    return JobFailed(
        "chat_model_missing",
        f"The chat model {model} is not installed. The operator can fetch it with `ollama pull {model}`.",
        {"model": model, "command": f"ollama pull {model}"},
    )


def no_model() -> JobFailed:
    return JobFailed(
        "chat_model_missing",
        "No chat model is installed. The operator can fetch one, for example with `ollama pull llama3.2`.",
        {"command": "ollama pull llama3.2"},
    )


def bad_model_name() -> JobFailed:
    return JobFailed("chat_model_missing", "That is not the name of a chat model.")


def cloud_model(model: str) -> JobFailed:
    return JobFailed(
        "chat_failed",
        f"The chat model {model} runs on somebody else's machines, and this bot keeps chats at home. "
        "Please choose another model.",
        {"model": model, "reason": "cloud_model"},
    )


def too_long(context: int) -> JobFailed:
    return JobFailed(
        "chat_too_long",
        "The message is too long for this chat model. Please send a shorter one.",
        {"context": context},
    )


def slow_start(seconds: float) -> JobFailed:
    return JobFailed(
        "chat_timeout",
        f"The chat model did not begin to answer within {seconds:.0f} seconds; it may still be loading. "
        "Please try again in a minute.",
        {"reason": "first_byte"},
    )


def stalled(seconds: float) -> JobFailed:
    return JobFailed(
        "chat_timeout",
        f"The chat model thought for {seconds:.0f} seconds without finishing. Please ask again, or ask for less.",
        {"reason": "stalled"},
    )


def broke_off() -> JobFailed:
    return JobFailed(
        "chat_broke_off", "The chat model broke off before it said anything. Please ask again.", {"reason": "no_end"}
    )


def empty(*, thought: bool, cut: bool) -> JobFailed:
    if thought and cut:
        message = "The chat model used up all its room for thinking and gave no answer. Please ask for less."
    else:
        message = "The chat model gave an empty answer. Please ask in other words."
    return JobFailed("chat_failed", message, {"reason": "empty", "thought": thought})


def from_answer(status: int, error: str, *, model: str, context: int) -> JobFailed:
    """An HTTP error of ``/api/chat``, or an ``error`` line of its stream (``status`` 200)."""
    if _TOO_LONG.search(error):
        return too_long(context)
    if status == 404 and _MISSING.search(error):
        return missing(model)
    if status == 503:
        return JobFailed("chat_failed", "Ollama is busy with others. Please try again in a minute.", {"status": status})
    if _OUT_OF_MEMORY.search(error):
        return JobFailed(
            "chat_failed",
            f"There is not enough memory on the card for the chat model {model}. A smaller one may fit.",
            {"status": status, "reason": "out_of_memory", "model": model},
        )
    if status == 200:
        return broke_off()
    return JobFailed(
        "chat_failed",
        "Ollama refused the message. The operator finds the reason in Ollama's log.",
        {"status": status},
    )
