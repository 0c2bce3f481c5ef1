"""``chat.backend``: which backend the settings mean, and Ollama where it answers, else the built-in model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from doubles.chat_backend import Mind, SmallBackend
from doubles.ollama import OllamaDouble
from otterbot_worker.chat import KINDS, Beginnings, ChatBackend, Choice, Message, open_backend
from otterbot_worker.chat.auto import Auto
from otterbot_worker.chat.builtin import Builtin
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.chat.openai import OpenAI
from otterbot_worker.chat.records import BackendSettings
from otterbot_worker.config import BadConfig, ChatConfig
from otterbot_worker.errors import JobFailed

HELLO: list[Message] = [{"role": "user", "content": "hello"}]


def opened(folder: Path, **section: Any) -> ChatBackend | None:
    choices = {kind: Choice() for kind in KINDS}
    return open_backend(ChatConfig(**section), on_gpu=False, data_dir=folder, choices=choices, beginnings=Beginnings())


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ({}, Auto),
        ({"backend": "ollama"}, Ollama),
        ({"backend": "builtin"}, Builtin),
        ({"backend": "builtin", "ollama_url": None}, Builtin),
        ({"backend": "openai", "url": "http://127.0.0.1:8080"}, OpenAI),
        ({"backend": "off"}, None),
        ({"ollama_url": None}, None),
        ({"backend": "ollama", "ollama_url": None}, None),
    ],
)
async def test_the_settings_name_a_backend(tmp_path: Path, section: dict[str, Any], kind: type | None) -> None:
    backend = opened(tmp_path, **section)
    assert (None if backend is None else type(backend)) is kind
    if backend is not None:
        await backend.close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "nothing but the key"),
        (b"two words", "nothing but the key"),
        (b"\xff", "key in it"),
    ],
)
def test_a_key_that_is_none(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(BadConfig) as caught:
        opened(tmp_path, backend="openai", url="http://127.0.0.1:1", api_key_file="key")
    assert said in str(caught.value)


async def test_a_key_of_the_data_directory(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1\n")
    backend = opened(tmp_path, backend="openai", url="http://127.0.0.1:1", api_key_file="key")
    assert isinstance(backend, OpenAI)
    assert backend._settings.key == "sk-1"
    assert "sk-1" not in repr(backend._settings)
    await backend.close()


# ---------------------------------------------------------------- one of two


@pytest.fixture
async def double() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble() as double:
        yield double


@pytest.fixture
async def mind() -> Mind:
    return Mind()


@pytest.fixture
async def auto(double: OllamaDouble, mind: Mind) -> AsyncIterator[Auto]:
    auto = Auto(Ollama(OllamaSettings(url=double.url)), SmallBackend(mind, BackendSettings()))
    yield auto
    await auto.close()


async def answers(auto: Auto) -> str:
    """The model that answers, asked as the runner asks."""
    backend = await auto.for_turn()
    return (await backend.chat(None, HELLO, on_text=lambda _: None, on_phase=lambda _: None)).model


async def test_ollama_where_it_answers(auto: Auto) -> None:
    assert await answers(auto) == "tiny:latest"
    assert (await auto.for_turn()).capabilities.needs_card
    assert (auto.name, auto.about) == ("Ollama", None)


async def test_the_next_turn_has_whatever_answers_by_then(
    auto: Auto, double: OllamaDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await double.stop()
    assert await answers(auto) == "small"
    assert not (await auto.for_turn()).capabilities.needs_card
    assert auto.capabilities.needs_card, "the lease has to reckon with the other one"
    assert auto.name == "The small backend"
    assert [model.name for model in await auto.models()] == ["small"]
    await double.start()
    assert await answers(auto) == "tiny:latest"
    assert [model.name for model in await auto.models()] == ["tiny:latest"]
    assert caplog.text.count("chats are answered by The small backend") == 1
    assert caplog.text.count("chats are answered by Ollama") == 1


async def test_an_ollama_without_models_is_of_no_use_and_says_so(auto: Auto, double: OllamaDouble) -> None:
    double.update({"models": []})
    assert await answers(auto) == "small"
    status = await auto.status()
    assert (status.problem, status.default) == (None, "small")
    assert status.notice is not None
    assert "ollama pull" in status.notice


async def test_a_model_that_the_settings_name_is_ollamas(double: OllamaDouble, mind: Mind) -> None:
    """The operator wants that one: what is missing is said, and nobody else answers in its place."""
    auto = Auto(Ollama(OllamaSettings(url=double.url, model="nope")), SmallBackend(mind, BackendSettings()))
    with pytest.raises(JobFailed) as caught:
        await answers(auto)
    assert "ollama pull nope" in caught.value.message
    await auto.close()


async def test_where_neither_works_it_says_what_would_help(auto: Auto, double: OllamaDouble, mind: Mind) -> None:
    await double.stop()
    mind.here = False
    status = await auto.status()
    with pytest.raises(JobFailed) as caught:
        await answers(auto)
    assert caught.value.message == status.problem
    assert caught.value.code == "ollama_unreachable"
    assert caught.value.message.startswith("Ollama, which answers chats, cannot be reached.")
    assert "The small backend" in caught.value.message
    assert not status.reachable
    with pytest.raises(JobFailed):
        await auto.models()
    assert (await auto.unload(1.0)).gone


async def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterbot_worker.chat.builtin.files.RUNTIME", "not_installed_anywhere")
    auto = opened(tmp_path, ollama_url="http://127.0.0.1:9")
    assert isinstance(auto, Auto)
    with pytest.raises(JobFailed) as caught:
        await answers(auto)
    assert caught.value.code == "ollama_unreachable"
    assert "Ollama, which answers chats, cannot be reached" in caught.value.message
    assert "pip install 'otterbot-worker[chat]'" in caught.value.message
    await auto.close()
