"""Nothing leaks: no prompt in any log, and in encrypted rooms nothing in clear on the homeserver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doubles.ollama import OllamaDouble
from lab import Lab

from .conftest import QUICK

DRAWN, REFUSED, CHATTED, ANSWERED = (f"canary{word}0tt3r" for word in ("drawn", "refused", "chatted", "answered"))
CANARIES = (DRAWN, REFUSED, CHATTED, ANSWERED)


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    """Maubot and Synapse log here as they come: Maubot at DEBUG, as its example configuration has it."""
    script = {"rules": [{"when": CHATTED, "answer": f"I heard {ANSWERED}"}]}
    async with OllamaDouble(script) as ollama:
        config = {"chat": {"backend": "ollama", "ollama_url": ollama.url, "default_model": "tiny"}}
        async with Lab(folder / "privacy", worker_config=config) as lab:
            yield lab


@pytest.fixture(scope="module")
async def said_everything(lab: Lab) -> Lab:
    """Everything that people do with words, in an encrypted room: drawn, refused, edited, chatted, kept, crashed."""
    room = await lab.room(encrypted=True)
    (picture,) = await lab.draw(room, f"!draw {DRAWN} otter {QUICK}")
    assert picture.encrypted
    await lab.draw(room, "!again")
    await lab.answer(room, f"!draw {REFUSED} --steps banana{REFUSED}")
    await lab.answer(room, f"!draw {REFUSED} --model {REFUSED}")
    await lab.answer(room, f"!draw {REFUSED} --sampler {REFUSED}")
    await lab.answer(room, f"!model {REFUSED}", by=lab.admin)
    edited = await lab.user.send(room, f"hello {DRAWN}")
    await lab.user.send(room, f"!draw {DRAWN} badger {QUICK}", edit=edited)
    await lab.user.wait_for(lab.reply_to(edited, msgtype="m.image"), timeout=60)
    mark = lab.user.mark()
    await lab.user.send(room, f"!chat {CHATTED}")
    await lab.user.wait_for(lambda event: event.sender == lab.bot and ANSWERED in event.body, mark, timeout=60)
    await lab.worker.kill()
    asked = await lab.user.send(room, f"!draw {DRAWN} fox {QUICK}")
    await lab.answer(room, "!queue")
    await lab.maubot.restart(hard=True)
    await lab.worker.start()
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), timeout=90)
    await lab.user.wait_for(lab.reaction(asked, "✅"), timeout=30)
    return lab


@pytest.mark.parametrize("program", ["maubot", "worker", "synapse"])
async def test_no_prompt_stands_in_a_log(said_everything: Lab, program: str) -> None:
    log = said_everything.logs()[program]
    assert len(log) > 500, "there is a log at all"
    assert program != "maubot" or "[DEBUG@" in log, "at the level that Maubot's example configuration has"
    found = [line[:300] for line in log.splitlines() if any(canary in line for canary in CANARIES)]
    assert found == []


async def test_no_token_stands_in_a_log(said_everything: Lab) -> None:
    for name, log in said_everything.logs().items():
        assert said_everything.worker.token not in log, name
        assert said_everything.bot_login.access_token not in log, name


async def test_the_homeserver_holds_nothing_in_clear(said_everything: Lab) -> None:
    """Neither words nor pictures, in its database or its media store."""
    lab = said_everything
    await lab.synapse.stop()  # everything is on disk then, the write-ahead log included
    files = [lab.synapse.database, *lab.synapse.root.glob("homeserver.db-*")]
    media = [path for path in lab.synapse.media.rglob("*") if path.is_file()]
    assert len(media) >= 6, "pictures and thumbnails were uploaded"
    try:
        for path in [*files, *media]:
            data = path.read_bytes()
            assert not [canary for canary in CANARIES if canary.encode() in data], path.name
            assert b"\x89PNG\r\n\x1a\n" not in data, path.name
            assert b"IHDR" not in data, path.name
    finally:
        await lab.synapse.start()


async def test_pictures_of_encrypted_rooms_do_not_stay_on_the_worker(said_everything: Lab) -> None:
    archive = said_everything.worker.data / "archive"
    assert [path.name for path in archive.rglob("*") if path.suffix in (".png", ".yml")] == []
