"""``!draw`` from a picture, ``!again`` of what was drawn from one, and everything that is no picture."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ALICE, BOB, ROOM, Rig
from reading import parse
from room_pictures import FROM_ONE, RECORD, URL, USED, image, reply

from otterbot import texts
from otterbot.commands.recorded_settings import read_settings
from otterbot.language.option_values import Control
from otterbot.language.options import DrawOptions
from otterbot.matrix.event_content import canonical

KEYS = {"v": "v2", "key": {"k": "a" * 43, "alg": "A256CTR"}, "iv": "b" * 22, "hashes": {"sha256": "c" * 43}, "url": URL}


# ---------------------------------------------------------------- the flag


@pytest.mark.parametrize(
    ("typed", "strength"), [("0.6", 0.6), ("0,6", 0.6), ("1", 1.0), (".05", 0.05), ("0.94,", 0.94), ("+0.5", 0.5)]
)
def test_strengths(typed: str, strength: float) -> None:
    intent = parse(f"!draw otter --strength {typed} --steps 3", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert intent.options.strength == strength
    assert intent.options.asked()["strength"] == strength


@pytest.mark.parametrize("typed", ["0", "0.0", "-0.5", "1.01", "2", "60%", "nan", "inf", "much", "1e-3", "9" * 400, ""])
def test_no_strengths(typed: str) -> None:
    intent = parse(f"!draw otter --strength {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is not None
    sentence = texts.usage_problem(intent.problem, "!")
    assert "above 0 and up to 1" in sentence
    assert "`--strength 0.6`" in sentence


def test_a_strength_twice_and_misspelt() -> None:
    twice = parse("!draw otter --strength 0.5 --strength 0.6", prefix="!")
    assert twice is not None
    assert twice.problem is not None
    assert twice.problem.code == "twice"
    meant = parse("!draw otter --denoise 0.5", prefix="!")
    assert meant is not None
    assert meant.problem is not None
    assert meant.problem.near == ("strength",)


async def test_a_strength_without_a_picture(rig: Rig) -> None:
    said = rig.homeserver.say(ROOM, BOB, "a fine day")["event_id"]
    for relation in ({}, reply(said)):
        assert await rig.answer("!draw otter --strength 0.5", **relation) == texts.strength_needs_a_picture("!")
    rig.homeserver.picture(ROOM, RECORD)
    assert await rig.answer("!again --strength 0.5") == texts.strength_needs_a_picture("!")


# ---------------------------------------------------------------- draw


async def test_a_reply_to_a_picture_starts_from_it(rig: Rig) -> None:
    event = image(rig)
    body = await rig.drawn("!draw otter", **reply(event))
    assert body["init_image"] == {"event": event}
    assert not {"strength", "width"} & set(body), "the usual, and its own shape, which the worker knows"
    assert body["asked"] == {"prompt": "otter"}
    body = await rig.drawn("!draw otter --strength 0.3 --size 512x768", **reply(event))
    assert (body["strength"], body["width"], body["height"]) == (0.3, 512, 768)
    assert body["asked"]["strength"] == 0.3


async def test_the_instances_size_is_not_the_pictures(rig: Rig) -> None:
    """It goes as a default, which a picture's shape takes the place of."""
    from otterbot.config import DrawValues

    rig.values(draw=DrawValues(size=(512, 512)))
    for body in (await rig.drawn("!draw otter", **reply(image(rig))), await rig.drawn("!draw otter")):
        assert "width" not in body
        assert body["layers"] == [{"layer": "instance", "size": [512, 512]}]


PICTURES: dict[str, dict[str, Any]] = {
    "without info": {"info": None},
    "of no size": {"info": {"mimetype": "image/jpeg", "size": "large"}},
    "encrypted": {"url": None, "file": KEYS},
    "a gif": {"info": {"mimetype": "image/gif"}},
    "sent as a file": {"msgtype": "m.file", "info": {"mimetype": "image/webp"}},
}


@pytest.mark.parametrize("case", PICTURES)
async def test_these_are_pictures(rig: Rig, case: str) -> None:
    event = image(rig, **PICTURES[case])
    assert (await rig.drawn("!draw otter", **reply(event)))["init_image"] == {"event": event}


async def test_a_sticker_and_a_picture_of_ours(rig: Rig) -> None:
    sticker = rig.homeserver.add(ROOM, BOB, "m.sticker", {"body": "otter", "url": URL, "info": {}})["event_id"]
    for event in (sticker, rig.homeserver.picture(ROOM, RECORD)):
        assert (await rig.drawn("!draw otter", **reply(event)))["init_image"] == {"event": event}


NONE: dict[str, tuple[dict[str, Any], str]] = {
    "too large": ({"info": {"mimetype": "image/png", "size": 20_000_001}}, texts.start_too_large(20_000_000)),
    "a drawing in letters": ({"info": {"mimetype": "image/svg+xml"}}, texts.START_NO_PICTURE),
    "a film": ({"msgtype": "m.video"}, texts.START_NO_PICTURE),
    "a sound": ({"msgtype": "m.audio"}, texts.START_NO_PICTURE),
    "a file": ({"msgtype": "m.file", "info": {"mimetype": "application/pdf"}}, texts.START_NO_PICTURE),
    "a file of no kind": ({"msgtype": "m.file", "info": {}}, texts.START_NO_PICTURE),
    "nowhere": ({"url": None}, texts.START_UNREADABLE),
    "somewhere else": ({"url": "http://169.254.169.254/latest"}, texts.START_UNREADABLE),
    "out of bounds": ({"url": "mxc://test/../../../client/v3/sync"}, texts.START_UNREADABLE),
    "without a key": ({"file": {"url": URL}}, texts.START_UNREADABLE),
    "with half a key": ({"file": {**KEYS, "hashes": {}}}, texts.START_UNREADABLE),
    "with a strange key": ({"file": {**KEYS, "iv": 7}}, texts.START_UNREADABLE),
}


@pytest.mark.parametrize("case", NONE)
@pytest.mark.parametrize("caption", [False, True], ids=["reply", "caption"])
async def test_these_are_none(rig: Rig, case: str, caption: bool) -> None:
    content, sentence = NONE[case]
    if not caption:
        assert await rig.answer("!draw otter", **reply(image(rig, **content))) == sentence
        return
    whole = {"msgtype": "m.image", "filename": "cat.png", "url": URL, "info": {"mimetype": "image/png"}, **content}
    assert await rig.answer("!draw otter", **whole) == sentence


async def test_a_deleted_one_and_an_unknown_one(rig: Rig) -> None:
    gone = rig.homeserver.add(ROOM, BOB, "m.room.message", {})
    gone["unsigned"] = {"redacted_because": {"type": "m.room.redaction"}}
    assert await rig.answer("!draw otter", **reply(gone["event_id"])) == texts.START_DELETED
    gone["type"] = "m.room.encrypted"
    assert await rig.answer("!draw otter", **reply(gone["event_id"])) == texts.START_DELETED
    assert await rig.answer("!draw otter", **reply("$unknown")) == texts.START_UNREADABLE
    rig.homeserver.broken = True
    assert await rig.answer("!draw otter", **reply(image(rig))) == texts.START_AWAY


async def test_a_reply_to_words_is_an_ordinary_draw(rig: Rig) -> None:
    said = rig.homeserver.say(ROOM, BOB, "how about an otter?")["event_id"]
    body = await rig.drawn("!draw otter", **reply(said))
    assert "init_image" not in body
    assert "strength" not in body


async def test_the_caption_wins_over_the_reply(rig: Rig) -> None:
    body = await rig.drawn("!draw otter", msgtype="m.image", filename="a.png", url=URL, **reply(image(rig)))
    assert body["init_image"] == {"event": rig.open[-1].event_id}


async def test_a_thread_on_a_picture_is_about_it(rig: Rig) -> None:
    root, other = image(rig), image(rig)
    thread = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
    falls_back = {**thread, "m.in_reply_to": {"event_id": other}}
    assert (await rig.drawn("!draw otter", **{"m.relates_to": falls_back}))["init_image"] == {"event": root}
    replies = {**falls_back, "is_falling_back": False}
    assert (await rig.drawn("!draw otter", **{"m.relates_to": replies}))["init_image"] == {"event": other}
    assert (await rig.drawn("!draw otter", **{"m.relates_to": thread}))["init_image"] == {"event": root}


@pytest.mark.parametrize("kind", ["words", "video", "deleted", "unknown"])
async def test_a_thread_on_something_else_is_a_thread(rig: Rig, kind: str) -> None:
    event = rig.homeserver.say(ROOM, BOB, "hello")
    if kind == "video":
        event["content"] = {"msgtype": "m.video", "body": "a.mp4", "url": URL, "info": {"mimetype": "video/mp4"}}
    if kind == "deleted":
        event["unsigned"] = {"redacted_because": {}}
    root = "$unknown" if kind == "unknown" else event["event_id"]
    relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
    assert "init_image" not in await rig.drawn("!draw otter", **{"m.relates_to": relation})
    said = [texts.THREAD_NOT_USED] if kind in ("deleted", "unknown") else []
    assert list(rig.open[-1].notes) == said


# ---------------------------------------------------------------- only a part of it


async def test_inpaint(rig: Rig) -> None:
    assert await rig.answer("!draw otter --inpaint") == texts.inpaint_needs_a_picture("!")
    start = image(rig)
    body = await rig.drawn("!draw otter —inpaint in a hat", **reply(start))
    assert (body["init_image"], body["mask"], body["prompt"]) == ({"event": start}, {"event": start}, "otter in a hat")
    assert "strength" not in body, "the worker's: all of it"
    assert body["asked"] == {"prompt": "otter in a hat"}
    body = await rig.drawn("!draw otter --inpaint --strength 0.5", **reply(start))
    assert body["strength"] == 0.5
    assert "mask" not in await rig.drawn("!draw otter", **reply(start))
    meant = parse("!draw otter --mask", prefix="!")
    assert meant is not None
    assert meant.problem is not None
    assert meant.problem.near == ("inpaint",)


async def test_again_draws_the_same_part_anew(rig: Rig) -> None:
    start = image(rig)
    used = {**FROM_ONE["used"], "mask": "f" * 64, "strength": "1.0"}
    drawn = rig.homeserver.picture(ROOM, {**FROM_ONE, "used": used}, start=start)
    for typed in ("", " --model sdxl-turbo --steps 4"):
        body = await rig.drawn(f"!again{typed}", **reply(drawn))
        assert (body["init_image"], body["mask"], body["strength"]) == ({"event": start}, {"event": start}, 1.0)
    body = await rig.drawn("!again")  # of the one that waits
    assert (body["mask"], body["init_image"]) == ({"event": start}, {"event": start})
    bare = rig.homeserver.picture(ROOM, RECORD)
    assert await rig.answer("!again --inpaint", sender=BOB, **reply(bare)) == texts.inpaint_needs_a_picture("!")


async def test_again_leaves_the_size_as_it_was(rig: Rig) -> None:
    """Only the worker knows whether it is that of a picture that stays in part, which is not rounded."""
    start = image(rig)
    used = {**FROM_ONE["used"], "mask": "f" * 64, "strength": 1, "width": 750, "height": 501}
    drawn = rig.homeserver.picture(ROOM, {**FROM_ONE, "used": used}, start=start)
    outcome = await rig.say("!again", **reply(drawn))
    assert outcome is not None
    assert outcome.request is not None
    body = outcome.request.body or {}
    assert (body["width"], body["height"], outcome.request.notes) == (750, 501, ())
    body = await rig.drawn("!again --size 1533x1501", **reply(drawn))
    assert (body["width"], body["height"], body["mask"]) == (1533, 1501, {"event": start})


@pytest.mark.parametrize("strength", [0.00005, 1e-19, 1.7e-07, 0.3, 0.1 + 0.2, 1.0])
@pytest.mark.parametrize("written", [canonical, repr])
async def test_again_reads_each_strength_that_can_be_typed(rig: Rig, strength: float, written: Any) -> None:
    """Also as it was written once, ``5e-05``."""
    start = image(rig)
    used = {**FROM_ONE["used"], "strength": written(strength)}
    drawn = rig.homeserver.picture(ROOM, {**FROM_ONE, "used": used}, start=start)
    assert (await rig.drawn("!again", **reply(drawn)))["strength"] == strength


def test_events_hold_no_exponents() -> None:
    assert canonical({"a": [5e-05, 4.5, 2.0, 1e-19]}) == {"a": ["0.00005", "4.5", 2, "0.0000000000000000001"]}


# ---------------------------------------------------------------- steered by it


@pytest.mark.parametrize(
    ("typed", "kind", "scale"),
    [("canny", "canny", None), ("canny:0.7", "canny", 0.7), ("canny:0,5", "canny", 0.5),
     ("my-depth:2", "my-depth", 2.0), ('"my net:0"', "my net", 0.0), ("a:b:1", "a:b", 1.0)],
)  # fmt: skip
def test_controls(typed: str, kind: str, scale: float | None) -> None:
    intent = parse(f"!draw otter --control {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert intent.options.control == Control(kind=kind, scale=scale)
    assert intent.options.asked() == {"prompt": "otter"}, "the worker's options do not know it"


@pytest.mark.parametrize(
    "typed", ["canny:2.1", "canny:-1", "canny:much", "canny:", ":1", "", "x" * 101, "canny:" + "9" * 99]
)
def test_no_controls(typed: str) -> None:
    intent = parse(f"!draw otter --control {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is not None
    assert "`--control canny:0.7`" in texts.usage_problem(intent.problem, "!")


@pytest.mark.parametrize("prose", ["an otter —in the dark", "an otter —con amore", "an otter —co"])
def test_words_after_a_dash_are_no_flags(prose: str) -> None:
    intent = parse(f"!draw {prose}", prefix="!")
    assert intent is not None
    assert intent.problem is None or intent.problem.near == ("count",)


async def test_control(rig: Rig) -> None:
    assert await rig.answer("!draw otter --control canny") == texts.control_needs_a_picture("!")
    start = image(rig)
    body = await rig.drawn("!draw otter —control canny:0.7 in a hat", **reply(start))
    assert (body["control"], body["prompt"]) == ({"event": start, "kind": "canny", "scale": 0.7}, "otter in a hat")
    assert not {"init_image", "strength", "mask", "width", "height"} & set(body)
    assert (await rig.drawn("!draw otter --control canny", **reply(start)))["control"] == {
        "event": start,
        "kind": "canny",
    }
    for flag, more in (("strength", "--strength 0.5"), ("inpaint", "--inpaint")):
        said = await rig.answer(f"!draw otter --control canny {more}", **reply(start))
        assert said == texts.control_is_no_start(flag)
    for word in ("canny", "controlnet"):
        meant = parse(f"!draw otter --{word} 1", prefix="!")
        assert meant is not None
        assert meant.problem is not None
        assert meant.problem.near == ("control",)


async def test_again_is_steered_by_the_same_picture(rig: Rig) -> None:
    start = image(rig)
    control = {"kind": "canny", "name": "n", "hash": "0" * 16, "id": "f" * 64, "scale": "0.7", "start": 0, "end": 1}
    record = {**RECORD, "used": {**USED, "control": control}}
    drawn = rig.homeserver.picture(ROOM, record, start=start)
    wanted = {"event": start, "kind": "canny", "scale": 0.7}
    for typed in ("", " --model sdxl-turbo --steps 4"):
        body = await rig.drawn(f"!again{typed}", **reply(drawn))
        assert (body["control"], "init_image" in body) == (wanted, False)
    assert (await rig.drawn("!again"))["control"] == wanted, "of the one that waits"
    assert (await rig.drawn("!again --control canny:1.5", **reply(drawn)))["control"]["scale"] == 1.5
    said = await rig.answer("!again --strength 0.5", **reply(drawn))
    assert said == texts.control_is_no_start("strength")
    lost = rig.homeserver.picture(ROOM, record)
    assert await rig.answer("!again", **reply(lost)) == texts.start_lost("!")
    bare = rig.homeserver.picture(ROOM, RECORD)
    assert await rig.answer("!again --control canny", **reply(bare)) == texts.control_needs_a_picture("!")


async def test_what_a_picture_began_with_can_steer_it_instead(rig: Rig) -> None:
    start = image(rig)
    body = await rig.drawn("!again --control canny", **reply(rig.homeserver.picture(ROOM, FROM_ONE, start=start)))
    assert body["control"] == {"event": start, "kind": "canny"}
    assert not {"init_image", "strength"} & set(body)


@pytest.mark.parametrize("control", [7, "canny", {}, {"kind": 7}, {"kind": ""}, {"kind": "a", "scale": 3},
                                     {"kind": "a", "scale": True}, {"kind": "a", "scale": "nan"}])  # fmt: skip
def test_controls_that_nobody_typed(control: Any) -> None:
    assert read_settings({"prompt": "x", "control": control}) is None


def test_a_caption_says_what_steered() -> None:
    for scale, said in ((0.7, " 0.7"), (1, ""), (None, ""), ("x", "")):
        control = {"kind": "canny", "scale": scale}
        assert f"CFG 12 · steered by canny{said} · UniPC" in texts.summary({"used": {**USED, "control": control}})


# ---------------------------------------------------------------- again


async def test_again_starts_from_the_same_picture(rig: Rig) -> None:
    start = image(rig)
    drawn = rig.homeserver.picture(ROOM, FROM_ONE, start=start)
    body = await rig.drawn("!again --seed same", **reply(drawn))
    assert (body["init_image"], body["strength"], body["seed"]) == ({"event": start}, 0.35, 7)
    assert (body["width"], body["height"]) == (768, 768)
    body = await rig.drawn("!again --strength 0.9")
    assert (body["init_image"], body["strength"]) == ({"event": start}, 0.9)
    body = await rig.drawn("!again --model sdxl-turbo --steps 4", **reply(drawn))
    assert (body["init_image"], body["strength"]) == ({"event": start}, 0.35)
    assert "width" not in body


async def test_again_while_it_waits(rig: Rig) -> None:
    start = image(rig)
    await rig.drawn("!draw otter --strength 0.25", **reply(start))
    body = await rig.drawn("!again")
    assert (body["init_image"], body["strength"]) == ({"event": start}, 0.25)


@pytest.mark.parametrize("more", [{}, {"start": 7}, {"start": "not an id"}, {"start": "$\n"}])
async def test_a_record_that_does_not_say_from_which(rig: Rig, more: dict[str, Any]) -> None:
    drawn = rig.homeserver.picture(ROOM, FROM_ONE, **more)
    assert await rig.answer("!again", **reply(drawn)) == texts.start_lost("!")


async def test_only_our_own_records_name_a_picture(rig: Rig) -> None:
    forged = rig.homeserver.picture(ROOM, FROM_ONE, sender=ALICE, start=image(rig))
    assert await rig.answer("!again", **reply(forged)) == texts.start_lost("!")


@pytest.mark.parametrize("strength", [0, 0.0, "0.0", -1, 1.5, "1.5", True, "nan", [], {}])
def test_strengths_that_nobody_typed(strength: Any) -> None:
    assert read_settings({"prompt": "x", "strength": strength}) is None


def test_strengths_in_events() -> None:
    for strength in ("0.6", 0.6):
        assert read_settings({"strength": strength}) == DrawOptions(strength=0.6)
    assert read_settings({"strength": 1}) == DrawOptions(strength=1.0)


def test_a_caption_says_the_strength() -> None:
    assert "CFG 12 · strength 0.35 · UniPC" in texts.summary({"used": {**USED, "strength": 0.35}})
