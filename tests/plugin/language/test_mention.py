"""Who is spoken to: names, mentions and pills before a command, and what is said about the bot and not to it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from command_rig import BOT, ROOM, Rig
from reading import parse, would_be_ours

from otterbot.chat.entries import FLOWING
from otterbot.commands import handle
from otterbot.errors import AnswerLost
from otterbot.language.intents import Intent
from otterbot.language.mention import Account

OTTERBOT = "@otterbot:example.org"
ACCOUNT = Account(user_id=OTTERBOT, names=("Otter Bot 🦦",))
HTML = "org.matrix.custom.html"


def pill(shown: str, user: str = OTTERBOT) -> str:
    return f'<a href="https://matrix.to/#/{user}">{shown}</a>'


def read(body: str, formatted: str = "", *, mentioned: bool = False, prefix: str = "!") -> Intent | None:
    return parse(body, prefix=prefix, account=ACCOUNT, formatted=formatted, mentioned=mentioned)


@pytest.mark.parametrize(
    "body",
    [
        "otterbot: draw a fox", "Otterbot, draw a fox", "OTTERBOT: Draw a fox", "otterbot: !draw a fox",
        "otterbot: ! draw a fox", "otterbot ： draw a fox",
        "otterbot，draw a fox", "otterbot:draw a fox", "otterbot:\ndraw a fox", "**otterbot: draw a fox**",
        "`otterbot: !draw a fox`", "  otterbot: draw a fox",
        "\u200eotterbot\u200e: draw a fox", "otterbot: **!draw a fox**",
        "@otterbot:example.org draw a fox", "@otterbot:example.org: draw a fox", "@Otterbot:Example.org, !draw a fox",
        "@otterbot draw a fox", "@otterbot: draw a fox",
        "Otter Bot 🦦: draw a fox", "otter  bot 🦦, draw a fox", "@Otter Bot 🦦 draw a fox",
        "@[Otter Bot 🦦] draw a fox", "otterbot: draw: a fox",
        "otterbot: ！draw a fox", "otterbot: \\!draw a fox",
        "[Otterbot](https://matrix.to/#/@otterbot:example.org) draw a fox",
        "[Anything](https://matrix.to/#/%40otterbot%3Aexample.org): !draw a fox",
        "[Otterbot](<https://matrix.to/#/@otterbot:example.org?via=example.org>), draw a fox",
        "https://matrix.to/#/@otterbot:example.org draw a fox",
        "[x](matrix:u/otterbot:example.org) draw a fox",
    ],
)  # fmt: skip
def test_a_name_before_a_command_is_its_prefix(body: str) -> None:
    intent = read(body)
    assert intent is not None
    assert (intent.name, intent.options.prompt, intent.problem) == ("draw", "a fox", None)


@pytest.mark.parametrize(
    ("body", "formatted"),
    [
        ("Ottie: draw a fox", pill("Ottie") + ": draw a fox"),
        ("Ottie draw a fox", pill("Ottie") + " draw a fox"),
        ("@Ottie draw a fox", "<p>" + pill("@Ottie") + " draw a fox</p>"),
        ("Tom &amp; Co: !draw a fox".replace("&amp;", "&"), pill("Tom &amp; Co") + ": !draw a fox"),
        ("Ottie: draw a fox", "<mx-reply><blockquote>x</blockquote></mx-reply>" + pill("Ottie",
        "%40otterbot%3Aexample.org") + ": draw a fox"),
        ("Ottie: draw a fox", "<strong>" + pill("<em>Ottie</em>", OTTERBOT + "?via=x") + "</strong>: draw a fox"),
        ("Ottie draw a fox", "<a class='x' href='matrix:u/otterbot:example.org'>Ottie</a> draw a fox"),
    ],
)  # fmt: skip
def test_a_pill_is_whatever_it_shows(body: str, formatted: str) -> None:
    intent = read(body, formatted)
    assert intent is not None
    assert intent.options.prompt == "a fox"
    assert read(body, formatted.replace("otterbot", "otherbot")) is None, "a pill of somebody else"


def test_a_bare_name_counts_where_the_message_mentions_us() -> None:
    assert read("otterbot draw a fox") is None
    intent = read("Otter Bot 🦦 draw a fox", mentioned=True)
    assert intent is not None
    assert intent.options.prompt == "a fox"


@pytest.mark.parametrize(
    "body",
    [
        "draw a fox, otterbot", "draw a fox @otterbot:example.org", "hello otterbot: draw a fox",
        "please, otterbot: draw a fox", "otterbot", "otterbot:", "@otterbot",
        "otterbot is great", "otterbot models are nice", "otterbot: sketch a fox", "otterbot: !wow",
        "otterbots: draw a fox", "otterbot's: draw a fox", "bob: draw a fox",
        "@otterbot:elsewhere.org draw a fox", "@otterbotter draw a fox",
        "[Otterbot](https://matrix.to/#/@otherbot:example.org) draw a fox", "> otterbot: draw a fox",
        "https://matrix.to/#/!room:example.org draw a fox", "otter bot: draw a fox", "", ":", "@", "@:",
    ],
)  # fmt: skip
def test_who_speaks_about_us_or_to_others_is_not_heard(body: str) -> None:
    assert read(body) is None
    assert read(body, pill("x") + " " + body) is None


@pytest.mark.parametrize(("body", "name", "text"), [("otterbot: help", "help", ""),
    ("otterbot, chat why?", "chat", "why?"), ("@otterbot queue", "queue", ""), ("otterbot: again.", "again", ""),
    ("otterbot: model ssd-1b", "model", "ssd-1b")])  # fmt: skip
def test_every_command(body: str, name: str, text: str) -> None:
    intent = read(body)
    assert intent is not None
    assert (intent.name, intent.text) == (name, text)


@pytest.mark.parametrize(
    "unit",
    ["@", "otterbot", "otterbot: ", "[", "[x](", "<", "<a ", ": ", ":draw ", "https://matrix.to/#/", "\u200b", "draw:"],
)
def test_64_kilobytes_are_read_quickly(unit: str) -> None:
    text = unit * (64_000 // len(unit))
    for body, formatted in (
        (text, ""),
        ("otterbot: " + text, text),
        ("x", text),
        ("x", "<mx-reply>" + text),
        ("x", "<a href='" + text),
    ):
        for mentioned in (False, True):
            begin = time.process_time()
            read(body, formatted, mentioned=mentioned)
            would_be_ours(body, prefix="!", mentioned=mentioned)
            assert time.process_time() - begin < 5, "what is not linear takes minutes"


# ---------------------------------------------------------------- in a room


def called(rig: Rig, name: str | None, room: str = ROOM) -> None:
    event = {
        "type": "m.room.member",
        "state_key": BOT,
        "sender": BOT,
        "content": {"membership": "join", "displayname": name},
    }
    rig.homeserver.state[room]["m.room.member"] = event


async def test_the_rooms_own_name_of_the_bot(rig: Rig) -> None:
    called(rig, "Frau Otter")
    assert (await rig.drawn("Frau Otter: draw a fox"))["prompt"] == "a fox"
    assert (await rig.drawn("@frau otter draw a fox"))["prompt"] == "a fox"
    assert (await rig.drawn("frau otter draw a fox", **{"m.mentions": {"user_ids": [BOT]}}))["prompt"] == "a fox"
    assert rig.homeserver.requests.count(BOT) == 1, "it is believed for a while"
    assert await rig.say("Herr Otter: draw a fox") is None


async def test_nobody_asks_for_a_name_where_it_makes_no_difference(rig: Rig) -> None:
    for body in (
        "hello",
        "!draw fox",
        "bot: draw a fox",
        "bot, how are you?",
        "draw a fox",
        "!wow: draw",
    ):
        await rig.say(body)
    assert BOT not in rig.homeserver.requests
    called(rig, "Frau Otter")
    for body in ("bob: how are you?", "well, drawing is fun", "ask @bob"):
        assert await rig.say(body) is None
    assert rig.homeserver.requests.count(BOT) == 1, "any of them could name us; the answer is believed for a while"


async def test_a_name_that_cannot_be_asked_for_is_asked_for_again(rig: Rig) -> None:
    """Nothing is decided on a failure: it is raised, and the room's queue asks again."""
    called(rig, "Frau Otter")
    rig.homeserver.broken = True
    with pytest.raises(AnswerLost):
        await handle(rig.services, rig.message("Frau Otter: draw a fox"))
    rig.homeserver.broken = False
    assert (await rig.drawn("Frau Otter: draw a fox"))["prompt"] == "a fox"


async def test_a_pill_in_a_room(rig: Rig) -> None:
    formatted = {"format": HTML, "formatted_body": pill("Ottie", BOT) + ": draw a fox −−steps 7"}
    body = await rig.drawn("Ottie: draw a fox −−steps 7", **formatted, **{"m.mentions": {"user_ids": [BOT]}})
    assert (body["prompt"], body["steps"]) == ("a fox", 7)


async def test_captions_are_normalised_as_well(rig: Rig) -> None:
    picture = {"msgtype": "m.image", "filename": "a.png", "url": "mxc://a/b"}
    for caption in (
        "bot: draw a fox −−strength 0.5",
        "！draw a fox \\-\\-strength 0.5",
        "**!draw, a fox** ––strength 0.5.",
    ):
        body = await rig.drawn(caption, **picture)
        assert (body["prompt"], body["strength"], "init_image" in body) == ("a fox", 0.5, True)


async def test_a_mention_without_a_command_is_a_chat(rig: Rig) -> None:
    called(rig, "Frau Otter")
    for body in ("bot: what do you think?", "Frau Otter, and you?", "and you, @bot?", "what says @Frau Otter?"):
        assert await rig.chatted(body) == {}
    assert await rig.say("/me asks @bot", msgtype="m.emote") is None, "what somebody does is said to nobody"
    mentioned = {"m.mentions": {"user_ids": [BOT]}}
    assert await rig.chatted("and you?", **mentioned) == {}
    picture = rig.homeserver.say(ROOM, BOT, "otter.png", msgtype="m.image", url="mxc://a/b")
    replied = {"m.relates_to": {"m.in_reply_to": {"event_id": picture["event_id"]}}}
    assert await rig.say("lovely!", **mentioned, **replied) is None, "a client mentions whom one replies to"
    assert await rig.chatted("@bot what is this?", **mentioned, **replied) == {}
    link = {"format": HTML, "formatted_body": f"ask {pill('Ottie', BOT)}"}
    assert await rig.chatted("ask Ottie", **link) == {}
    quoted = {"format": HTML, "formatted_body": f"<blockquote>ask {pill('Ottie', BOT)}</blockquote>no"}
    assert await rig.say("> ask Ottie\n\nno", **quoted) is None


@pytest.mark.parametrize("body", ["@bot:elsewhere hello", "mail a@bot.example", "@botanist hello", "a bot: is it one?"])
async def test_what_only_looks_like_its_name(rig: Rig, body: str) -> None:
    assert await rig.say(body) is None


async def test_alone_with_the_bot_a_mention_is_no_other_thing(rig: Rig) -> None:
    rig.homeserver.join("!alone:test", BOT, "@alice:test")
    outcome = await rig.say("bot: what do you think?", room="!alone:test")
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.asked == {FLOWING: True}
    assert await rig.say("\u200b", room="!alone:test") is None
    assert await rig.say("！wow", room="!alone:test") is None


@pytest.mark.parametrize("odd", [{"m.mentions": 1}, {"m.mentions": {"user_ids": BOT}},
    {"m.mentions": {"user_ids": [1, None, BOT]}}, {"format": HTML, "formatted_body": 7},
    {"format": 3, "formatted_body": "<a"}])  # fmt: skip
async def test_odd_content_does_no_harm(rig: Rig, odd: dict[str, Any]) -> None:
    assert (await rig.drawn("!draw a fox", **odd))["prompt"] == "a fox"
