"""What the server answered, as codes for programs and sentences for people.

The server's own words are never passed on: they can hold paths of its machine and parts of a prompt.
"""

from __future__ import annotations

import re

from ..errors import JobFailed

_MISSING = re.compile(r"model '.*' not found|model not found|no such model|try pulling it", re.IGNORECASE)
_TOO_LONG = re.compile(
    r"exceed_context_size|exceeds the (?:available |maximum )?context|context length|prompt is too long", re.IGNORECASE
)
_TOKENS = re.compile(r"n_prompt_tokens\W{1,4}(\d{1,9})|request \((\d{1,9}) tokens\)")
_CONTEXT = re.compile(r"n_ctx\W{1,4}(\d{1,9})|context size \((\d{1,9}) tokens\)")
_OUT_OF_MEMORY = re.compile(r"out of memory|requires more system memory|insufficient memory", re.IGNORECASE)


def unreachable() -> JobFailed:
    return JobFailed(
        "ollama_unreachable",
        "Ollama, which answers chats, cannot be reached. Please try again when the operator has started it.",
    )


def not_ollama(status: int) -> JobFailed:
    """Somebody else answers there; 5xx is mostly a proxy whose Ollama is off."""
    if status >= 500:
        message = f"What answers at Ollama's address is out of order (HTTP {status}). Please try again later."
        return JobFailed("ollama_unreachable", message, {"reason": "proxy", "status": status})
    return JobFailed(
        "ollama_unreachable",
        f"Ollama's address is wrong (HTTP {status}): what answers there is not Ollama. The operator sets it in the "
        "worker's settings, as chat.ollama_url, without /v1 or /api behind it: http://127.0.0.1:11434, for instance.",
        {"reason": "address", "status": status},
    )


def refused(status: int) -> JobFailed:
    return JobFailed(
        "chat_failed",
        "Ollama refused the message. The operator finds the reason in Ollama's log.",
        {"status": status},
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


def cannot_chat(model: str) -> JobFailed:
    return JobFailed(
        "chat_model_missing",
        f"The model {model} is not made for chat. Please choose another one.",
        {"model": model, "reason": "cannot_chat"},
    )


def cloud_model(model: str) -> JobFailed:
    return JobFailed(
        "chat_failed",
        f"The chat model {model} runs on somebody else's machines, and this bot keeps chats at home. "
        "Please choose another model.",
        {"model": model, "reason": "cloud_model"},
    )


def speaks_of_length(error: str) -> bool:
    return _TOO_LONG.search(error) is not None


def numbers(error: str) -> tuple[int | None, int | None]:
    """How many tokens there were and how many fit, as far as the server says so (JSON inside its error's text)."""
    tokens, context = _TOKENS.search(error), _CONTEXT.search(error)
    return (
        int(tokens[1] or tokens[2]) if tokens is not None else None,
        int(context[1] or context[2]) if context is not None else None,
    )


def too_long(context: int, tokens: int | None = None) -> JobFailed:
    counts = f" ({tokens} tokens, and {context} fit)" if tokens is not None else ""
    return JobFailed(
        "chat_too_long",
        f"The message is too long for this chat model{counts}. Please send a shorter one.",
        {"context": context, "tokens": tokens},
    )


def slow_start(seconds: float) -> JobFailed:
    return JobFailed(
        "chat_timeout",
        f"The chat model did not begin to answer within {seconds:.0f} seconds. Please ask again, with less text.",
        {"reason": "first_byte"},
    )


def endless_load(model: str, seconds: float) -> JobFailed:
    return JobFailed(
        "chat_timeout",
        f"The chat model {model} was not loaded after {seconds / 60:.0f} minutes. The operator finds the reason in "
        "Ollama's log.",
        {"reason": "load", "model": model},
    )


def load_stopped(model: str) -> JobFailed:
    return JobFailed(
        "chat_failed",
        f"The chat model {model} had to stop loading, because the card was needed. Please ask again.",
        {"reason": "load_stopped", "model": model},
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
    elif thought:
        message = "The chat model thought, and gave no answer. Please ask in other words."
    else:
        message = "The chat model gave an empty answer. Please ask in other words."
    return JobFailed("chat_failed", message, {"reason": "empty", "thought": thought})


def from_answer(status: int, error: str, *, model: str, context: int) -> JobFailed:
    """An HTTP error of ``/api/chat``, or an ``error`` line of its stream (``status`` 200)."""
    if _TOO_LONG.search(error):
        return too_long(context)
    if status == 404 and _MISSING.search(error):
        return missing(model)
    if status == 400 and "invalid model name" in error:
        return bad_model_name()
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
    return refused(status)
