"""What an Ollama server answered, as codes for programs and sentences for people."""

from __future__ import annotations

import re

from ...errors import JobFailed
from ..failures import bad_model_name, broke_off, busy, failure, refused

NAME = "Ollama"

_MISSING = re.compile(r"model '.*' not found|model not found|no such model|try pulling it", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(r"out of memory|requires more system memory|insufficient memory", re.IGNORECASE)


def not_ollama(status: int) -> JobFailed:
    """Somebody else answers there; 5xx is mostly a proxy whose Ollama is off."""
    if status >= 500:
        message = f"What answers at Ollama's address is out of order (HTTP {status}). Please try again later."
        return failure("ollama_unreachable", message, {"reason": "proxy", "status": status})
    return failure(
        "ollama_unreachable",
        f"Ollama's address is wrong (HTTP {status}): what answers there is not Ollama. The operator sets it in the "
        "worker's settings, as chat.ollama_url, without /v1 or /api behind it: http://127.0.0.1:11434, for instance.",
        {"reason": "address", "status": status},
    )


def missing(model: str) -> JobFailed:
    return failure(
        "chat_model_missing",
        f"The chat model {model} is not installed. The operator can fetch it with `ollama pull {model}`.",
        {"model": model, "command": f"ollama pull {model}"},
    )


def no_model() -> JobFailed:
    return failure(
        "chat_model_missing",
        "No chat model is installed. The operator can fetch one, for example with `ollama pull llama3.2`.",
        {"command": "ollama pull llama3.2"},
    )


def endless_load(model: str, seconds: float) -> JobFailed:
    return failure(
        "chat_timeout",
        f"The chat model {model} was not loaded after {seconds / 60:.0f} minutes. The operator finds the reason in "
        "Ollama's log.",
        {"reason": "load", "model": model},
    )


def load_stopped(model: str) -> JobFailed:
    return failure(
        "chat_failed",
        f"The chat model {model} had to stop loading, because the card was needed. Please ask again.",
        {"reason": "load_stopped", "model": model},
    )


def from_answer(status: int, error: str, *, model: str) -> JobFailed:
    """An HTTP error of ``/api/chat``, or an ``error`` line of its stream (``status`` 200); not one that
    speaks of length, which is `too_long`."""
    if status == 404 and _MISSING.search(error):
        return missing(model)
    if status == 400 and "invalid model name" in error:
        return bad_model_name()
    if status == 503:
        return busy(NAME, status)
    if _OUT_OF_MEMORY.search(error):
        return failure(
            "chat_failed",
            f"There is not enough memory on the card for the chat model {model}. A smaller one may fit.",
            {"status": status, "reason": "out_of_memory", "model": model},
        )
    if status == 200:
        return broke_off()
    return refused(NAME, status)
