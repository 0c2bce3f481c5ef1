"""Why the built-in model does not answer, and what people should know of its answers."""

from __future__ import annotations

from ...errors import JobFailed
from ..failures import failure
from .files import INSTALL, TINY, ModelFile

NAME = "The built-in model"
BETTER = "For a better one the operator installs Ollama, or puts a larger model into the worker's folder `chat`."


def tiny(model: ModelFile) -> str:
    known = " It knows little, and hardly anything but English." if model.packed else " It knows little."
    return f"{model.name} answers here, a tiny language model on the worker's processor.{known} {BETTER}"


def nothing_installed() -> JobFailed:
    return failure(
        "ollama_unreachable",
        f"{NAME} is not installed on this worker. The operator can install it with `{INSTALL}`.",
        {"reason": "not_installed", "command": INSTALL},
    )


def no_model() -> JobFailed:
    return failure(
        "chat_model_missing",
        f"{NAME} has no file. The operator can install a tiny one with `{TINY}`, or put a `.gguf` into the worker's "
        "folder `chat`.",
        {"command": TINY},
    )


def missing(model: str) -> JobFailed:
    return failure(
        "chat_model_missing",
        f"The chat model {model} is not there while the built-in one answers. Please choose another one, or ask again "
        "when its server runs.",
        {"model": model},
    )


def cannot_start(model: ModelFile, how: str) -> JobFailed:
    """It died twice at its start. ``how``: by what signal or exit code."""
    why = " The processor may be too old for it: it needs AVX2." if how == "SIGILL" else ""
    return failure(
        "chat_failed",
        f"{NAME} does not run on the worker's machine: it ended twice at its start ({how}).{why} The operator finds "
        f"more in the worker's log. {BETTER}",
        {"model": model.name, "reason": "cannot_start", "how": how},
    )


def slow_load(model: ModelFile, seconds: float) -> JobFailed:
    return failure(
        "chat_timeout",
        f"The chat model {model.name} was not loaded after {seconds / 60:.0f} minutes. A smaller one may do.",
        {"model": model.name, "reason": "load"},
    )
