"""Messages without their room key: they wait, the room is told once, strangers cost nothing, all have their place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from listening import Listening
from olm_people import Person, give_encryption
from plugin_rig import BOT, ROOM, Rig

from otterbot.inbox import parked, undecrypted, unread
from otterbot.inbox.parked import Parked, Waiting
from otterbot.inbox.timeline import dated
from otterbot.inbox.withheld import EACH, Withheld

pytestmark = pytest.mark.filterwarnings("ignore:The sender_key field in Megolm events:DeprecationWarning")
SENTENCE = "I cannot read your message"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undecrypted, "PATIENCE", 0.3)


@pytest_asyncio.fixture
async def user(listening: Listening) -> AsyncIterator[Person]:
    machine = await give_encryption(listening.rig)
    yield Person(listening.rig, machine)
    listening.rig.client.crypto = None


def told(rig: Rig, room: str = ROOM) -> list[str]:
    return [body for body in rig.bodies(room) if SENTENCE in body]


async def settled(listening: Listening, room: str = ROOM) -> None:
    """Until every message that waits in the room is late, and whatever is said about that is said."""
    await listening.rig.until(lambda: all(one.told for one in listening.unread.parked.of(room)))
    marker = listening.rig.server.say(room, f"!say marker {time.monotonic()}")
    await listening.sync(marker, room=room)
    await listening.rig.until(lambda: any(marker["content"]["body"] in body for body in listening.rig.bodies(room)))


async def test_a_key_that_never_comes_is_said(listening: Listening, rig: Rig, user: Person) -> None:
    thread = {"rel_type": "m.thread", "event_id": "$root", "is_falling_back": True}
    lost = user.say("!say secret", **{"m.relates_to": thread})
    await listening.sync(lost)
    await rig.until(lambda: told(rig))
    await settled(listening)
    [said] = [event for event in rig.server.of_bot(ROOM) if SENTENCE in event["content"]["body"]]
    assert said["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == lost["event_id"]
    assert said["content"]["m.relates_to"]["event_id"] == "$root"
    assert said["content"]["m.mentions"] == {}
    assert any("1 message of this room waits" in line for line in listening.unread.report(ROOM))
    assert listening.unread.report("!other:test") == []


async def test_a_key_that_comes_in_time_is_not(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undecrypted, "PATIENCE", 3.0)
    await listening.sync(user.say("!say late"))
    await rig.until(lambda: len(listening.unread.parked) == 1)
    await user.share_key()
    await listening.hear("!say late")
    await rig.until(lambda: ROOM not in listening.events._late._timers)
    assert told(rig) == []


async def test_a_key_for_later_messages_only(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that trusts the device by now shares its session from there on: what was before is lost, and said."""
    monkeypatch.setattr(undecrypted, "PATIENCE", 3600.0)
    early = user.say("!say early")
    user.first_key = user.session.session_key
    await listening.sync(early)
    await rig.until(lambda: len(listening.unread.parked) == 1)
    await user.share_key()
    await listening.sync(user.say("!say later"))
    await listening.hear("!say later")
    await rig.until(lambda: told(rig))


async def test_a_locked_crypto_store_ends_no_waiting(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    has, failures = user.machine.crypto_store.has_group_session, [OSError("database is locked")] * 2
    monkeypatch.setattr(undecrypted, "WAITS", (0.05,))
    monkeypatch.setattr(user.machine, "_mark_session_received", lambda _: None)

    async def fails_first(*place: Any) -> bool:
        if failures:
            raise failures.pop()
        return bool(await has(*place))

    monkeypatch.setattr(user.machine.crypto_store, "has_group_session", fails_first)
    await listening.sync(user.say("!say late"))
    await rig.until(lambda: not failures)
    await user.share_key()
    await listening.hear("!say late")


async def test_a_key_whose_coming_was_missed_is_not(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in the store, nobody was woken."""
    monkeypatch.setattr(user.machine, "_mark_session_received", lambda _: None)
    await listening.sync(user.say("!say late"))
    await rig.until(lambda: len(listening.unread.parked) == 1)
    await user.share_key()
    await listening.hear("!say late")
    assert told(rig) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("m.unverified", "your client does not trust my device"),
        ("m.blacklisted", "your client has blocked my device"),
        ("m.unauthorised", "may not have its key"),
        ("m.unavailable", "does not have its key any more"),
        ("org.example.new", "has not reached me"),
    ],
)
async def test_what_the_client_says_is_named(
    listening: Listening, rig: Rig, user: Person, code: str, words: str
) -> None:
    await listening.events.on_sync({"data": {"to_device": {"events": [user.withheld(code)]}}})
    await listening.sync(user.say("!say secret"))
    [said] = await rig.until(lambda: told(rig))
    assert words in said
    assert any(code in line for line in listening.unread.report(ROOM))


async def test_no_channel_is_said_of_the_device(listening: Listening, rig: Rig, user: Person) -> None:
    no_olm = user.withheld("m.no_olm")
    del no_olm["content"]["room_id"], no_olm["content"]["session_id"]
    await listening.events.on_sync({"data": {"to_device": {"events": [no_olm]}}})
    await listening.sync(user.say("!say secret"))
    [said] = await rig.until(lambda: told(rig))
    assert "could not reach my device" in said


async def test_nobody_speaks_for_another(listening: Listening, rig: Rig, user: Person) -> None:
    forged = {**user.withheld("m.blacklisted"), "sender": "@other:test"}
    await listening.events.on_sync({"data": {"to_device": {"events": [forged]}}})
    await listening.sync(user.say("!say secret"))
    [said] = await rig.until(lambda: told(rig))
    assert "has not reached me" in said


async def test_at_most_once_an_hour_in_a_room(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listening.sync(user.say("!say a"), user.say("!say b"))
    await rig.until(lambda: told(rig))
    await listening.sync(user.say("!say c"))
    await settled(listening)
    assert len(told(rig)) == 1
    monkeypatch.setattr(unread, "EVERY", 0.0)
    await listening.sync(user.say("!say d"))
    await rig.until(lambda: len(told(rig)) == 2)


async def test_a_restart_does_not_say_it_again(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The walk finds the same messages, and more of before the sentence."""
    for number in range(20):
        user.say(f"!say {number}")
    await listening.sync(user.say("!say now"))
    await rig.until(lambda: told(rig))
    await settled(listening)
    await listening.events.stop()
    monkeypatch.setattr(unread, "EVERY", 0.0)
    again = Listening(rig)
    again.start()
    await again.sync()
    await rig.until(lambda: len(again.unread.parked) == 21)
    await settled(again)
    assert len(told(rig)) == 1
    await again.events.stop()


async def test_not_while_the_sync_does_not_work(listening: Listening, rig: Rig, user: Person) -> None:
    """The walk may be quicker than the sync that brings the keys."""
    await listening.events.on_sync_error({})
    listening.events._found(ROOM, dated([user.say("!say early")], BOT))
    await rig.until(lambda: len(listening.unread.parked) == 1)
    await asyncio.sleep(1)  # three times the patience
    assert told(rig) == []
    await listening.sync()
    await rig.until(lambda: told(rig))


async def test_strangers_are_not_kept(listening: Listening, rig: Rig, user: Person) -> None:
    stranger = Person(rig, user.machine, user="@stranger:elsewhere")
    stranger.session = user.session  # with the member's session id
    await listening.sync(user.say("!say mine"))
    await rig.until(lambda: len(listening.unread.parked) == 1)
    await listening.sync(*(stranger.say(f"!say {number}") for number in range(50)), user.say("!say mine too"))
    await rig.until(lambda: len(listening.unread.parked) == 2)
    assert listening.unread.parked.strangers == 50
    assert any("50 of people who may not use me" in line for line in listening.unread.report(ROOM))
    await user.share_key()
    await listening.hear("!say mine", "!say mine too")


async def test_a_strangers_lost_key_is_not_spoken_of(listening: Listening, rig: Rig, user: Person) -> None:
    stranger = Person(rig, user.machine, user="@stranger:elsewhere")
    await listening.events.on_sync({"data": {"to_device": {"events": [stranger.withheld("m.unverified")]}}})
    await listening.sync(stranger.say("!say secret"), user.say("!say mine"))
    [said] = await rig.until(lambda: told(rig))
    assert "has not reached me" in said
    assert len(rig.server.of_bot(ROOM)) == 1


async def test_one_person_does_not_push_out_others(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "PER_SENDER", 10)
    noisy = Person(rig, user.machine, user="@noisy:test")
    await listening.sync(*(noisy.say(f"!say noise {number}") for number in range(40)))
    await listening.sync(user.say("!say mine"))
    await rig.until(lambda: len(listening.unread.parked) == 11)
    await user.share_key()
    await listening.hear("!say mine")
    await noisy.share_key()
    await listening.hear("!say mine", *(f"!say noise {number}" for number in range(10)))
    assert any("30 because too many waited" in line for line in listening.unread.report(ROOM))


def waiting(room: str, sender: str, number: int) -> Waiting:
    return Waiting(room=room, sender=sender, session=f"{sender}{number}", raw={"event_id": f"${room}{sender}{number}"})


@pytest.mark.parametrize("spread", ["one room", "many rooms"])
def test_a_full_store_takes_from_whoever_has_most(spread: str) -> None:
    """However somebody spreads what they send, there is room for everybody else."""
    store = Parked()
    for number in range(2 * parked.IN_ALL):
        room = "!a" if spread == "one room" else f"!{number % 200}"
        store.add(waiting(room, "@noisy", number))
    for member in range(20):
        for number in range(5):
            new = waiting("!a", f"@member{member}", number)
            assert store.add(new) is not new
    assert len(store) <= parked.IN_ALL
    for member in range(20):
        assert all(store.has("!a", f"@member{member}", f"@member{member}{number}") for number in range(5))
    assert store.pushed_out == 2 * parked.IN_ALL + 100 - len(store)


def test_what_is_said_about_keys_is_limited() -> None:
    said = Withheld(lambda user: user.endswith(":test"))
    for number in range(10 * EACH):
        content = {"code": "m.unverified", "room_id": "!r", "session_id": f"s{number}"}
        said.heard([{"type": "m.room_key.withheld", "sender": "@noisy:test", "content": content}])
        said.heard([{"type": "m.room_key.withheld", "sender": "@stranger:elsewhere", "content": content}])
    assert [said.code("@noisy:test", "!r", f"s{number}") for number in (0, 10 * EACH - 1)] == [None, "m.unverified"]
    assert said.code("@stranger:elsewhere", "!r", "s0") is None


@pytest.mark.parametrize(
    "odd",
    [
        None,
        5,
        "x",
        [],
        {},
        {"code": 5},
        {"code": "m.unverified", "room_id": []},
        {"code": "m.unverified\n[ERROR] forged", "room_id": ROOM, "session_id": "s"},
    ],
)
async def test_odd_to_device_events_are_survived(listening: Listening, rig: Rig, odd: Any) -> None:
    event = {"type": "m.room_key.withheld", "sender": "@user:test", "content": odd}
    for events in ([event], [odd], odd):
        await listening.events.on_sync({"data": {"to_device": {"events": events}}})
    assert listening.unread.withheld.code("@user:test", ROOM, "s") is None
    await listening.sync(rig.server.say(ROOM, "!say after"))
    await listening.hear("!say after")


async def test_what_cannot_be_told_now_is_not_unreadable(
    listening: Listening, rig: Rig, user: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crypto store is locked for a moment, or the homeserver does not say whose device it was."""
    await user.share_key()
    decrypt, failures = user.machine.decrypt_megolm_event, [OSError("database is locked"), TimeoutError()]

    async def fails_first(event: Any) -> Any:
        if failures:
            raise failures.pop()
        return await decrypt(event)

    monkeypatch.setattr(user.machine, "decrypt_megolm_event", fails_first)
    await listening.sync(user.say("!say mine"))
    await listening.hear("!say mine")
