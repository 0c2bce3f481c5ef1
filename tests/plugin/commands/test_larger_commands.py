"""``--hires`` and ``!upscale``: what is typed, what is asked of the worker, and what again makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ALICE, BOB, ROOM, Rig
from reading import parse
from room_pictures import RECORD, URL, USED, image, reply

from otterbot import texts
from otterbot.commands.recorded_settings import read_settings
from otterbot.config import DrawValues
from otterbot.language.option_values import Hires

HIRES = {
    "scale": 2,
    "strength": "0.35",
    "steps": 20,
    "upscaler": "lanczos",
    "width": 1536,
    "height": 1536,
    "tile": [768, 768],
}
TWICE = {**RECORD, "used": {**USED, "hires": HIRES}}
LARGER = {
    "v": 1,
    "asked": {},
    "used": {**USED, "width": 1536, "height": 1536, "upscale": 2, "strength": "0.3", "init_image": "a" * 64,
             "tile": [768, 768]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2", {"scale": 2.0}), ("1,5", {"scale": 1.5}), ("2x", {"scale": 2.0}), ("x2,", {"scale": 2.0}),
        ("1", {"scale": 1.0}), ("4:1", {"scale": 4.0, "strength": 1.0}),
        ("2:lanczos", {"scale": 2.0, "upscaler": "lanczos"}),
        ("1.5:.4:Latent", {"scale": 1.5, "strength": 0.4, "upscaler": "latent"}),
    ],
)  # fmt: skip
def test_second_passes(typed: str, expected: dict[str, Any]) -> None:
    intent = parse(f"!draw otter --hires {typed} --steps 3", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert intent.options.hires == Hires(**expected)
    assert intent.options.asked()["hires"] == expected


@pytest.mark.parametrize(
    "typed", ["0.9", "4.1", "0", "-2", "two", "2:0", "2:1.1", "2:esrgan", "2:0.5:0.5", "2:lanczos:0.5", "2:", ":0.5",
              "2:0.5:latent:1", "9" * 400, "nan", ""]
)  # fmt: skip
def test_no_second_passes(typed: str) -> None:
    intent = parse(f"!draw otter --hires {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is not None
    if typed:
        sentence = texts.usage_problem(intent.problem, "!")
        assert "from 1 to 4" in sentence or "above 0 and up to 1" in sentence


def test_prose_after_a_dash_is_none() -> None:
    intent = parse("!draw an otter —hi there", prefix="!")
    assert intent is not None
    assert (intent.problem, intent.options.prompt) == (None, "an otter —hi there")


async def test_draw_and_again_with_a_second_pass(rig: Rig) -> None:
    body = await rig.drawn("!draw otter --hires 2:0.5")
    assert body["hires"] == body["asked"]["hires"] == {"scale": 2.0, "strength": 0.5}
    assert "hires" not in await rig.drawn("!draw badger")
    event = rig.homeserver.picture(ROOM, TWICE)
    body = await rig.drawn("!again --seed same", **reply(event))
    assert body["hires"] == {"scale": 2.0, "strength": 0.35, "steps": 20, "upscaler": "lanczos"}
    assert (body["width"], body["height"], body["seed"]) == (768, 768, 7)
    body = await rig.drawn("!again --hires 3", **reply(event))
    assert body["hires"] == {"scale": 3.0}


@pytest.mark.parametrize(
    "hires",
    [7, [], {"scale": 9}, {"scale": True}, {"scale": "x"}, {"scale": 2, "strength": 2}, {"scale": 2, "steps": 999},
     {"scale": 2, "upscaler": ["latent"]}, {"strength": 0.5}],
)  # fmt: skip
def test_a_record_that_lies_is_not_believed(hires: Any) -> None:
    assert read_settings({**USED, "hires": hires}) is None


# ---------------------------------------------------------------- upscale


async def test_a_picture_of_ours_has_its_own_words_and_settings(rig: Rig) -> None:
    assert "no picture of mine" in await rig.answer("!upscale")
    event = rig.homeserver.picture(ROOM, RECORD)
    for relation in ({}, reply(event)):
        body = await rig.drawn("!upscale", sender=BOB, **relation)
        assert (body["upscale"], body["init_image"]) == (2, {"event": event})
        assert (body["prompt"], body["negative_prompt"], body["steps"], body["model"]) == (
            "otter",
            "ugly",
            30,
            "ssd-1b",
        )
        assert body["seed"] != 7
        assert not {"width", "height", "aspect", "strength", "hires", "variation"} & set(body)
        assert body["count"] == 1
        assert "upscale" not in body["asked"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("4", {"upscale": 4}),
        ("x4 --strength 0.4", {"upscale": 4, "strength": 0.4}),
        ("2x --seed same", {"upscale": 2, "seed": 7}),
        ("--seed 5 --steps 9", {"upscale": 2, "seed": 5, "steps": 9}),
        ("--model sdxl-turbo", {"model": "sdxl-turbo", "prompt": "otter"}),
    ],
)
async def test_upscale_with_changes(rig: Rig, typed: str, expected: dict[str, Any]) -> None:
    event = rig.homeserver.picture(ROOM, RECORD)
    body = await rig.drawn(f"!upscale {typed}", **reply(event))
    assert {name: body[name] for name in expected} == expected
    assert ("steps" in body) is ("--model" not in typed), "another model has its own"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("3", "2 or 4 times as large"), ("0", "2 or 4 times as large"), ("99999999", "2 or 4 times as large"),
        ("otter", "takes only how many times"), ("2 4", "takes only how many times"), ("--size 512", "`--size` has no"),
        ("--ar 3:2", "`--ar` has no place"), ("--hires 2", "`--hires` has no"), ("--inpaint", "`--inpaint` has no"),
        ("--control canny", "`--control` has no place"), ("--variation 0.2", "`--variation` has no place"),
        ("--nonsense", "do not know the flag"),
    ],
)  # fmt: skip
async def test_what_upscale_does_not_take(rig: Rig, typed: str, said: str) -> None:
    event = rig.homeserver.picture(ROOM, RECORD)
    assert said in await rig.answer(f"!upscale {typed}", **reply(event))


async def test_anybodys_picture_is_drawn_without_words(rig: Rig) -> None:
    rig.homeserver.picture(ROOM, RECORD)
    theirs = image(rig)
    for body in (
        await rig.drawn("!upscale", **reply(theirs)),
        await rig.drawn("!upscale 2", msgtype="m.image", filename="a.png", url=URL, info={"mimetype": "image/png"}),
    ):
        assert (body["prompt"], body["upscale"]) == ("", 2)
        assert not {"model", "steps", "sampler"} & set(body)
        assert body["init_image"]["event"]
    assert (await rig.drawn("!upscale", **reply(theirs)))["init_image"] == {"event": theirs}


async def test_what_is_no_picture_is_said(rig: Rig) -> None:
    rig.homeserver.picture(ROOM, RECORD)
    words = str(rig.homeserver.add(ROOM, ALICE, "m.room.message", {"msgtype": "m.text", "body": "hi"})["event_id"])
    assert "no picture that I could make larger" in await rig.answer("!upscale", **reply(words))
    video = image(rig, msgtype="m.video", info={"mimetype": "video/mp4"})
    assert "that is none" in await rig.answer("!upscale", **reply(video))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("!vary", "reply to the picture that it was made from"),
        ("!vary 0.4 --count 2", "reply to the picture that it was made from"),
        ("!again --variation 0.2", "`--variation` has no place there"),
        ("!again --hires 2", "`--hires` has no place there"),
        ("!again --size 512", "`--size` has no place there"),
        ("!again --portrait", "`--ar` has no place there"),
    ],
)
async def test_an_upscaled_picture_is_that_picture(rig: Rig, typed: str, said: str) -> None:
    event = rig.homeserver.picture(ROOM, LARGER, start="$small")
    assert said in await rig.answer(typed, **reply(event))


async def test_again_upscales_the_same_picture(rig: Rig) -> None:
    event = rig.homeserver.picture(ROOM, {**LARGER, "used": {**LARGER["used"], "prompt": ""}}, start="$small")
    body = await rig.drawn("!again", **reply(event))
    assert (body["upscale"], body["init_image"], body["strength"], body["prompt"]) == (2, {"event": "$small"}, 0.3, "")
    assert not {"width", "height"} & set(body)
    larger = await rig.drawn("!upscale", **reply(event))
    assert larger["init_image"] == {"event": event}, "twice as large once more"
    assert "strength" not in larger


def test_a_caption_says_what_became_of_it() -> None:
    assert "768×768 · drawn again at 1536×1536 · 3 s" in texts.caption("otter", TWICE)
    assert texts.caption("", {**LARGER, "took": 3}).endswith("1536×1536 · upscaled 2× · 3 s")
    assert not texts.caption("", LARGER).startswith("\n")


async def test_in_a_thread_on_a_picture(rig: Rig) -> None:
    photo, last = image(rig), rig.homeserver.picture(ROOM, RECORD)
    relation = {
        "rel_type": "m.thread",
        "event_id": photo,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": photo},
    }
    body = await rig.drawn("!upscale", **{"m.relates_to": relation})
    assert body["init_image"] == {"event": photo}
    words = {**relation, "event_id": rig.homeserver.say(ROOM, BOB, "hello")["event_id"]}
    assert (await rig.drawn("!upscale", **{"m.relates_to": words}))["init_image"] == {"event": last}
    replies = {**relation, "is_falling_back": False, "m.in_reply_to": {"event_id": last}}
    assert (await rig.drawn("!upscale", **{"m.relates_to": replies}))["init_image"] == {"event": last}


async def test_again_of_what_the_worker_has_and_has_not_drawn(rig: Rig) -> None:
    """From the request as it was resolved; the instance may be used to something else by then."""
    photo = image(rig)
    for command in ("!upscale", "!draw otter --control canny:0.7"):
        rig.values(draw=DrawValues(steps=9))
        await rig.drawn(command, **reply(photo))
        upscaled = command == "!upscale"
        picture = {"id": "a" * 64, "width": 96, "height": 64}
        control = {**picture, "kind": "canny", "scale": 0.7, "start": 0.0, "end": 1.0, "name": "n", "hash": None,
                   "hub": None}  # fmt: skip
        resolved = {
            "v": 1, "prompt": "" if upscaled else "otter", "negative_prompt": "fog", "model": "ssd-1b", "steps": 12,
            "guidance_scale": 7.5, "width": 192, "height": 128, "canvas": None, "sampler": "UniPC", "seed": 7,
            "variation": None, "count": 1, "init_image": picture if upscaled else None,
            "strength": 0.3 if upscaled else None, "mask": None, "control": None if upscaled else control,
            "hires": None, "upscale": {"factor": 2, "tile": [96, 64]} if upscaled else None, "notes": ["Said."],
        }  # fmt: skip
        await rig.services.store.submitted(rig.open[-1].key, "job", resolved)
        rig.values(draw=DrawValues(steps=50))
        body = await rig.drawn("!again --seed same")
        assert (body["steps"], body["guidance_scale"], body["negative_prompt"], body["seed"]) == (12, 7.5, "fog", 7)
        assert (body["model"], body["layers"]) == ("ssd-1b", [])
        if upscaled:
            assert (body["upscale"], body["init_image"], body["strength"]) == (2, {"event": photo}, 0.3)
            assert not {"width", "height"} & set(body)
        else:
            assert body["control"] == {"event": photo, "kind": "canny", "scale": 0.7}
            assert (body["width"], body["height"]) == (192, 128)
