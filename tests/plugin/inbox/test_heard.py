"""What of a timeline counts, and when it was said."""

from __future__ import annotations

from typing import Any

import pytest

from otterbot.inbox.timeline import Coming, dated, said_at, since_invited

BOT = "@bot:test"
NOW = 1_000_000.0


def member(membership: str, before: str | None = None, user: str = BOT) -> dict[str, Any]:
    unsigned = {} if before is None else {"prev_content": {"membership": before}}
    return {"type": "m.room.member", "state_key": user, "content": {"membership": membership}, "unsigned": unsigned}


def said(name: str, at: float = NOW, server: str = "test") -> dict[str, Any]:
    return {"type": "m.room.message", "event_id": name, "sender": f"@a:{server}", "origin_server_ts": int(at * 1000)}


A, B, C = said("a"), said("b"), said("c")
OTHER = member("join", user="@other:test")

TIMELINES: list[tuple[list[Any], list[Any], list[Any]]] = [
    ([], [A, B], [A, B]),
    ([], [A, member("join"), B], [B]),
    ([], [A, member("invite"), B, member("join", "invite"), C], [B, C]),
    ([], [A, member("invite"), B, member("join"), C], [B, C]),
    ([], [A, member("join", "invite"), B], [A, B]),
    ([member("invite")], [A, member("join"), B], [A, B]),
    ([member("leave")], [A, member("join"), B], [B]),
    ([], [A, member("join", "leave"), B], [B]),
    ([], [member("join"), A, member("leave", "join"), B, member("invite", "leave"), C, member("join", "invite")], [C]),
    ([], [member("join"), A, member("leave", "join"), B, member("join", "leave"), C], [C]),
    ([], [A, member("join", "join"), B], [A, B]),
    ([], [A, OTHER, member("invite", user="@other:test"), B], [A, OTHER, B]),
]


def messages(events: Any) -> list[Any]:
    return [event for event in events if event["type"] == "m.room.message"]


@pytest.mark.parametrize(("start", "timeline", "counts"), TIMELINES)
def test_what_counts_of_a_sync(start: list[Any], timeline: list[Any], counts: list[Any]) -> None:
    assert messages(since_invited(start, timeline, BOT)) == messages(counts)


def walked(timeline: list[Any]) -> Coming:
    coming = Coming(BOT)
    for event in reversed(timeline):
        if coming.ends(event):
            break
    return coming


ONE_STAY = [case for case in TIMELINES if not case[0] and member("leave", "join") not in case[1]]


@pytest.mark.parametrize(("start", "timeline", "counts"), ONE_STAY)
def test_what_counts_of_a_walk(start: list[Any], timeline: list[Any], counts: list[Any]) -> None:
    assert messages(walked(timeline).events()) == messages(counts)


D, E = said("d"), said("e")
KICKED, AGAIN = member("leave", "join"), [member("invite", "leave"), D, member("join", "invite"), E]
STAYS: list[tuple[list[Any], list[Any]]] = [
    ([A, member("invite"), member("join", "invite"), B, KICKED, C, *AGAIN], [B, D, E]),
    ([A, member("join"), B, KICKED, C, *AGAIN], [B, D, E]),
    ([A, member("join"), B, KICKED, C, member("join", "leave"), D], [B, D]),
    ([B, member("ban", "join"), A, member("leave", "ban"), C, *AGAIN], [B, D, E]),
    ([B, KICKED, A, member("invite", "leave"), C, member("leave", "invite"), C, *AGAIN], [B, D, E]),
    ([B, KICKED, C, member("invite", "leave"), member("join", "invite"), A, KICKED, C, *AGAIN], [B, A, D, E]),
    ([B, member("leave"), C, *AGAIN], [D, E]),
]


@pytest.mark.parametrize(("timeline", "counts"), STAYS)
def test_a_walk_goes_on_behind_the_time_in_which_the_bot_was_put_out(timeline: list[Any], counts: list[Any]) -> None:
    coming = walked(timeline)
    assert messages(coming.events()) == messages(counts)
    assert coming.came == next(event for event in reversed(timeline) if event.get("state_key") == BOT)


def test_a_walk_reads_on_while_the_bot_was_out() -> None:
    coming = Coming(BOT)
    assert not any(coming.ends(event) for event in (E, member("join", "invite"), D, member("invite", "leave"), C))
    assert not coming.page_ends()


def test_a_walk_looks_for_an_invitation_only_close_to_the_coming() -> None:
    coming = Coming(BOT)
    assert not any(coming.ends(event) for event in (C, member("join"), B))
    assert coming.page_ends()
    assert coming.events() == [member("join"), C]
    sure = Coming(BOT)
    assert not any(sure.ends(event) for event in (C, member("join", "invite"), B))
    assert not sure.page_ends()
    assert messages(sure.events()) == [B, C]


def test_times_are_kept_within_what_is_known() -> None:
    events = [said("old", NOW - 90_000, "slow"), said("new", NOW + 90_000, "fast"), said("own", NOW - 5)]
    assert [said_at(event) for event in dated(events, BOT, earliest=NOW - 30, latest=NOW)] == [NOW - 30, NOW, NOW - 5]


def test_nothing_is_older_than_what_stands_before_it() -> None:
    """By the bot's own homeserver, that is: others' clocks prove nothing."""
    events = [
        said("own", NOW - 100),
        said("slow", NOW - 90_000, "slow"),
        said("fast", NOW - 1, "fast"),
        said("own", NOW),
    ]
    events.append(said("late", NOW - 90_000, "slow"))
    assert [said_at(event) for event in dated(events, BOT)] == [NOW - 100, NOW - 100, NOW - 1, NOW, NOW]


def test_nobody_says_themselves_when_it_was_said() -> None:
    [event] = dated([{**said("own", NOW - 5), "otterbot.said_at": NOW + 9}], BOT)
    assert said_at(event) == NOW - 5
