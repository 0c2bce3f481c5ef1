"""The backend that the settings name. Nobody else names one: whoever chats knows the protocol alone."""

from __future__ import annotations

from ..config import ChatConfig
from .backend import ChatBackend
from .beginnings import Beginnings
from .choice import Choice
from .ollama import Ollama, OllamaSettings
from .records import ModelOptions


def open_backend(section: ChatConfig, *, on_gpu: bool, choice: Choice, beginnings: Beginnings) -> ChatBackend | None:
    """The backend of the settings' ``chat``; ``None`` where chat is switched off.

    ``on_gpu``: models are meant to run on a card. Call it in the event loop's thread; close what it returns.
    """
    if section.ollama_url is None:
        return None
    settings = OllamaSettings(
        url=section.ollama_url,
        model=section.default_model,
        models={name: ModelOptions(**options.model_dump()) for name, options in section.models.items()},
        defaults=ModelOptions(**section.options.model_dump()),
        allow_cloud=section.allow_cloud,
        on_gpu=on_gpu,
        keep_alive=section.keep_alive_seconds,
        load_timeout=section.load_timeout,
        first_byte_timeout=section.first_byte_timeout,
        chunk_timeout=section.chunk_timeout,
        total_timeout=section.total_timeout,
    )
    return Ollama(settings, choice=choice, beginnings=beginnings)
