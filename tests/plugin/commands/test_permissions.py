"""Who may do what: patterns, power levels, creators, and homeservers that do not answer."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from command_rig import ALICE, BOB, BOT, MOD, ROOM, Rig

from otterbot.commands.permissions import MembersUnknown, PowerUnknown, is_allowed
from otterbot.matrix.power_levels import read_power


@pytest.mark.parametrize(
    ("user", "patterns", "allowed"),
    [
        ("@a:home.org", ["@*:{homeserver}"], True),
        ("@a:HOME.org", ["@*:{homeserver}"], True),
        ("@a:evil.org", ["@*:{homeserver}"], False),
        ("@a:home.org.evil.org", ["@*:{homeserver}"], False),
        ("@a:evil.org:home.org", ["@*:{homeserver}"], False),
        ("@x:home.org:evil.org", ["@*:{homeserver}"], False),
        ("@a:home.org\n", ["@*:{homeserver}"], False),
        ("@a:homeXorg", ["@*:{homeserver}"], False),
        ("@a:home.org", [], False),
        ("@alice:x.org", ["@alice:*"], True),
        ("@alice:x.org:8448", ["@alice:*"], True),
        ("@malice:x.org", ["@alice:*"], False),
        ("@al:x.org", ["@a?:x.org"], True),
        ("@all:x.org", ["@a?:x.org"], False),
        ("@Alice:x.org", ["@alice:x.org"], False),
        ("@[a]:x.org", ["@[a]:x.org"], True),
        ("@a:x.org", ["@*:y.org", "@*:*"], True),
        ("alice:x.org", ["@*:*"], False),
        ("@alice", ["@*:*"], False),
        ("", ["@*:*"], False),
        ("@telegram_1:home.org", ["@*:{homeserver}"], True),
        ("@telegram_1:home.org", ["@*:{homeserver}", "-@telegram_*:{homeserver}"], False),
        ("@telegram_1:home.org", ["-@telegram_*:{homeserver}", "@*:{homeserver}"], False),
        ("@telegram_1:home.org", ["@telegram_1:home.org", "-@telegram_*:{homeserver}"], False),
        ("@telegrams:home.org", ["@*:{homeserver}", "-@telegram_*:{homeserver}"], True),
        ("@telegram_1:evil.org", ["@*:*", "-@telegram_*:{homeserver}"], True),
        ("@a:home.org", ["-@telegram_*:{homeserver}"], False),
    ],
)
def test_patterns(user: str, patterns: list[str], allowed: bool) -> None:
    assert is_allowed(user, patterns, "@bot:home.org") is allowed


def create(version: Any, **content: Any) -> dict[str, Any]:
    return {"sender": "@founder:x", "content": {"room_version": version, **content}}


@pytest.mark.parametrize(
    ("event", "levels", "expected"),
    [
        (create("12"), {"users": {}}, {"@founder:x": math.inf, "@a:x": 0}),
        (create("12", additional_creators=["@second:x", 5]), {}, {"@second:x": math.inf, "@a:x": 0}),
        (create("13"), {"users": {"@founder:x": 0}}, {"@founder:x": math.inf}),
        (create("11", additional_creators=["@b:x"]), {"users": {"@founder:x": 100}}, {"@founder:x": 100, "@b:x": 0}),
        (create("11"), {"users": {"@a:x": 50}, "users_default": 10}, {"@a:x": 50, "@b:x": 10, "@founder:x": 10}),
        (create("9"), {"users": {"@a:x": "50", "@b:x": "fifty", "@c:x": True}}, {"@a:x": 50, "@b:x": 0, "@c:x": 0}),
        (create("10"), None, {"@founder:x": 100, "@a:x": 0}),
        (create("12"), None, {"@founder:x": math.inf, "@a:x": 0}),
        (create(12), {"users": []}, {"@founder:x": 0}),
        (create("weird"), {"users_default": "lots"}, {"@founder:x": 0}),
        (None, None, {"@founder:x": 0}),
        ({"content": 5}, 5, {"@a:x": 0}),
    ],
)  # fmt: skip
def test_power(event: Any, levels: Any, expected: dict[str, float]) -> None:
    power = read_power(event, levels)
    assert {user: power.of(user) for user in expected} == expected


async def test_levels_are_read_from_the_room(rig: Rig) -> None:
    may = rig.services.permissions.has_power
    assert await may(ROOM, MOD, 50)
    assert not await may(ROOM, ALICE, 50)
    assert await may(ROOM, ALICE, 0)
    rig.homeserver.create(ROOM, "@founder:test", "12", {ALICE: 50})
    assert await may(ROOM, ALICE, 50), "before a refusal the levels are read anew"
    assert await may(ROOM, "@founder:test", 10**9)


async def test_homeservers_that_only_give_the_content(rig: Rig) -> None:
    rig.homeserver.old = True
    rig.homeserver.create(ROOM, "@founder:test", "12", {})
    assert await rig.services.permissions.has_power(ROOM, "@founder:test", 100)


async def test_no_answer_is_not_a_no(rig: Rig) -> None:
    rig.homeserver.broken = True
    with pytest.raises(PowerUnknown):
        await rig.services.permissions.has_power(ROOM, MOD, 50)


async def test_alone_with(rig: Rig) -> None:
    alone = rig.services.permissions.alone_with
    rig.homeserver.join("!two:test", BOT, ALICE)
    assert await alone("!two:test", ALICE)
    assert not await alone("!two:test", BOB)
    assert not await alone(ROOM, ALICE)
    before = len(rig.homeserver.requests)
    assert not await alone(ROOM, ALICE)
    assert len(rig.homeserver.requests) == before, "a crowd is believed for a while"
    rig.homeserver.join("!two:test", BOT, ALICE, BOB)
    assert not await alone("!two:test", ALICE), "two are not"
    rig.homeserver.join("!two:test", BOT, ALICE)
    rig.services.permissions.members_changed("!two:test")
    assert await alone("!two:test", ALICE), "one of them has left"
    rig.homeserver.broken = True
    with pytest.raises(MembersUnknown):
        await alone("!three:test", ALICE)


async def test_what_was_said_among_more_is_not_said_to_the_bot_alone(rig: Rig) -> None:
    """A catch-up finds it after the others have left."""
    alone = rig.services.permissions.alone_with
    rig.homeserver.join("!two:test", BOT, ALICE)
    hour_ago = time.time() - 3600
    assert await alone("!two:test", ALICE, hour_ago)
    rig.homeserver.gone["!two:test"] = int((hour_ago + 60) * 1000)
    assert not await alone("!two:test", ALICE, hour_ago)
    assert await alone("!two:test", ALICE, hour_ago + 120)
    assert await alone("!two:test", ALICE, time.time())


async def test_the_bot_itself_may_not(rig: Rig) -> None:
    assert not rig.services.permissions.may_use(BOT)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 404, 401])
@pytest.mark.parametrize("call", ["joined_members", "members"])
async def test_members_that_cannot_be_asked_for(rig: Rig, status: int, call: str) -> None:
    """A proxy's page, too, is no answer of the homeserver's."""
    rig.homeserver.join("!two:test", BOT, ALICE)
    rig.homeserver.trouble[call] = [(status, {"errcode": "M_UNKNOWN"} if status == 500 else {})]
    said_at = time.time() - 3600
    with pytest.raises(MembersUnknown):
        await rig.services.permissions.alone_with("!two:test", ALICE, said_at)
    assert await rig.services.permissions.alone_with("!two:test", ALICE, said_at)


async def test_a_room_that_is_not_ours_is_a_no(rig: Rig) -> None:
    rig.homeserver.trouble["joined_members"] = [(403, {"errcode": "M_FORBIDDEN"})]
    assert not await rig.services.permissions.alone_with("!two:test", ALICE)
