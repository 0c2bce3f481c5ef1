"""``--watch``, ``--film``, the room's setting; and what a reply to a film, or to a preview, is about."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import BOT, MOD, ROOM, Rig
from reading import parse
from room_pictures import RECORD, image, reply, thread

from otterbot import texts
from otterbot.config import DrawValues
from otterbot.matrix.event_content import ours
from otterbot.store.part_names import PartName
from otterbot.store.rows import Part, PartState


@pytest.mark.parametrize(
    ("typed", "watch", "film"),
    [("--watch", True, None), ("—watch --film", True, True), ("--unwatched", False, None), ("--film", None, True)],
)
def test_flags(typed: str, watch: bool | None, film: bool | None) -> None:
    intent = parse(f"!draw otter {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert (intent.options.watch, intent.options.film, intent.options.prompt) == (watch, film, "otter")
    assert intent.options.asked() == {"prompt": "otter"}, "it changes nothing in the picture"


@pytest.mark.parametrize("typed", ["a film — noir", "watch, on a wrist", "-film noir", "film-noir"])
def test_words(typed: str) -> None:
    intent = parse(f"!draw {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert (intent.options.watch, intent.options.film) == (None, None)


async def test_what_is_asked_of_the_worker(rig: Rig) -> None:
    plain = await rig.drawn("!draw otter")
    assert not {"preview", "film"} & set(plain), "an older worker refuses what it does not know"
    both = await rig.drawn("!draw otter --watch --film --count 2")
    assert (both["preview"], both["film"]) == (True, True)
    rig.homeserver.picture(ROOM, RECORD)
    again = await rig.drawn("!again --film")
    assert (again["film"], "preview" in again) == (True, False)
    assert "film" not in await rig.drawn("!vary"), "nobody asked for one of these"


async def test_pictures_with_films_come_one_by_one(rig: Rig) -> None:
    """Each film follows its own picture, so that one has to stand in the room: not on a contact sheet."""
    body = await rig.drawn("!draw otter --film --count 4")
    assert (body["film"], body["count"], body.get("sheet")) == (True, 4, None)


@pytest.mark.parametrize("line", ["!draw otter --sweep cfg=4..6 --film", "!draw otter --film --sweep cfg=4..6"])
async def test_no_films_of_a_sweep_which_comes_on_one_sheet(rig: Rig, line: str) -> None:
    assert await rig.answer(line) == (
        "A sweep comes on one sheet, so its pictures have no films. Please leave out `--film`."
    )
    assert rig.open == []


async def test_a_room_that_watches(rig: Rig) -> None:
    assert "Shown while they are drawn" in await rig.answer("!settings watch")
    assert await rig.answer("!settings watch on", MOD) == texts.WATCH_ON
    assert (await rig.drawn("!draw otter"))["preview"] is True
    assert "preview" not in await rig.drawn("!draw otter --unwatched")
    await rig.say("!settings safe on", MOD)
    assert "preview" not in await rig.drawn("!draw otter"), "nor a note each time that there is none"
    assert (await rig.drawn("!draw otter --watch"))["preview"] is True, "then the worker says why not"
    await rig.say("!settings safe off", MOD)
    assert await rig.answer("!settings watch default", MOD) == texts.WATCH_OFF
    assert "preview" not in await rig.drawn("!draw otter")
    rig.values(draw=DrawValues(watch=True))
    assert (await rig.drawn("!draw otter"))["preview"] is True


async def test_an_upscaled_picture_has_no_film(rig: Rig) -> None:
    rig.homeserver.picture(ROOM, RECORD)
    assert await rig.answer("!upscale --film") == texts.upscale_is_that_picture("film", "!")
    assert (await rig.drawn("!upscale --watch"))["preview"] is True


def film(rig: Rig, picture: str, sender: str = BOT) -> str:
    mark = ours("key", PartName.film(0), film_of=picture)
    return image(rig, sender, info={"mimetype": "image/webp"}, **{"org.otterbot": mark})


async def test_a_reply_to_a_film_is_about_its_picture(rig: Rig) -> None:
    picture = rig.homeserver.picture(ROOM, RECORD)
    event = film(rig, picture)
    assert (await rig.drawn("!again", **reply(event)))["prompt"] == "otter"
    assert (await rig.drawn("!draw a fox", **reply(event)))["init_image"] == {"event": picture}
    assert (await rig.drawn("!draw a fox", **thread(event)))["init_image"] == {"event": picture}
    assert (await rig.drawn("!again", **thread(event)))["prompt"] == "otter"
    assert (await rig.drawn("!upscale", **reply(event)))["init_image"] == {"event": picture}


async def test_what_somebody_else_calls_a_film_is_a_picture_of_theirs(rig: Rig) -> None:
    picture = rig.homeserver.picture(ROOM, RECORD)
    event = film(rig, picture, MOD)
    assert (await rig.drawn("!draw a fox", **reply(event)))["init_image"] == {"event": event}


async def preview(rig: Rig, *, drawn: bool) -> tuple[str, str]:
    """What is shown of the last request's picture, and that picture."""
    await rig.say("!draw otter, scarf")
    key = rig.open[-1].key
    events: list[Any] = [image(rig, BOT), rig.homeserver.picture(ROOM, RECORD)]
    for name, event in ((PartName.preview(0), events[0]), (PartName.picture(0), events[1])):
        if name.is_preview or drawn:
            part = Part(key=key, part=name, room_id=ROOM)
            await rig.services.store.add_part(part)
            assert await rig.services.store.mark_sent(part, event)
            stored = await rig.services.store.part(key, name)
            assert stored is not None
            assert stored.state is PartState.SENT
    return events[0], events[1]


async def test_a_reply_to_what_is_shown_is_about_the_picture_that_comes(rig: Rig) -> None:
    event, _ = await preview(rig, drawn=False)
    assert (await rig.drawn("!again --steps 9", **reply(event)))["prompt"] == "otter, scarf"
    assert await rig.answer("!draw a fox", **reply(event)) == texts.STILL_DRAWN
    assert await rig.answer("!upscale", **reply(event)) == texts.STILL_DRAWN


async def test_and_once_it_is_there_about_it(rig: Rig) -> None:
    event, picture = await preview(rig, drawn=True)
    assert (await rig.drawn("!again", **reply(event)))["prompt"] == "otter"
    assert (await rig.drawn("!draw a fox", **reply(event)))["init_image"] == {"event": picture}
    assert (await rig.drawn("!upscale", **reply(event)))["init_image"] == {"event": picture}
