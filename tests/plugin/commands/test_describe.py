"""``!describe``, and the numbers of its answer: typed as a reply, or as a reaction."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ALICE, BOB, BOT, ROOM, Rig
from room_pictures import RECORD, image, reply, thread

from otterbot import texts
from otterbot.commands import handle, reactions
from otterbot.commands.outcome import Outcome
from otterbot.config import DrawValues, Values
from otterbot.language.reaction import from_raw

PROMPTS = ["otter, hat", "otter --steps 99, at night", "otter, oil"]
TWO = "2\ufe0f\u20e3"


def described(rig: Rig, sender: str = BOT, part: str = "described/1", prompts: Any = PROMPTS, **content: Any) -> str:
    ours = {"v": 1, "key": "k", "part": part, "prompts": prompts}
    whole = {"msgtype": "m.text", "body": "An otter.", "org.otterbot": ours, **content}
    return str(rig.homeserver.add(ROOM, sender, "m.room.message", whole)["event_id"])


async def react(rig: Rig, target: str, emoji: str = TWO, sender: str = ALICE) -> Outcome | None:
    relation = {"rel_type": "m.annotation", "event_id": target, "key": emoji}
    raw = rig.homeserver.add(ROOM, sender, "m.reaction", {"m.relates_to": relation})
    reaction = from_raw(raw)
    assert reaction is not None
    return await reactions.react(rig.services, reaction)


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("word", ["!describe", "!alt", "! Describe.", "bot: describe"])
async def test_the_picture_replied_to(rig: Rig, word: str) -> None:
    posted = image(rig)
    rig.homeserver.picture(ROOM, RECORD)
    outcome = await rig.say(word, **reply(posted))
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.kind == "describe"
    assert outcome.request.body == {"picture": {"event": posted}}


async def test_its_caption_and_the_last_one(rig: Rig) -> None:
    drawn = rig.homeserver.picture(ROOM, RECORD)
    image(rig)
    assert await rig.drawn("!describe") == {"picture": {"event": drawn}}, "of ours, as other commands take it"
    caption = {"msgtype": "m.image", "filename": "a.png", "url": "mxc://a/b", "info": {"mimetype": "image/png"}}
    message = rig.message("!describe", **caption)
    outcome = await handle(rig.services, message)
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.body == {"picture": {"event": message.event_id}}
    assert await rig.drawn("!describe", **thread(drawn)) == {"picture": {"event": drawn}}


async def test_what_is_no_picture(rig: Rig) -> None:
    assert await rig.answer("!describe") == texts.no_picture("!")
    said = rig.homeserver.say(ROOM, BOB, "a fine day")["event_id"]
    assert await rig.answer("!describe", **reply(said)) == texts.describe_needs_a_picture("!")
    assert "takes no words" in await rig.answer("!describe the otter")


# ---------------------------------------------------------------- its numbers


@pytest.mark.parametrize("typed", ["2", "#2", "2.", TWO])
async def test_a_number_draws_that_line_as_words_alone(rig: Rig, typed: str) -> None:
    body = await rig.drawn(typed, sender=BOB, **reply(described(rig)))
    assert body["prompt"] == PROMPTS[1], "what looks like a flag in it is none"
    assert "steps" not in body
    assert body["count"] == 1
    assert "init_image" not in body


async def test_the_rooms_and_the_instances_defaults_hold(rig: Rig) -> None:
    rig.values(draw=DrawValues(count=2, steps=7))
    body = await rig.drawn("1", **reply(described(rig)))
    assert body["count"] == 2
    assert {"layer": "instance", "steps": 7}.items() <= body["layers"][-1].items()


async def test_a_reaction_draws_it_too(rig: Rig) -> None:
    target = described(rig, **thread("$root"))
    outcome = await react(rig, target)
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.body is not None
    assert outcome.request.body["prompt"] == PROMPTS[1]
    assert outcome.request.thread == "$root", "where the description stands"


@pytest.mark.parametrize("emoji", ["👍", "9\ufe0f\u20e3", "2 otters", ""])
async def test_other_reactions_mean_nothing(rig: Rig, emoji: str) -> None:
    if emoji:
        assert await react(rig, described(rig), emoji) in (None, Outcome())


async def test_a_number_beyond_its_lines(rig: Rig) -> None:
    assert await rig.answer("4", **reply(described(rig))) == texts.no_such_prompt(3)


async def test_strangers_draw_nothing(rig: Rig) -> None:
    target = described(rig)
    assert await rig.say("2", sender="@eve:elsewhere", **reply(target)) is None
    assert await react(rig, target, sender="@eve:elsewhere") == Outcome()


@pytest.mark.parametrize(
    "other",
    [
        {"sender": BOB},
        {"part": "chat/1"},
        {"prompts": "otter"},
        {"org.otterbot": None},
    ],
)
async def test_only_our_own_descriptions_have_numbers(rig: Rig, other: dict[str, Any]) -> None:
    target = described(rig, **other)
    assert await rig.say("2", **reply(target)) is None
    assert await react(rig, target) == Outcome()


async def test_what_stands_in_it_is_held_against_the_limits(rig: Rig) -> None:
    rig.services.config.current = Values()
    most = rig.services.config.current.limits.prompt_length
    long = described(rig, prompts=["x" * (most + 1), None, 7, " "])
    assert await rig.answer("1", **reply(long)) == texts.prompt_too_long(most + 1, most)
    refused = await rig.say("1", **reply(long))
    assert refused is not None
    assert refused.refused, "so that the message gets its ❌"
    assert await rig.answer("2", **reply(long)) == texts.no_such_prompt(1), "what is no text is no line"
