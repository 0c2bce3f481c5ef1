"""``!model`` and ``!models``: who may set what, and that it is kept."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK

OTHER = "ssd-1b"


async def test_a_moderator_sets_it_and_an_ordinary_member_does_not(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted, version="11")
    refused = await lab.answer(room, "!model otter-noise")
    assert "50" in refused.body
    accepted = await lab.answer(room, "!model otter-noise", by=lab.admin)
    assert "otter-noise" in accepted.body
    assert "otter-noise" in (await lab.answer(room, "!model")).body


async def test_the_creator_of_a_room_of_version_12_may(lab: Lab, encrypted: bool) -> None:
    """Creators have endless power there and do not stand in the power levels."""
    room = await lab.room(encrypted=encrypted, version="12")
    assert "otter-noise" in (await lab.answer(room, "!model otter-noise", by=lab.admin)).body
    assert "50" in (await lab.answer(room, "!model default")).body


async def test_a_member_with_power_50_may(lab: Lab) -> None:
    room = await lab.room(version="11", power={lab.admin.id: 100, lab.user.id: 50})
    assert "otter-noise" in (await lab.answer(room, "!model otter-noise")).body


async def test_it_is_kept_over_a_restart_and_used(lab: Lab, room: str) -> None:
    await lab.answer(room, "!model otter-noise", by=lab.admin)
    await lab.maubot.restart()
    assert "otter-noise" in (await lab.answer(room, "!model")).body
    (picture,) = await lab.draw(room, f"!draw otter {QUICK}")
    assert picture.record["used"]["model"] == "otter-noise"


async def test_an_unknown_model_is_named_and_changes_nothing(lab: Lab, room: str) -> None:
    before = (await lab.answer(room, "!model")).body
    answer = await lab.answer(room, "!model no-such-model", by=lab.admin)
    assert "no-such-model" in answer.body
    assert (await lab.answer(room, "!model")).body == before


async def test_models_lists_what_there_is(lab: Lab, room: str) -> None:
    answer = await lab.answer(room, "!models")
    assert "otter-noise" in answer.body
    assert OTHER not in answer.body, "its files are not here"
    assert "!models all" in answer.body
    assert OTHER in (await lab.answer(room, "!models all")).body
    assert "sides from" in (await lab.answer(room, "!models otter-noise")).body
    assert "I do not know the model" in (await lab.answer(room, "!models no-such-model")).body


async def test_safe_mode_draws_nothing_where_no_checker_can_look(lab: Lab, room: str) -> None:
    """This lab's worker has none, and may not fetch one."""
    assert "50" in (await lab.answer(room, "!settings safe on")).body
    assert "Safe mode is on" in (await lab.answer(room, "!settings safe on", by=lab.admin)).body
    assert "safety checker is not on the worker" in (await lab.answer(room, f"!draw otter {QUICK}")).body
    assert "Safe mode is off" in (await lab.answer(room, "!settings safe default", by=lab.admin)).body
    assert len(await lab.draw(room, f"!draw otter {QUICK}")) == 1
