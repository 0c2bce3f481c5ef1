"""Two bots end, people do not."""

from __future__ import annotations

import time
from typing import Any

import pytest
from command_rig import ALICE, BOB, BOT, Rig, rig

from otterbot import texts
from otterbot.chat import pace
from otterbot.chat.pace import IN_A_ROW, ON_END, PACE, Pace, next_pace
from otterbot.commands.outcome import Outcome
from otterbot.store.rows import Kind, Part

__all__ = ["rig"]
DM = "!dm:test"


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed, by every clock."""
    real, real_steady, passed = time.time, pace.steady, [0.0]
    for place in ("otterbot.clock.steady", "otterbot.chat.pace.steady"):
        monkeypatch.setattr(place, lambda: real_steady() + passed[-1])
    monkeypatch.setattr(time, "time", lambda: real() + passed[-1])
    return passed


def dm(rig: Rig) -> None:
    rig.homeserver.join(DM, BOT, ALICE)


async def turn(rig: Rig, body: str = "I am a bot too", **how: Any) -> Outcome:
    outcome = await rig.say(body, room=DM, **how)
    assert outcome is not None
    return outcome


async def answer(rig: Rig) -> None:
    await rig.services.store.finish(rig.open[-1].key, "succeeded")


async def talk(rig: Rig, passing: list[float], pause: float, most: int = 200, body: str = "I am a bot too") -> int:
    """How many turns were answered, each ``pause`` seconds after the answer to the one before."""
    for number in range(most):
        outcome = await turn(rig, body)
        if outcome.request is None:
            assert outcome.reply is not None
            assert outcome.reply.text == texts.CHAT_TOO_FAST
            return number
        await answer(rig)
        passing.append(passing[-1] + pause)
    return most


@pytest.mark.parametrize("body", ["I am a bot too", "!chat I am a bot too"])
async def test_two_bots_end(rig: Rig, passing: list[float], body: str) -> None:
    dm(rig)
    assert await talk(rig, passing, 0.3, body=body) == IN_A_ROW + 1
    for _ in range(5):
        passing.append(passing[-1] + 20)
        assert await turn(rig, body) == Outcome(), "it is said once, and what comes is handled"
    passing.append(passing[-1] + pace.REST)
    assert (await turn(rig, body)).request is not None


async def test_slow_bots_end_too(rig: Rig, passing: list[float]) -> None:
    dm(rig)
    assert await talk(rig, passing, 20.0) == ON_END
    passing.append(passing[-1] + pace.REST)
    assert await talk(rig, passing, 20.0, most=50) == 50, "begins anew"


@pytest.mark.parametrize("pause", [2.5, 30.0])
async def test_people_do_not_end(rig: Rig, passing: list[float], pause: float) -> None:
    dm(rig)
    assert await talk(rig, passing, pause, most=100) == 100


async def test_a_pause_now_and_then_is_enough(rig: Rig, passing: list[float]) -> None:
    dm(rig)
    for _ in range(3):
        assert await talk(rig, passing, 10.0, most=ON_END - 1) == ON_END - 1
        passing.append(passing[-1] + pace.PAUSE)


async def test_lines_in_a_row_are_people(rig: Rig, passing: list[float]) -> None:
    """Thirty short lines without waiting for an answer."""
    dm(rig)
    for _ in range(30):
        assert (await turn(rig, "and")).request is not None
        passing.append(passing[-1] + 0.5)


async def test_others_are_answered(rig: Rig, passing: list[float]) -> None:
    dm(rig)
    await talk(rig, passing, 0.3)
    assert (await rig.say("!chat hello", sender=BOB)) is not None
    assert (await rig.answer("!help", room=DM)) != "", "commands are another matter"


async def test_an_answer_that_stands_already_counts(rig: Rig, passing: list[float]) -> None:
    """The other bot is quicker than our own book-keeping: the request is still open."""
    dm(rig)
    for _ in range(IN_A_ROW + 1):
        assert (await turn(rig)).request is not None
        part = Part(key=rig.open[-1].key, part="chat/1", room_id=DM, kind=Kind.MESSAGE)
        await rig.services.store.add_part(part)
        await rig.services.store.mark_sent(part, f"${part.key}")
        passing.append(passing[-1] + 0.3)
    assert (await turn(rig)).request is None


async def test_a_restart_forgets_nothing(rig: Rig, passing: list[float]) -> None:
    dm(rig)
    await talk(rig, passing, 0.3)
    passing.append(passing[-1] + 0.3)
    rig.services.paces._stopped.clear()
    outcome = await turn(rig)
    assert outcome.request is None
    assert outcome.reply is not None
    assert outcome.reply.text == texts.CHAT_TOO_FAST


@pytest.mark.parametrize("stored", [None, 5, [], [1], ["1", 2], {"quick": 1}])
def test_other_versions_pace(rig: Rig, stored: Any) -> None:
    assert pace.read(stored) == Pace()


def test_the_first_turn() -> None:
    assert next_pace(None, None, 0.0) == Pace()
    assert Pace(quick=3, steady=5).stored() == [3, 5]
    assert PACE == "pace"
