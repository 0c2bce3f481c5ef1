"""``--expand``: what is asked of the worker, and what `!again` and `!info` make of a prompt that was written."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import MOD, ROOM, Rig
from room_pictures import RECORD, USED, reply

from otterbot import texts
from otterbot.config import DrawValues, LimitValues

WRITTEN = {"prompt": "otter, (hat)++", "model": "llama3.2:3b"}


def picture(rig: Rig, **used: Any) -> str:
    whole = {**USED, "prompt": "an old otter in a (hat)++, sunset", "expansion": WRITTEN, **used}
    record = {**RECORD, "asked": {"prompt": WRITTEN["prompt"], "expand": True}, "used": whole}
    return rig.homeserver.picture(ROOM, record)


def wishes(body: dict[str, Any]) -> list[Any]:
    return [body.get("expand"), *(layer.get("expand") for layer in body["layers"])]


async def test_it_is_asked_for_by_a_flag_the_room_or_the_instance(rig: Rig) -> None:
    assert wishes(await rig.drawn("!draw otter")) == [None]
    body = await rig.drawn("!draw otter --expand --count 4")
    assert (body["expand"], body["asked"]) == (True, {"prompt": "otter", "count": 4, "expand": True})
    rig.values(draw=DrawValues(expand=True))
    assert wishes(await rig.drawn("!draw otter")) == [None, True]
    assert await rig.answer("!settings expand off", sender=MOD) == texts.EXPAND_OFF
    assert wishes(await rig.drawn("!draw otter")) == [None, False, True]
    assert wishes(await rig.drawn("!draw otter —expand")) == [True, False, True]
    assert await rig.answer("!settings expand default", sender=MOD) == texts.EXPAND_ON
    assert wishes(await rig.drawn("!draw otter --verbatim")) == [False, True]


@pytest.mark.parametrize("typed", ["--expand --verbatim", "--verbatim --expand"])
async def test_both_are_refused(rig: Rig, typed: str) -> None:
    assert "expand" in await rig.answer(f"!draw otter {typed}")


async def test_again_repeats_what_was_written_and_expands_nothing(rig: Rig) -> None:
    rig.values(draw=DrawValues(expand=True))
    event = picture(rig)
    body = await rig.drawn("!again --seed same", **reply(event))
    assert (body["prompt"], body["expansion"], wishes(body)) == ("an old otter in a (hat)++, sunset", WRITTEN, [None])
    assert body["asked"]["prompt"] == "an old otter in a (hat)++, sunset"
    varied = await rig.drawn("!vary", **reply(event))
    assert (varied["prompt"], varied["expansion"]) == (body["prompt"], WRITTEN)
    larger = await rig.drawn("!upscale", **reply(event))
    assert (larger["prompt"], larger["expansion"]) == (body["prompt"], WRITTEN)


async def test_again_with_the_flag_expands_the_persons_words_anew(rig: Rig) -> None:
    body = await rig.drawn("!again --expand", **reply(picture(rig)))
    assert (body["prompt"], body["expand"], body.get("expansion")) == ("otter, (hat)++", True, None)


async def test_what_waits_is_expanded_as_it_was_asked(rig: Rig) -> None:
    await rig.say("!draw otter --expand")
    assert (await rig.drawn("!again"))["expand"] is True
    [*_, last] = rig.open
    await rig.services.store.submitted(
        last.key, "j", {**USED, "expand": False, "expansion": {**WRITTEN, "prompts": ["written"]}}
    )
    body = await rig.drawn("!again")
    assert (body["prompt"], body["expansion"], body.get("expand")) == ("written", WRITTEN, None)


async def test_a_written_prompt_may_be_longer_than_people_type_here(rig: Rig) -> None:
    rig.values(limits=LimitValues(prompt_length=10))
    assert (await rig.drawn("!again", **reply(picture(rig))))["prompt"].startswith("an old otter")


@pytest.mark.parametrize(
    "expansion", [None, "x", [], {}, {"prompt": 1, "model": "m"}, {"prompt": "a" * 5_000, "model": "m"},
                  {"prompt": "a", "model": "line\nfeed"}, {"prompt": "\ud800", "model": "m"}]
)  # fmt: skip
async def test_a_record_that_lies_is_nobodys_word(rig: Rig, expansion: Any) -> None:
    record = {**RECORD, "used": {**USED, "expansion": expansion}}
    body = await rig.drawn("!again", **reply(rig.homeserver.picture(ROOM, record)))
    assert (body["prompt"], body.get("expansion")) == ("otter", None)


async def test_info_and_caption_show_both_and_the_model(rig: Rig) -> None:
    said = await rig.answer("!info", **reply(picture(rig)))
    assert f"- Prompt: {texts.plain('an old otter in a (hat)++, sunset', 99)}\n" in said
    assert (
        f"- Expanded from: {texts.plain('otter, (hat)++', 99)}\n- Expanded by: {texts.plain('llama3.2:3b', 99)}\n"
        in said
    )
    assert "!draw an old otter in a (hat)++, sunset --no ugly" in said
    assert "--expand" not in said
    caption = texts.caption("written", {"used": {"expansion": {"prompt": "a @room *b*", "model": "m"}}})
    assert f"Written by m from: {texts.plain('a @room *b*', 99)}" in caption
    assert texts.caption("written", {"used": {"expansion": 7}}) == "written"


async def test_explain_says_what_will_be_added(rig: Rig) -> None:
    rig.worker.explained = {"prompt": {"fragments": [{"text": "otter", "weight": 1.0}]}}
    assert texts.EXPANDED_LATER in await rig.answer("!draw otter --explain --expand")
    assert texts.EXPANDED_LATER not in await rig.answer("!draw otter --explain")
