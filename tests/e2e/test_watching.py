"""Pictures that are shown while they are drawn, and films of how they were drawn, as a client sees them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from lab import Ev, Lab

from .conftest import QUICK

LONG = "--steps 100"
"""Long enough to be worth watching on a processor."""


@pytest.fixture
async def lab(lab: Lab) -> AsyncIterator[Lab]:
    """Edits are due soon."""
    await lab.configure(status={"after_seconds": 60, "edit_seconds": 1})
    yield lab
    await lab.configure()


def is_preview(lab: Lab, event: Ev) -> bool:
    return event.sender == lab.bot and event.msgtype == "m.image" and event.own.get("preview") is True


def is_picture(lab: Lab, event: Ev) -> bool:
    return event.sender == lab.bot and bool(event.record)


async def all_gone(lab: Lab, mark: int) -> list[Ev]:
    """The previews since then, once each of them has been redacted."""

    def left() -> list[str]:
        redacted = {event.redacts for event in lab.user.events[mark:]}
        shown = [event.event_id for event in lab.user.events[mark:] if is_preview(lab, event)]
        return [event_id for event_id in shown if event_id not in redacted]

    await lab.user.wait_for(lambda _: not left(), mark, timeout=60)
    return [event for event in lab.user.events[mark:] if is_preview(lab, event)]


async def test_it_is_shown_while_it_is_drawn_and_goes(lab: Lab, room: str, encrypted: bool) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter --watch {LONG} --size 192x192")
    shown = await lab.user.wait_for(lambda event: is_preview(lab, event), mark, timeout=60)
    assert shown.replies_to == asked
    assert shown.encrypted is encrypted
    assert ("file" in shown.content, "url" in shown.content) == (encrypted, not encrypted)
    assert Image.open(io.BytesIO(await lab.user.image_bytes(shown))).format == "JPEG"
    assert shown.content["m.mentions"] == {}
    edit = await lab.user.wait_for(lambda event: event.edits == shown.event_id, mark, timeout=60)
    assert edit.encrypted is encrypted
    picture = await lab.user.wait_for(lambda event: is_picture(lab, event), mark, timeout=120)
    assert picture.replies_to == asked
    previews = await all_gone(lab, mark)
    assert 2 <= len(previews) <= 7
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=30)
    (again,) = await lab.draw(room, f"!again --seed 5 --unwatched {QUICK}")
    assert again.record["used"]["prompt"] == "otter", "the picture is the last one"


async def test_a_restart_of_the_plugin_in_the_middle(lab: Lab) -> None:
    room = await lab.room()
    await lab.answer(room, "!settings watch on", by=lab.admin)
    mark = lab.user.mark()
    await lab.user.send(room, f"!draw otter {LONG}")
    await lab.user.wait_for(lambda event: is_preview(lab, event), mark, timeout=60)
    await lab.maubot.restart(hard=True)
    await lab.user.wait_for(lambda event: is_picture(lab, event), mark, timeout=120)
    await all_gone(lab, mark)


async def test_cancelled_while_it_is_watched(lab: Lab) -> None:
    room = await lab.room()
    mark = lab.user.mark()
    await lab.user.send(room, f"!draw otter --watch {LONG}")
    shown = await lab.user.wait_for(lambda event: is_preview(lab, event), mark, timeout=60)
    await lab.user.react(room, shown.event_id, "❌")
    await all_gone(lab, mark)
    assert not [event for event in lab.user.events[mark:] if is_picture(lab, event)]


async def test_a_film_of_how_it_was_drawn(lab: Lab, room: str, encrypted: bool) -> None:
    mark = lab.user.mark()
    (picture,) = await lab.draw(room, "!draw otter --steps 6 --seed 3 --film")
    film = await lab.user.wait_for(lab.reply_to(picture.event_id, msgtype="m.image"), mark, timeout=60)
    assert film.encrypted is encrypted
    assert film.own["film_of"] == picture.event_id
    info, data = film.content["info"], await lab.user.image_bytes(film)
    assert (info["mimetype"], info["size"], info["org.matrix.msc4230.is_animated"]) == ("image/webp", len(data), True)
    moving = Image.open(io.BytesIO(data))
    assert (moving.format, moving.n_frames, moving.size) == ("WEBP", 7, (info["w"], info["h"]))
    moving.seek(6)
    still = Image.open(io.BytesIO(await lab.user.image_bytes(picture)))
    last, whole = (one.convert("RGB").resize((8, 8), Image.Resampling.BOX).tobytes() for one in (moving, still))
    assert max(abs(one - other) for one, other in zip(last, whole, strict=True)) < 24, "it ends with the picture"
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!again --seed same {QUICK}", reply=film.event_id)
    again = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)
    assert again.record["used"]["seed"] == 3, "a reply to a film is about its picture"
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=30)
    assert not [event for event in lab.user.events[mark:] if "film_of" in event.own], "nobody asked for one of this"


async def test_no_film_of_an_upscaled_picture(lab: Lab) -> None:
    room = await lab.room()
    await lab.draw(room, f"!draw otter {QUICK}")
    assert "`--film` has no place there" in (await lab.answer(room, "!upscale --film")).body
