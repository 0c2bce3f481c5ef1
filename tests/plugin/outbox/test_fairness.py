"""Replies are fair: rooms and people take turns, and who asks the same before the answer is there gets the same one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from homeserver_double import BOT, Rate
from listening import Listening
from outbox_parts import failed, note, sent
from plugin_rig import ROOM, Rig

from otterbot import texts
from otterbot.commands.outcome import NewRequest, Outcome, say
from otterbot.language.message import Message
from otterbot.outbox import send_loop
from otterbot.store.rows import Rank, key_of

OTHER = "!other:test"
QUICK = 20
"""How many times quicker the clock of the limits is; their burst is Synapse's."""


def in_order(rig: Rig) -> list[str]:
    """What the bot sent, all rooms together, in order."""
    events = [event for room in rig.server.rooms for event in rig.server.of_bot(room)]
    return [str(event["content"]["body"]) for event in sorted(events, key=lambda one: int(one["event_id"][6:]))]


async def test_another_rooms_help_does_not_wait_for_27_answers(listening: Listening, rig: Rig) -> None:
    """As seen: three people, nine questions each, then one in another room, with Synapse's limits."""
    rig.server.rate = Rate(10, 0.2)  # at Synapse's own pace until everything is asked, however long that takes here
    people = ("@a:test", "@b:test", "@c:test")
    asked = [rig.server.say(ROOM, f"!say {number}", people[number % 3]) for number in range(27)]
    await listening.sync(*asked)
    await rig.until(lambda: len(listening.heard) == 27, 20)
    await rig.until(lambda: len(in_order(rig)) >= 10)
    await listening.sync(rig.server.say(OTHER, "!say help", "@d:test"), room=OTHER)
    await rig.until(lambda: len(listening.heard) == 28, 20)
    before = len(in_order(rig))
    rig.server.rate = Rate(1, 0.2 * QUICK)
    await rig.until(lambda: "!say help" in in_order(rig), 20)
    assert in_order(rig).index("!say help") - before <= 2
    await rig.until(lambda: len(in_order(rig)) == 28, 20)
    assert sorted(in_order(rig)) == sorted([*(f"!say {number}" for number in range(27)), "!say help"])


async def test_people_of_one_room_take_turns(listening: Listening, rig: Rig) -> None:
    rig.server.limits = [300]
    await listening.sync(*(rig.server.say(ROOM, f"!say a{number}", "@a:test") for number in range(8)))
    await listening.sync(rig.server.say(ROOM, "!say b0", "@b:test"), rig.server.say(ROOM, "!say b1", "@b:test"))
    await rig.until(lambda: len(in_order(rig)) == 10, 20)
    order = in_order(rig)
    assert order.index("!say b0") <= 2
    assert order.index("!say b1") <= 4
    assert [body for body in order if "a" in body.split()[1]] == [f"!say a{number}" for number in range(8)]


async def test_one_person_in_many_rooms_is_one_person(rig: Rig) -> None:
    rig.server.limits = [300]
    for number in range(6):
        rig.outbox.turns.asked_by(f"k{number}", "@a:test")
        await rig.outbox.post(note("reply", f"a{number}", key=f"k{number}", room=f"!r{number}:test"))
    for number in range(2):
        rig.outbox.turns.asked_by(f"b{number}", "@b:test")
        await rig.outbox.post(note("reply", f"b{number}", key=f"b{number}", room=OTHER))
    await rig.until(lambda: len(in_order(rig)) == 8)
    assert in_order(rig).index("b1") <= 4


async def test_the_worthier_still_goes_first(rig: Rig) -> None:
    rig.server.limits = [300]
    await rig.outbox.post(note("status", "first", rank=Rank.STATUS, key="x", room="!x:test"))
    await rig.until(lambda: rig.server.sends)
    await rig.outbox.post(note("a", "low", rank=Rank.STATUS, key="y", room=OTHER))
    for number in range(3):
        await rig.outbox.post(note("picture", f"p{number}", rank=Rank.RESULT, key=f"k{number}"))
    await rig.until(lambda: len(in_order(rig)) == 5)
    assert in_order(rig) == ["p0", "p1", "p2", "low", "first"]


# ---------------------------------------------------------------- equal answers


def answering(listening: Listening, answer: Callable[[Message], Outcome]) -> None:
    async def handle(message: Message) -> Outcome:
        listening.heard.append(message.body)
        return answer(message)

    listening.events._handler._handle = handle


async def test_the_same_asked_again_and_again_is_answered_once(listening: Listening, rig: Rig) -> None:
    """Each message counts as handled, and whoever asked later sees where the answer is."""
    answering(listening, lambda message: say("The queue is empty."))
    rig.server.limits = [200]
    asked = [rig.server.say(ROOM, "!queue", f"@{name}:test") for name in "abcab"]
    await listening.sync(*asked)
    await rig.until(lambda: len(listening.heard) == 5)
    await rig.until(lambda: rig.reactions() == [texts.SAME] * 4)
    assert rig.bodies() == ["The queue is empty."]
    assert rig.server.of_bot(ROOM)[0]["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == asked[0]["event_id"]
    targets = [event["content"]["m.relates_to"]["event_id"] for event in rig.server.of_bot(ROOM, "m.reaction")]
    assert sorted(targets) == sorted(event["event_id"] for event in asked[1:])
    await listening.sync(*asked)
    await rig.restart()
    for event in asked:
        assert await rig.store.is_handled(event["event_id"])
    assert rig.bodies() == ["The queue is empty."]


async def test_each_place_gets_an_answer_of_its_own(listening: Listening, rig: Rig) -> None:
    answering(listening, lambda message: say("The queue is empty."))
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}}
    await listening.sync(rig.server.say(ROOM, "!queue"), rig.server.say(ROOM, "!queue", **thread))
    await listening.sync(rig.server.say(OTHER, "!queue"), room=OTHER)
    await rig.until(lambda: len(rig.bodies()) == 2)
    await rig.until(lambda: len(rig.bodies(OTHER)) == 1)
    assert rig.reactions() == []


async def test_a_newer_state_for_the_same_person_comes_with_the_answer_that_waits(
    listening: Listening, rig: Rig
) -> None:
    """Held up by limits, nine answers to one person's nine questions say nothing that one does not."""
    rig.server.limits = [400]
    count = 0

    def answer(message: Message) -> Outcome:
        nonlocal count
        count += 1
        return say(f"Step {count}")

    answering(listening, answer)
    await listening.sync(*(rig.server.say(ROOM, "!queue", "@a:test") for _ in range(3)))
    await listening.sync(rig.server.say(ROOM, "!queue", "@b:test"))
    await rig.until(lambda: len(rig.bodies()) == 2)
    assert sorted(rig.bodies()) == ["Step 1", "Step 4"]


async def test_who_has_seen_the_answer_and_asks_again_gets_it_again(listening: Listening, rig: Rig) -> None:
    answering(listening, lambda message: say("The queue is empty."))
    first = rig.server.say(ROOM, "!queue")
    await listening.sync(first)
    await rig.until(rig.bodies)
    await sent(rig, note("reply", key=key_of(BOT, ROOM, first["event_id"])))
    late = rig.server.say(ROOM, "!queue", "@b:test")
    late["origin_server_ts"] = first["origin_server_ts"] - 1
    again = rig.server.say(ROOM, "!queue", "@c:test")
    again["origin_server_ts"] += 1
    await listening.sync(late, again)
    await rig.until(lambda: len(rig.bodies()) == 2)
    await rig.until(lambda: rig.reactions() == [texts.SAME])
    assert rig.server.of_bot(ROOM)[1]["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == again["event_id"]


async def test_two_drawings_that_are_refused_for_one_reason_are_two(listening: Listening, rig: Rig) -> None:
    answering(listening, lambda message: say("The queue is full."))
    rig.server.limits = [200]
    await listening.sync(*(rig.server.say(ROOM, f"!draw {what}") for what in ("otter", "badger", "Otter")))
    await rig.until(lambda: len(rig.bodies()) == 2)
    await rig.until(lambda: rig.reactions() == [texts.SAME])


async def test_what_could_not_be_said_covers_nothing(listening: Listening, rig: Rig) -> None:
    answering(listening, lambda message: say("The queue is empty."))
    rig.server.forbidden.add(ROOM)
    first = rig.server.say(ROOM, "!queue")
    second = rig.server.say(ROOM, "!queue")
    await listening.sync(first)
    await failed(rig, key_of(BOT, ROOM, first["event_id"]), "reply")
    rig.server.forbidden.clear()
    await listening.sync(second)
    await rig.until(lambda: len(rig.bodies()) == 1)


async def test_what_is_accepted_is_never_a_repeat(listening: Listening, rig: Rig) -> None:
    def answer(message: Message) -> Outcome:
        body = {"prompt": "an otter", "seed": 7, "count": 1}
        return Outcome(request=NewRequest(kind="image", body=body), reply=say("Rounded to 8.").reply)

    answering(listening, answer)
    await listening.sync(*(rig.server.say(ROOM, "!draw an otter", "@a:test") for _ in range(3)))
    await rig.until(lambda: len(rig.server.pictures(ROOM)) == 3, 20)
    await rig.until(lambda: rig.bodies().count("Rounded to 8.") == 3)
    assert texts.SAME not in rig.reactions()


async def test_a_reaction_that_comes_too_late_is_not_sent(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would cost a message that somebody waits for."""
    monkeypatch.setattr(send_loop, "PATIENCE", 0.2)
    rig.server.limits = [600]
    answering(listening, lambda message: say("The queue is empty."))
    await listening.sync(*(rig.server.say(ROOM, "!queue") for _ in range(4)))
    await rig.until(lambda: rig.bodies() == ["The queue is empty."])
    await rig.outbox.post(note("after", "after"))
    await rig.until(lambda: "after" in rig.bodies())
    assert rig.reactions() == []
