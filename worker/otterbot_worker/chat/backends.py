"""The backend that the settings name. Nobody else names one: whoever chats knows the protocol alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..config import BadConfig, ChatConfig
from .auto import Auto
from .backend import ChatBackend
from .beginnings import Beginnings
from .builtin import Builtin, BuiltinSettings
from .builtin.files import FOLDER
from .choice import Choice
from .ollama import Ollama, OllamaSettings
from .openai import OpenAI, OpenAISettings
from .records import ModelOptions

KINDS = ("ollama", "openai", "builtin")
"""Each keeps a model of its own, where the operator names none."""
KEY_BYTES = 4_096


def open_backend(
    section: ChatConfig, *, on_gpu: bool, data_dir: Path, choices: Mapping[str, Choice], beginnings: Beginnings
) -> ChatBackend | None:
    """The backend of the settings' ``chat``; ``None`` where chat is switched off.

    ``on_gpu``: models are meant to run on a card; ``choices``: one for each of `KINDS`. Call it in the event loop's
    thread; close what it returns.

    :raises BadConfig: the key cannot be read
    """
    if section.backend == "openai":
        settings = OpenAISettings(
            url=section.url or "",
            key=_key(section.api_key_file, data_dir),
            load_timeout=section.load_timeout,
            **_shared(section),
        )
        return OpenAI(settings, choice=choices["openai"], beginnings=beginnings)
    if section.backend == "builtin":
        return _builtin(section, data_dir, choices, beginnings, **_shared(section))
    # No address of Ollama's has always meant that there is no chat.
    if section.backend == "off" or section.ollama_url is None:
        return None
    ollama = Ollama(
        OllamaSettings(
            url=section.ollama_url,
            allow_cloud=section.allow_cloud,
            on_gpu=on_gpu,
            keep_alive=section.keep_alive_seconds,
            load_timeout=section.load_timeout,
            **_shared(section),
        ),
        choice=choices["ollama"],
        beginnings=beginnings,
    )
    if section.backend == "ollama":
        return ollama
    # The default model of the settings is Ollama's; the other one takes what it has.
    return Auto(ollama, _builtin(section, data_dir, choices, beginnings, **(_shared(section) | {"model": None})))


def server_address(section: ChatConfig) -> str | None:
    """Host and port of the server that the settings name, without a name and password that may stand in its address;
    ``None``: there is none."""
    url = {"openai": section.url, "builtin": None, "off": None}.get(section.backend, section.ollama_url)
    if url is None:
        return None
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port is not None else parts.hostname


def _builtin(
    section: ChatConfig, data_dir: Path, choices: Mapping[str, Choice], beginnings: Beginnings, **shared: Any
) -> Builtin:
    settings = BuiltinSettings(
        folder=data_dir / FOLDER, keep_alive=section.keep_alive_seconds, load_timeout=section.load_timeout, **shared
    )
    return Builtin(settings, choice=choices["builtin"], beginnings=beginnings)


def _shared(section: ChatConfig) -> dict[str, Any]:
    """What is the same for all of them."""
    return {
        "model": section.default_model,
        "models": {name: ModelOptions(**options.model_dump()) for name, options in section.models.items()},
        "defaults": ModelOptions(**section.options.model_dump()),
        "keeps_thoughts": section.reasoning == "fold",
        "first_byte_timeout": section.first_byte_timeout,
        "chunk_timeout": section.chunk_timeout,
        "total_timeout": section.total_timeout,
    }


def _key(path: Path | None, data_dir: Path) -> str | None:
    """:raises BadConfig: which never says what is in the file"""
    if path is None:
        return None
    try:
        with (data_dir / path).open("rb") as file:
            key = file.read(KEY_BYTES).decode("ascii").strip()
    except OSError as error:
        raise BadConfig(f"chat.api_key_file: it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        key = ""
    if not key or not key.isprintable() or " " in key:
        raise BadConfig("chat.api_key_file: expected a file with nothing but the key in it")
    return key
