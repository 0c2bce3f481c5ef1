"""Structured prompts: what is asked of the worker, what `!again` changes, what `!info` and ``--explain`` say."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ROOM, Rig
from room_pictures import RECORD, USED, reply

from otterbot import texts
from otterbot.inbox.edits import _line_for
from otterbot.store.rows import Request

KEYS = {"theme": "holiday", "subject": ["otter", "fox"], "outfit": "(cowboy hat)++", "style": "oil", "negative": "text"}
SENTENCE = "otter, fox, (cowboy hat)++, oil"
WRITTEN = {"prompt": SENTENCE, "model": "llama3.2:3b"}


def picture(rig: Rig, **used: Any) -> dict[str, Any]:
    whole = {**USED, "prompt": SENTENCE, "negative_prompt": "text", "structure": KEYS, **used}
    record = {**RECORD, "asked": {"prompt": SENTENCE, "negative_prompt": "text"}, "used": whole}
    return reply(rig.homeserver.picture(ROOM, record))


async def test_the_keys_are_sent_beside_the_sentence(rig: Rig) -> None:
    body = await rig.drawn("!draw an otter\nstyle: oil\nnegative: text\ntheme: holiday\nsteps: 30")
    assert body["structure"] == {"theme": "holiday", "subject": "an otter", "style": "oil", "negative": "text"}
    assert (body["prompt"], body["negative_prompt"], body["steps"]) == ("an otter, oil", "text", 30)
    assert body["asked"] == {"prompt": "an otter, oil", "negative_prompt": "text", "steps": 30}
    assert "structure" not in await rig.drawn("!draw portrait: an otter")


async def test_the_words_are_held_to_the_length_of_a_prompt(rig: Rig) -> None:
    said = await rig.answer("!draw subject: " + "x" * 3_000 + "\nstyle: " + "y" * 3_000)
    assert said == texts.prompt_too_long(6_002, 4_000)


async def test_again_repeats_them(rig: Rig) -> None:
    for typed in ("!again", "!again --seed same", "!again --model sdxl-turbo", "!vary"):
        body = await rig.drawn(typed, **picture(rig))
        assert (body["structure"], body["prompt"], body["negative_prompt"]) == (KEYS, SENTENCE, "text")
    larger = await rig.drawn("!upscale", **picture(rig))
    assert (larger["structure"], larger["prompt"]) == (KEYS, SENTENCE)
    body = await rig.drawn("!again --no blurry", **picture(rig))
    assert (body["structure"], body["negative_prompt"]) == ({**KEYS, "negative": "blurry"}, "blurry")


async def test_again_changes_single_keys_and_keeps_the_seed(rig: Rig) -> None:
    body = await rig.drawn("!again style: pointillism", **picture(rig))
    assert body["structure"] == {**KEYS, "style": "pointillism"}
    assert (body["prompt"], body["seed"]) == ("otter, fox, (cowboy hat)++, pointillism", USED["seed"])
    body = await rig.drawn("!again subject: a bear\noutfit:\nnegative: blurry\nsteps: 5 --seed 3", **picture(rig))
    assert body["structure"] == {"theme": "holiday", "subject": "a bear", "style": "oil", "negative": "blurry"}
    assert (body["prompt"], body["negative_prompt"], body["steps"], body["seed"]) == ("a bear, oil", "blurry", 5, 3)
    body = await rig.drawn("!again negative:", **picture(rig))
    assert "negative_prompt" not in body
    assert "negative" not in body["structure"]
    said = await rig.answer("!again subject:\noutfit:\nstyle:", **picture(rig))
    assert said == texts.no_words_left("!")


async def test_a_picture_without_keys_has_none_to_change(rig: Rig) -> None:
    where = picture(rig, structure=None)
    assert await rig.answer("!again style: pointillism", **where) == texts.no_keys("style", "!")
    assert (await rig.drawn("!again steps: 5", **where))["steps"] == 5
    assert "emotions" in await rig.answer("!again mood: happy", **where)


async def test_words_are_taken_out_of_the_keys_where_they_stand(rig: Rig) -> None:
    body = await rig.drawn("!again -cowboy hat -otter +red scarf +boots", **picture(rig))
    assert body["structure"] == {
        "theme": "holiday", "subject": ["fox", "red scarf", "boots"], "style": "oil", "negative": "text",
    }  # fmt: skip
    assert (body["prompt"], body["seed"]) == ("fox, red scarf, boots, oil", USED["seed"])
    assert await rig.answer("!again -text -fox", **picture(rig)) == texts.words_not_found(["text"], "!")
    body = await rig.drawn("!again style: soft +scarf -fox", **picture(rig))
    assert body["structure"] == {**KEYS, "subject": ["otter", "scarf"], "style": "soft"}
    body = await rig.drawn("!again --prompt a bear", **picture(rig))
    assert (body["prompt"], body.get("structure"), body["negative_prompt"]) == ("a bear", None, "text")


async def test_of_a_written_prompt_the_keys_change_with_the_words(rig: Rig) -> None:
    drawn = "an otter and a fox in a (cowboy hat)++, oil, sunset"
    where = picture(rig, prompt=drawn, expansion=WRITTEN)
    body = await rig.drawn("!again", **where)
    assert (body["prompt"], body["structure"], body["expansion"]) == (drawn, KEYS, WRITTEN)
    body = await rig.drawn("!again -sunset -fox +scarf", **where)
    assert body["prompt"] == "an otter and a in a (cowboy hat)++, oil, scarf"
    assert body["structure"] == {**KEYS, "subject": ["otter", "scarf"]}
    assert body["expansion"]["prompt"] == "otter, scarf, (cowboy hat)++, oil"
    outcome = await rig.say("!again style: soft", **where)
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.body is not None
    assert (outcome.request.body["prompt"], outcome.request.body.get("expansion")) == (
        "otter, fox, (cowboy hat)++, soft", None,
    )  # fmt: skip
    assert texts.WRITTEN_LEFT_OUT in outcome.request.notes
    anew = await rig.drawn("!again style: soft --expand", **where)
    assert (anew["prompt"], anew["expand"]) == ("otter, fox, (cowboy hat)++, soft", True)


async def test_keys_that_were_drawn_by_chance(rig: Rig) -> None:
    keys = {"subject": "otter", "outfit": "{red|green} hat", "negative": "{text|blur}"}
    chance = {"prompt": "otter, {red|green} hat", "negative_prompt": "{text|blur}"}
    where = picture(rig, prompt="otter, green hat", negative_prompt="blur", structure=keys, chance=chance)
    anew = await rig.drawn("!again", **where)
    assert (anew["prompt"], anew["structure"], anew.get("chance")) == (chance["prompt"], keys, None)
    same = await rig.drawn("!again --seed same", **where)
    assert (same["prompt"], same["structure"], same["chance"]) == ("otter, green hat", keys, chance)
    changed = await rig.drawn("!again outfit: {red|green} scarf\nnegative: dust", **where)
    assert (changed["prompt"], changed["negative_prompt"]) == ("otter, {red|green} scarf", "dust")
    assert (changed["seed"], changed.get("chance")) == (USED["seed"], None)
    changed = await rig.drawn("!again -red", **where)
    assert (changed["prompt"], changed["structure"]["outfit"]) == ("otter, green hat", "green hat")


async def test_what_waits_counts_as_drawn(rig: Rig) -> None:
    await rig.say("!draw subject: otter\nstyle: oil --seed 4")
    body = await rig.drawn("!again style: soft")
    assert (body["structure"], body["seed"]) == ({"subject": "otter", "style": "soft"}, 4)


@pytest.mark.parametrize("structure", [7, {"subject": 7}, {"subject": "x" * 5_000}, {}, {"theme": "x"}])
async def test_a_record_that_lies_is_not_believed(rig: Rig, structure: Any) -> None:
    assert await rig.answer("!again", **picture(rig, structure=structure)) == texts.record_unusable("!")


async def test_explain_shows_the_sentence(rig: Rig) -> None:
    rig.worker.explained = {"prompt": {"fragments": [{"text": "otter, *oil*", "weight": 1.0}]}}
    said = await rig.answer("!draw subject: otter\nstyle: '*oil*' --explain")
    assert said.startswith(texts.structure_became("otter, *oil*"))
    assert r"> otter\, \*oil\*" in said
    assert "sentence" not in await rig.answer("!draw otter --explain")


async def test_info_gives_lines_that_can_be_typed(rig: Rig) -> None:
    said = await rig.answer("!info", **picture(rig))
    assert "Keys: theme\\, subject\\, outfit\\, style\\, negative" in said
    line = said.split("```")[1].strip()
    assert line.startswith("!draw --steps 30")
    assert 'subject:\n- otter\n- fox\noutfit: "(cowboy hat)++"\nstyle: oil\nnegative: text' in line
    body = await rig.drawn(line)
    assert (body["structure"], body["prompt"], body["seed"]) == (KEYS, SENTENCE, USED["seed"])
    written = await rig.answer("!info", **picture(rig, prompt="written", expansion=WRITTEN))
    assert "!draw written --no text" in written


async def test_a_worker_that_forgets_the_keys_is_named(rig: Rig) -> None:
    outcome = await rig.say("!draw subject: otter\nstyle: oil")
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.notes == (texts.WORKER_WITHOUT_KEYS,)
    rig.worker.info["features"] = ["structure"]
    rig.services.worker._info = None
    outcome = await rig.say("!draw subject: otter\nstyle: oil")
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.notes == ()


async def test_what_cannot_be_read_draws_nothing(rig: Rig) -> None:
    said = await rig.answer("!draw subject: otter\nenviroment: sea")
    assert said == (
        "I do not know the key `enviroment:`. Did you mean `environment:`? If it is no key but words, put the line in "
        "quotes behind `subject:`."
    )
    assert "`--steps`" in await rig.answer("!draw subject: otter\nsteps: many")
    assert not rig.open


async def test_an_edit_of_one_key_is_offered_as_that(rig: Rig) -> None:
    old = await rig.say("!draw subject: otter\nstyle: oil\nsteps: 5")
    assert old is not None
    assert old.request is not None
    before = Request(
        key="k", room_id=ROOM, event_id="$1", sender="@a:test", kind="image", body=old.request.body, created_at=0,
        expires_at=0,
    )  # fmt: skip
    for typed, line in (
        ("subject: otter\nstyle: pen - ink\nsteps: 5", 'again style: "pen - ink"'),
        ("subject: otter\nsteps: 5", "again style:"),
        ("subject: fox\nstyle: pen\nsteps: 5", "again --prompt fox, pen --steps 5"),
        ("subject: otter\nstyle: pen\nsteps: 6", "again --prompt otter, pen --steps 6"),
        ("subject: otter\nstyle: oil\nsteps: 5", None),
    ):
        assert _line_for(await rig.say(f"!draw {typed}"), before) == line
