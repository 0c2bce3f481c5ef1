"""The backends with a real model, SmolLM2-135M: the built-in one, and the OpenAI-compatible one at llama.cpp's server.

What the model says is its own business; what a double says is looked at in `test_backend_contract`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest
from talk import until
from talking import Talking

from otterbot_worker.chat import Beginnings, ChatOutcome, ModelOptions, Unloaded
from otterbot_worker.chat.builtin import Builtin, BuiltinSettings
from otterbot_worker.chat.openai import OpenAI, OpenAISettings

OPTIONS = ModelOptions(num_ctx=256, num_predict=12)
NOWHERE = Path("/nonexistent")


@pytest.fixture(scope="module")
async def builtin() -> AsyncIterator[Talking]:
    backend = Builtin(BuiltinSettings(folder=NOWHERE, defaults=OPTIONS, text_interval=0.0))
    yield Talking(backend=backend)
    await backend.close()


@pytest.fixture(scope="module")
async def server(builtin: Talking) -> AsyncIterator[Talking]:
    """llama.cpp's server, as anybody may run one: the same process, asked as a stranger's."""
    await builtin.say("Say hello.")
    assert isinstance(builtin.backend, Builtin)
    running = builtin.backend.running
    assert running is not None
    settings = OpenAISettings(url=running.url, key=running.key, defaults=OPTIONS, text_interval=0.0)
    name = hashlib.sha256(f"{settings.base} SmolLM2-135M".encode()).hexdigest()
    backend = OpenAI(settings, beginnings=Beginnings({f"{name} False": {"held": 0, "plain": True}}))
    yield Talking(backend=backend)
    await backend.close()


@pytest.fixture(params=["builtin", "server"])
def lab(request: pytest.FixtureRequest) -> Talking:
    found: Talking = request.getfixturevalue(request.param)
    return found


async def test_it_says_what_it_has(lab: Talking) -> None:
    status = await lab.backend.status()
    assert (status.reachable, status.problem, status.default) == (True, None, "SmolLM2-135M")
    assert [model.name for model in await lab.backend.models()] == ["SmolLM2-135M"]
    assert all(model.chats and model.digest and not model.remote for model in status.models)
    if lab.backend.capabilities.knows_context:
        assert all(model.context for model in status.models)


async def test_an_answer_streams(lab: Talking) -> None:
    outcome = await lab.say("Why do otters hold hands?")
    assert outcome.text
    assert outcome.model == "SmolLM2-135M"
    assert len(lab.texts) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise([*lab.texts, outcome.text])), "cumulative"
    assert lab.phases[-2:] == ["thinking", "streaming"]
    assert outcome.usage is not None
    assert 0 < outcome.usage.answer_tokens <= 12 < outcome.usage.prompt_tokens


async def test_what_does_not_fit_is_left_out_and_counted(lab: Talking) -> None:
    outcome = await lab.say(*["word " * 60] * 8, "Say hello.")
    assert outcome.text
    assert outcome.left_out > 0


async def test_a_message_that_does_not_fit_alone(lab: Talking) -> None:
    failure = await lab.fails("secret " * 1_000)
    assert failure.code == "chat_too_long"
    assert "and 256 fit" in failure.message
    assert "secret" not in failure.message + str(failure.details)


async def test_a_model_that_is_not_there(lab: Talking) -> None:
    assert (await lab.fails("hello", model="nope")).code == "chat_model_missing"


async def test_several_turns_at_once_all_come(lab: Talking) -> None:
    one, two = await asyncio.gather(lab.say("Say one."), lab.say("Say two."))
    assert one.text
    assert two.text


async def test_logs_hold_no_words(lab: Talking, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await lab.say("canary")
    await lab.fails("canary " * 1_000)
    assert "canary" not in caplog.text


async def test_it_needs_no_card(lab: Talking) -> None:
    assert not lab.backend.capabilities.needs_card
    assert await lab.backend.unload(1.0) == Unloaded(gone=True, on_card=0)


# ---------------------------------------------------------------- the process of the built-in one


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.fixture(scope="module")
async def talker() -> AsyncIterator[Talking]:
    """One that talks for long."""
    options = ModelOptions(num_ctx=512, num_predict=450)
    backend = Builtin(BuiltinSettings(folder=NOWHERE, defaults=options, text_interval=0.0))
    yield Talking(backend=backend)
    await backend.close()


async def talking(lab: Talking) -> asyncio.Task[ChatOutcome]:
    """A turn of which something has come."""
    lab.texts.clear()
    turn = asyncio.create_task(lab.say("Tell a long story of an otter, with many chapters."))
    await until(lambda: bool(lab.texts) or turn.done(), 120)
    assert not turn.done()
    return turn


def process_of(lab: Talking) -> int:
    assert isinstance(lab.backend, Builtin)
    assert lab.backend.running is not None
    return lab.backend.running.process.pid


async def test_the_first_answer_streams_and_its_process_is_one_of_its_own(talker: Talking) -> None:
    """Nothing is held back: of the tiny one it is known that it does not think."""
    turn = await talking(talker)
    assert talker.phases == ["loading", "thinking", "streaming"]
    assert process_of(talker) != os.getpid()
    assert "xllamacpp" not in sys.modules
    assert talker.backend.about is not None
    assert "tiny" in talker.backend.about
    await cancelled(turn)


async def test_a_cancelled_turn_stops_the_computing(talker: Talking) -> None:
    pid = process_of(talker)
    await cancelled(await talking(talker))
    still = 0
    async with asyncio.timeout(60):
        while still < 10:
            before = cpu_ticks(pid)
            await asyncio.sleep(0.1)
            still = still + 1 if cpu_ticks(pid) - before <= 1 else 0
    assert process_of(talker) == pid, "it stays for the next turn"


async def test_killed_in_the_middle_of_an_answer(talker: Talking, caplog: pytest.LogCaptureFixture) -> None:
    """What came is kept, and the next turn has a new process."""
    turn = await talking(talker)
    pid = process_of(talker)
    os.kill(pid, signal.SIGKILL)
    outcome = await turn
    assert outcome.text
    assert not outcome.complete
    turn = await talking(talker)
    assert process_of(talker) != pid
    assert talker.phases[0] == "loading"
    assert "ended (SIGKILL)" in caplog.text
    await cancelled(turn)


async def cancelled(turn: asyncio.Task[ChatOutcome]) -> None:
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
