"""Choosing from a contact sheet: by words, by a reaction, behind a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from command_rig import ALICE, BOB, BOT, ROOM, Rig
from room_pictures import RECORD, image, reply, thread
from room_sheets import sheet_content

from otterbot import texts
from otterbot.commands.outcome import Outcome
from otterbot.commands.reactions import react
from otterbot.config import DrawValues, LimitValues
from otterbot.language.reaction import Reaction, plain
from otterbot.matrix.event_content import OUR_KEY


def sheet(rig: Rig, sender: str = BOT, **how: Any) -> str:
    return str(rig.homeserver.add(ROOM, sender, "m.room.message", sheet_content(**how))["event_id"])


async def last(rig: Rig, event_id: str) -> None:
    """It becomes the last picture of the room."""
    await rig.services.store.db.execute(
        "INSERT INTO rooms (room_id, last_picture_event) VALUES ($1, $2)", ROOM, event_id
    )


# ---------------------------------------------------------------- how pictures come


SHEETS: dict[str, tuple[str, str, bool]] = {
    "three": ("!draw otter --count 3", "auto", True),
    "two": ("!draw otter --count 2", "auto", False),
    "two as is typed": ("!draw otter --count 2 --sheet", "auto", True),
    "four separate": ("!draw otter --count 4 --separate", "auto", False),
    "two in a room of sheets": ("!draw otter --count 2", "sheet", True),
    "one in a room of sheets": ("!draw otter", "sheet", False),
    "eight in a room without": ("!draw otter --count 8", "separate", False),
    "eight as is typed": ("!draw otter --count 8 --sheet", "separate", True),
}


@pytest.mark.parametrize("case", SHEETS)
async def test_how_several_pictures_come(rig: Rig, case: str) -> None:
    typed, batch, wanted = SHEETS[case]
    rig.values(draw=DrawValues(batch=batch))
    assert ("sheet" in await rig.drawn(typed)) is wanted
    rig.values(draw=DrawValues(batch="separate" if batch != "separate" else "auto"))
    await rig.services.store.db.execute(
        "INSERT INTO settings (room_id, name, value) VALUES ($1, 'batch', $2)", ROOM, batch
    )
    assert ("sheet" in await rig.drawn(typed)) is wanted, "the room's own counts before the instance's"


async def test_a_sheet_of_one_is_none_and_that_is_said(rig: Rig) -> None:
    outcome = await rig.say("!draw otter --sheet")
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.notes == (texts.SHEET_OF_ONE,)
    assert "sheet" not in (outcome.request.body or {})
    assert outcome.request.asked == {"prompt": "otter"}, "how they come is no setting of a picture"


async def test_who_asked_for_it_is_known_to_be_told_where_the_worker_is_too_old(rig: Rig) -> None:
    for typed, asked in (("--count 2 --sheet --watch", {"sheet": True, "watch": True}), ("--count 4", {})):
        outcome = await rig.say(f"!draw otter {typed}")
        assert outcome is not None
        assert outcome.request is not None
        told = {name: value for name, value in outcome.request.asked.items() if name in ("sheet", "watch")}
        assert told == asked
        assert not told.keys() & (outcome.request.body or {})["asked"].keys()


async def test_what_a_room_sets(rig: Rig) -> None:
    from command_rig import MOD

    assert texts.BATCH_SAID["sheet"] in await rig.answer("!settings batch sheet", MOD)
    assert "sheet" in await rig.answer("!settings batch")
    assert "settings batch" in await rig.answer("!settings batch sometimes", MOD)
    assert texts.BATCH_SAID["auto"] in await rig.answer("!settings batch default", MOD)


# ---------------------------------------------------------------- by words


@pytest.mark.parametrize("typed", ["2", "#2", "b1", "2."])
async def test_a_reply_brings_one_in_full(rig: Rig, typed: str) -> None:
    body = await rig.drawn(typed, BOB, **reply(sheet(rig)))
    assert (body["seed"], body["count"], body["drawn_before"]) == (8, 1, "image-1")
    assert (body["prompt"], body["steps"], body["sampler"]) == ("otter", 30, "UniPC")
    assert not {"sheet", "then"} & body.keys()


async def test_several_come_one_after_another(rig: Rig) -> None:
    body = await rig.drawn("4, 2 and 3", **reply(sheet(rig)))
    following = body["then"]["body"]
    assert [body["seed"], following["seed"], following["then"]["body"]["seed"]] == [10, 8, 9]


WRONG: dict[str, Callable[[str], bool]] = {
    "9": lambda said: "4 fields" in said and "`9`" in said,
    "2, 9": lambda said: "`9`" in said,
    "C1": lambda said: "`C1`" in said,
    "3": lambda said: "failed" in said,
    "!again 9": lambda said: "4 fields" in said,
    "!upscale 3": lambda said: "failed" in said,
    "!info 9": lambda said: "4 fields" in said,
    "!vary": lambda said: "`!vary 2`" in said,
    "!upscale": lambda said: "`!upscale 2`" in said,
    "!draw a fox": lambda said: "Choose one first" in said,
}


@pytest.mark.parametrize("typed", WRONG)
async def test_what_is_not_there_is_said(rig: Rig, typed: str) -> None:
    assert WRONG[typed](await rig.answer(typed, **reply(sheet(rig, failed=2))))


async def test_numbers_elsewhere_mean_nothing(rig: Rig) -> None:
    assert await rig.say("2", **reply(image(rig))) is None
    assert await rig.say("2") is None


async def test_a_sheet_that_somebody_else_posted_names_no_file(rig: Rig) -> None:
    body = await rig.drawn("2", **reply(sheet(rig, sender=BOB)))
    assert body["seed"] == 8
    assert "drawn_before" not in body


# ---------------------------------------------------------------- behind commands


async def test_again_of_one_field(rig: Rig) -> None:
    body = await rig.drawn("!again 2 --seed same --steps 40", **reply(sheet(rig)))
    assert (body["seed"], body["steps"], body["count"]) == (8, 40, 1)
    assert "drawn_before" not in body, "another picture"
    body = await rig.drawn("!again B2 +red scarf", **reply(sheet(rig)))
    assert (body["seed"], body["prompt"]) == (10, "otter, red scarf")


async def test_where_the_sheet_is_the_last_picture_of_the_room(rig: Rig) -> None:
    await last(rig, sheet(rig))
    assert (await rig.drawn("!again 3 --seed same"))["seed"] == 9
    assert (await rig.drawn("!vary 2"))["seed"] == 8
    assert "seed 9" in (await rig.answer("!info 3")).replace("--seed", "seed")


async def test_in_a_thread_on_the_sheet(rig: Rig) -> None:
    place = sheet(rig)
    assert (await rig.drawn("!again 3 --seed same", **thread(place)))["seed"] == 9


async def test_vary_one_field(rig: Rig) -> None:
    body = await rig.drawn("!vary 2 0.4", **reply(sheet(rig)))
    assert (body["seed"], body["variation"]["strength"], body["count"]) == (8, 0.4, 4)
    assert "sheet" in body, "four of them are a sheet again"


async def test_upscale_one_field_is_that_one_in_full_and_then_larger(rig: Rig) -> None:
    body = await rig.drawn("!upscale 2 4", **reply(sheet(rig)))
    assert (body["seed"], body["drawn_before"]) == (8, "image-1")
    larger = body["then"]["body"]
    assert larger["init_image"] == {"event": "$chosen"}
    assert (larger["upscale"], larger["prompt"]) == (4, "otter")
    assert (await rig.drawn("!upscale 2 x4", **reply(sheet(rig))))["then"]["body"]["upscale"] == 4


async def test_a_number_behind_a_command_about_one_picture_is_what_it_was(rig: Rig) -> None:
    one = image(rig, BOT, **{OUR_KEY: {"v": 1, "record": RECORD}})
    assert (await rig.drawn("!upscale 4", **reply(one)))["upscale"] == 4
    assert (await rig.drawn("!vary 1", **reply(one)))["variation"]["strength"] == 1
    assert "takes flags" in await rig.answer("!again 2", **reply(one))


async def test_again_of_a_whole_sheet(rig: Rig) -> None:
    body = await rig.drawn("!again", **reply(sheet(rig)))
    assert body["count"] == 4
    assert body["seed"] not in (7, 8)
    assert "sheet" in body
    same = await rig.drawn("!again --seed same", **reply(sheet(rig)))
    assert (same["seed"], same["count"]) == (7, 4)
    assert (await rig.drawn("!again --count 3", **reply(sheet(rig))))["count"] == 3
    rig.values(limits=LimitValues(count=2))
    assert (await rig.drawn("!again", **reply(sheet(rig))))["count"] == 2


async def test_again_of_a_sheet_of_variations_varies_that_picture_anew(rig: Rig) -> None:
    place = sheet(rig, seed=7, variation={"seed": 99, "strength": "0.3"})
    body = await rig.drawn("!again", **reply(place))
    assert (body["seed"], body["count"], body["variation"]["strength"]) == (7, 4, 0.3)
    assert body["variation"]["seed"] != 99
    assert texts.VARIED_BEFORE not in rig.open[-1].notes


# ---------------------------------------------------------------- by reactions


async def reacted(rig: Rig, place: str, emoji: str, sender: str = ALICE) -> Any:
    rig.reaction = getattr(rig, "reaction", 0) + 1  # type: ignore[attr-defined]
    return await react(
        rig.services,
        Reaction(
            room_id=ROOM, event_id=f"$r{rig.reaction}", sender=sender, target=place, emoji=plain(emoji), timestamp=1  # type: ignore[attr-defined]
        ),
    )  # fmt: skip


async def test_a_reaction_brings_one_in_full(rig: Rig) -> None:
    outcome = await reacted(rig, sheet(rig), "2️⃣", BOB)
    assert outcome.request.body["seed"] == 8
    assert outcome.request.body["drawn_before"] == "image-1"


async def test_a_reaction_on_what_is_not_there_is_only_a_reaction(rig: Rig) -> None:
    place = sheet(rig, failed=2)
    assert await reacted(rig, place, "9️⃣") == Outcome()
    assert await reacted(rig, place, "3️⃣") == Outcome()
    assert await reacted(rig, place, "💚") is None, "no emoji that anything follows from"
    assert await reacted(rig, image(rig, BOT, **{OUR_KEY: {"v": 1, "record": RECORD}}), "2️⃣") == Outcome()


@pytest.mark.parametrize(("emoji", "command"), [("🎲", "vary"), ("⬆️", "upscale")])
async def test_where_one_picture_is_needed_it_says_how_to_choose(rig: Rig, emoji: str, command: str) -> None:
    outcome = await reacted(rig, sheet(rig, failed=2), emoji)
    assert outcome.reply.once
    assert outcome.reply.text == texts.which_by_number(command, "!")
    assert outcome.reply.text.endswith(f"reply `!{command} 2`.")
    assert outcome.request is None


async def test_of_a_sheet_with_one_picture_it_is_that_one(rig: Rig) -> None:
    content = sheet_content(2, failed=0)
    place = str(rig.homeserver.add(ROOM, BOT, "m.room.message", content)["event_id"])
    varied = (await reacted(rig, place, "🎲")).request.body
    assert (varied["seed"], varied["count"]) == (8, 4)
    larger = (await reacted(rig, place, "⬆️")).request.body
    assert (larger["seed"], larger["drawn_before"]) == (8, "image-1")
    assert larger["then"]["body"]["upscale"] == 2


async def test_a_star_on_a_sheet_keeps_all_of_it(rig: Rig) -> None:
    content = sheet_content()
    content[OUR_KEY] |= {"image": "image-9", "by": ALICE}
    place = str(rig.homeserver.add(ROOM, BOT, "m.room.message", content)["event_id"])
    picture, kept = (await reacted(rig, place, "⭐", BOB)).kept
    assert (picture.part, picture.image_id, kept.sender) == ("sheet", "image-9", BOB)


async def test_again_by_reaction_is_all_of_it(rig: Rig) -> None:
    assert (await reacted(rig, sheet(rig), "🔁")).request.body["count"] == 4


async def test_a_sheet_is_deleted_by_who_asked_for_it_and_by_moderators(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_edits(*_: object, **__: object) -> tuple[list[Any], None]:
        return [], None

    monkeypatch.setattr(rig.services.http, "relations", no_edits)
    content = sheet_content()
    content[OUR_KEY] |= {"image": "image-9", "by": ALICE}
    place = str(rig.homeserver.add(ROOM, BOT, "m.room.message", content)["event_id"])
    assert await reacted(rig, place, "❌", BOB) == Outcome()
    outcome = await reacted(rig, place, "❌", ALICE)
    assert outcome.discarded.image_id == "image-9"
    assert [part.content for part in outcome.parts] == [{"redacts": place}]


async def test_films_come_with_pictures_by_themselves(rig: Rig) -> None:
    assert "sheet" not in await rig.drawn("!draw otter --count 4 --film")
    outcome = await rig.say("!draw otter --count 4 --film --sheet")
    assert outcome is not None
    assert outcome.request is not None
    assert texts.SHEET_AND_FILMS in outcome.request.notes


async def test_of_a_sweep_one_field_is_named(rig: Rig) -> None:
    content = sheet_content()
    content[OUR_KEY]["sheet"]["swept"] = True
    place = str(rig.homeserver.add(ROOM, BOT, "m.room.message", content)["event_id"])
    assert "`!again 2`" in await rig.answer("!again", **reply(place))
    said = (await reacted(rig, place, "🔁")).reply
    assert ("`!again 2`" in said.text, said.once) == (True, True)
    assert (await rig.drawn("!again B2 --seed same", **reply(place)))["seed"] == 10
    assert len((await rig.drawn("!sweep 2 cfg 4..16/3", **reply(place)))["sweep"][0]["values"]) == 3
    assert "sheet" in await rig.drawn("!draw otter --sweep cfg=4,8")
    assert "sheet" not in await rig.drawn("!draw otter --sweep cfg=4,8 --separate")
    assert texts.SHEET_OF_ONE not in rig.open[-1].notes
