"""``!again`` and ``!vary``: the last picture, or the one that is replied to, from what stands in the room."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK


async def test_a_new_seed_and_everything_else_the_same(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, "!draw otter, hat --no blurry --steps 3 --size 128x96 --sampler euler --cfg 3")
    (again,) = await lab.draw(room, "!again")
    one, two = first.record["used"], again.record["used"]
    assert one["seed"] != two["seed"]
    assert {**one, "seed": 0} == {**two, "seed": 0}


async def test_the_same_seed_with_one_change(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    (again,) = await lab.draw(room, "!again --seed same --steps 4")
    one, two = first.record["used"], again.record["used"]
    assert two["seed"] == one["seed"]
    assert (one["steps"], two["steps"]) == (2, 4)


async def test_small_variations_and_one_of_them_again(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    varied = [event.record["used"] for event in await lab.draw(room, "!vary 0.3 --count 2", count=2)]
    own = first.record["used"]
    assert [{**one, "variation": None} for one in varied] == [own, own]
    one, two = (used["variation"] for used in varied)
    assert two == {"seed": (one["seed"] + 1) % 2**32, "strength": "0.3"}
    (again,) = await lab.draw(room, "!again --seed same")
    assert again.record["used"] in varied


async def test_a_reply_means_that_picture_even_of_somebody_else(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    await lab.draw(room, f"!draw badger {QUICK}")
    (again,) = await lab.draw(room, "!again --seed same", by=lab.admin, reply=first.event_id)
    assert again.record["used"]["prompt"] == "otter"
    assert again.record["used"]["seed"] == first.record["used"]["seed"]


async def test_a_thread_on_a_picture_means_that_picture(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    (other,) = await lab.draw(room, f"!draw badger {QUICK}")
    (again,) = await lab.draw(room, "!again --seed same", thread=first.event_id)
    assert again.record["used"]["seed"] == first.record["used"]["seed"]
    assert again.thread == first.event_id
    (again,) = await lab.draw(room, "!again --seed same", thread=first.event_id, reply=other.event_id)
    assert again.record["used"]["seed"] == other.record["used"]["seed"]


async def test_a_picture_that_the_plugins_new_database_does_not_know(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    await lab.empty_plugin_database()
    (again,) = await lab.draw(room, "!again --seed same", reply=first.event_id)
    assert again.record["used"] == first.record["used"]


async def test_the_last_picture_without_a_database(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    await lab.empty_plugin_database()
    (again,) = await lab.draw(room, "!again")
    assert again.record["used"]["prompt"] == first.record["used"]["prompt"]


async def test_without_a_picture_there_is_a_sentence(lab: Lab, room: str) -> None:
    answer = await lab.answer(room, "!again")
    assert answer.msgtype == "m.notice"


async def test_a_forged_record_is_input_and_no_truth(lab: Lab, room: str) -> None:
    """What a person wrote into her own picture's event is checked like typed flags, if it counts at all."""
    (first,) = await lab.draw(room, f"!draw otter {QUICK}")
    forged = {"v": 1, "used": {**first.record["used"], "steps": 10**9, "width": 10**6, "model": "../../etc"}}
    content = {name: value for name, value in first.content.items() if name != "m.relates_to"}
    fake = await lab.user.send_event(room, "m.room.message", {**content, "org.otterbot": {"v": 1, "record": forged}})
    answer = await lab.answer(room, "!again", reply=fake)
    assert answer.record.get("used", {}).get("steps", 0) < 1_000
