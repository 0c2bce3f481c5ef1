"""Reactions on pictures: requests of who reacted, once, answered below the picture, taken back with the reaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from homeserver_double import Rate
from listening import Listening
from picture_reactions import ANNA, BERT, STRANGER, by_reaction, drawn, jobs, passed, react, take_back
from plugin_rig import BOT, ROOM, Rig

from otterbot.config import StatusValues

AGAIN, VARY, UPSCALE = "🔁", "🎲", "⬆️"


@pytest_asyncio.fixture
async def listening(rig: Rig) -> AsyncIterator[Listening]:
    made = Listening(rig)
    made.start()
    yield made
    await made.events.stop()


# ---------------------------------------------------------------- what follows


async def test_again_is_a_request_of_who_reacted(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    await listening.sync(react(rig, target, AGAIN))
    first, second = await jobs(rig, 2)
    assert (first["owner"], second["owner"]) == (ANNA, BERT)
    assert second["request"]["prompt"] == "an otter"
    assert second["pictures"][0]["seed"] != first["pictures"][0]["seed"]
    request = await by_reaction(rig, target, AGAIN)
    assert (await rig.done(request)).outcome == "succeeded"
    content = rig.server.pictures(ROOM)[-1]["content"]
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": target}}
    assert content["body"].endswith("🔁 for bert")
    assert content["m.mentions"] == {}
    assert "matrix.to" not in content["formatted_body"]
    assert target not in [
        event["content"]["m.relates_to"]["event_id"] for event in rig.server.of_bot(ROOM, "m.reaction")
    ]


async def test_varied_and_upscaled(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    await listening.sync(react(rig, target, VARY), react(rig, target, UPSCALE))
    first, varied, upscaled = await jobs(rig, 3)
    assert varied["request"]["count"] == 4
    assert varied["request"]["variation"]["strength"] == 0.2
    assert varied["pictures"][0]["seed"] == first["pictures"][0]["seed"]
    assert upscaled["request"]["upscale"] == 2
    assert upscaled["request"]["init_image"] is not None
    assert rig.worker_server.owners == [BERT]


@pytest.mark.parametrize("emoji", ["🔁", "🔁\ufe0f", "🔄", "🔁\U0001f3fd"])
async def test_one_emoji_however_it_is_written(listening: Listening, rig: Rig, emoji: str) -> None:
    target = await drawn(rig)
    await listening.sync(react(rig, target, emoji))
    await jobs(rig, 2)


@pytest.mark.parametrize(("emoji", "sender"), [("👍", BERT), ("✅", BERT), (AGAIN, STRANGER), (AGAIN, BOT)])
async def test_all_others_mean_nothing(listening: Listening, rig: Rig, emoji: str, sender: str) -> None:
    target = await drawn(rig)
    await listening.sync(react(rig, target, emoji, sender))
    await passed(listening)
    await jobs(rig, 1)


async def test_only_on_pictures_of_ours(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    stolen = dict(rig.server.pictures(ROOM)[0]["content"])
    theirs = rig.server.add(ROOM, ANNA, "m.room.message", stolen)["event_id"]
    other = rig.server.add(ROOM, BOT, "m.room.message", {"msgtype": "m.image", "body": "a.png", "url": "mxc://a/b"})
    for event in (str(theirs), other["event_id"], "$nowhere"):
        await listening.sync(react(rig, event, AGAIN))
    await passed(listening)
    await listening.sync(react(rig, target, AGAIN))
    await jobs(rig, 2)


async def test_it_stays_in_the_pictures_thread(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig, thread_root="$root")
    await listening.sync(react(rig, target, AGAIN))
    await rig.done(await by_reaction(rig, target, AGAIN))
    relation = rig.server.pictures(ROOM)[-1]["content"]["m.relates_to"]
    assert (relation["rel_type"], relation["event_id"]) == ("m.thread", "$root")
    assert relation["m.in_reply_to"] == {"event_id": target}


async def test_what_cannot_be_is_said_to_who_reacted(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    await listening.sync(react(rig, target, UPSCALE))
    await rig.done(await by_reaction(rig, target, UPSCALE))
    upscaled = rig.server.pictures(ROOM)[-1]
    upscaled["content"]["org.otterbot"]["record"]["used"]["upscale"] = 2
    await listening.sync(react(rig, upscaled["event_id"], VARY))
    await rig.until(lambda: [body for body in rig.bodies() if body.startswith("🎲 bert: ")])
    said = rig.server.of_bot(ROOM)[-1]["content"]
    assert "An upscaled picture" in said["body"]
    assert said["m.relates_to"]["m.in_reply_to"] == {"event_id": upscaled["event_id"]}
    assert said["m.mentions"] == {}


async def test_the_status_line_names_who_waits(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    rig.values = replace(rig.values, status=StatusValues(after_seconds=0, edit_seconds=1))
    rig.worker_server.auto = False
    await listening.sync(react(rig, target, AGAIN))
    await rig.until(lambda: [body for body in rig.bodies() if body.startswith("🔁 bert: ")])
    await jobs(rig, 2)
    rig.worker_server.draw_all(rig.worker_server.jobs[list(rig.worker_server.jobs)[1]])
    await rig.done(await by_reaction(rig, target, AGAIN))
    await rig.until(lambda: [body for body in rig.bodies() if body.startswith("* 🔁 bert: ✅")])


# ---------------------------------------------------------------- once


async def test_two_people_are_two_requests(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    await listening.sync(react(rig, target, AGAIN, ANNA), react(rig, target, AGAIN, BERT))
    _, first, second = await jobs(rig, 3)
    assert [first["owner"], second["owner"]] == [ANNA, BERT]
    assert first["key"] != second["key"]
    for person in (ANNA, BERT):
        await rig.done(await by_reaction(rig, target, AGAIN, person))
    assert [event["content"]["body"].splitlines()[-1] for event in rig.server.pictures(ROOM)[1:]] == [
        "🔁 for anna",
        "🔁 for bert",
    ]


async def test_it_counts_once_for_each_person_and_emoji(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    reaction = react(rig, target, AGAIN)
    await listening.sync(reaction, react(rig, target, "🔄"), reaction)
    await rig.done(await by_reaction(rig, target, AGAIN))
    await listening.sync(take_back(rig, reaction))
    await listening.sync(react(rig, target, AGAIN))
    await passed(listening)
    await jobs(rig, 2)


async def test_twenty_at_once_at_a_homeserver_that_limits(listening: Listening, rig: Rig) -> None:
    """Five people's on two pictures, two emoji each: Synapse's bucket, with a quicker clock."""
    await drawn(rig, body={"count": 2})
    first, second = (str(event["event_id"]) for event in rig.server.pictures(ROOM))
    rig.server.rate = Rate(10, 20.0)
    people = [f"@person{number}:test" for number in range(5)]
    pressed = [(target, emoji, who) for who in people for target in (first, second) for emoji in (AGAIN, UPSCALE)]
    await listening.sync(*(react(rig, target, emoji, who) for target, emoji, who in pressed))
    await jobs(rig, 21)
    for target, emoji, who in pressed:
        assert (await rig.done(await by_reaction(rig, target, emoji, who))).outcome == "succeeded"
    results = rig.server.pictures(ROOM)[2:]
    assert sorted(
        (event["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], event["content"]["body"].splitlines()[-1])
        for event in results
    ) == sorted((target, f"{emoji} for {who[1:8]}") for target, emoji, who in pressed)


async def test_also_after_a_start(rig: Rig) -> None:
    target = await drawn(rig)
    first = Listening(rig)
    first.start()
    await first.sync(react(rig, target, AGAIN))
    await rig.done(await by_reaction(rig, target, AGAIN))
    await first.events.stop()
    await rig.restart()
    second = Listening(rig)
    second.start()  # it walks over the reaction, which is handled, and over the next one, which is not
    await second.sync(react(rig, target, AGAIN))
    await passed(second)
    await jobs(rig, 2)
    await second.events.stop()


async def test_what_came_to_nothing_may_be_asked_for_again(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    rig.worker_server.refuse = (429, {"code": "queue_full", "details": {"whose": "everybody"}})
    await listening.sync(react(rig, target, AGAIN))
    assert (await rig.done(await by_reaction(rig, target, AGAIN))).outcome == "refused"
    await rig.until(lambda: [body for body in rig.bodies() if body.startswith("🔁 bert: ")])
    rig.worker_server.refuse = None
    await listening.sync(react(rig, target, AGAIN))
    await jobs(rig, 2)


# ---------------------------------------------------------------- taken back


async def test_taking_it_back_cancels_it(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    rig.worker_server.auto = False
    mine, theirs = react(rig, target, AGAIN), react(rig, target, AGAIN, ANNA)
    await listening.sync(mine, theirs)
    await jobs(rig, 3)
    await listening.sync(take_back(rig, mine))
    assert (await rig.done(await by_reaction(rig, target, AGAIN))).outcome == "cancelled"
    assert (await by_reaction(rig, target, AGAIN, ANNA)).open, "the other one's goes on"
    await listening.sync(react(rig, target, AGAIN))
    await jobs(rig, 4)


async def test_with_an_empty_database(listening: Listening, rig: Rig) -> None:
    """As pictures of last winter are, whose rows are gone."""
    target = await drawn(rig)
    for table in ("requests", "parts", "rooms"):
        await rig.db.execute(f"DELETE FROM {table}")
    rig.worker_server.auto = False
    reaction = react(rig, target, AGAIN)
    await listening.sync(reaction)
    await jobs(rig, 2)
    await listening.sync(take_back(rig, reaction))
    assert (await rig.done(await by_reaction(rig, target, AGAIN))).outcome == "cancelled"


async def test_deleting_the_picture_leaves_what_was_asked_of_it(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    rig.worker_server.auto = False
    await listening.sync(react(rig, target, AGAIN))
    await jobs(rig, 2)
    await listening.sync(rig.server.add(ROOM, ANNA, "m.room.redaction", {"redacts": target}))
    await rig.until(lambda: rig.worker_server.deleted)
    assert (await by_reaction(rig, target, AGAIN)).open


async def test_a_stop_on_its_status_cancels_it(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    rig.values = replace(rig.values, status=StatusValues(after_seconds=0, edit_seconds=1))
    rig.worker_server.auto = False
    await listening.sync(react(rig, target, AGAIN))
    await rig.until(lambda: [body for body in rig.bodies() if body.startswith("🔁 bert: ")])
    status = rig.server.of_bot(ROOM)[-1]["event_id"]
    request = await by_reaction(rig, target, AGAIN)
    await rig.until(lambda: not rig.outbox.waiting(request.key, "status"))
    await listening.sync(react(rig, status, "❌"))
    assert (await rig.done(request)).outcome == "cancelled"
