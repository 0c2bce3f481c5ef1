"""A picture out of a picture: replied to, captioned, one of the bot's own; broken, too large; and lost on the way."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from PIL import Image

from lab import Lab
from lab.client import Ev
from lab.pictures import holes, png

from .test_exactly_once import Asked

START = png(96, 64)
FEW = "--steps 4"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def refused(lab: Lab, room: str, line: str, words: str, *, reply: str) -> None:
    """Somebody types ``line``, and a sentence with ``words`` answers it: at once, or after a line that says how it
    stands."""
    mark = lab.user.mark()
    asked = await lab.user.send(room, line, reply=reply)
    answers = lab.reply_to(asked, msgtype="m.notice")
    await lab.user.wait_for(lambda event: answers(event) and words in event.body, mark, timeout=60)


async def pixels(lab: Lab, event: Ev) -> bytes:
    with Image.open(io.BytesIO(await lab.user.image_bytes(event))) as picture:
        return picture.tobytes()


async def test_a_reply_and_once_more(lab: Lab, room: str) -> None:
    posted = await lab.admin.send_image(room, START)
    (drawn,) = await lab.draw(room, f"!draw otter {FEW}", reply=posted)
    used = drawn.record["used"]
    assert (used["init_image"], used["strength"], used["steps"]) == (sha(START), "0.6", 4)
    assert (used["width"], used["height"]) == (160, 104), "its shape, at the model's number of pixels"
    assert "A strength of 0.6 takes 2 of the 4 steps" in drawn.body
    (again,) = await lab.draw(room, "!again --seed same", reply=drawn.event_id)
    assert again.record["used"] == used
    assert await pixels(lab, again) == await pixels(lab, drawn)
    (more,) = await lab.draw(room, "!again --seed same --strength 0.9")
    assert more.record["used"] == {**used, "strength": "0.9"}
    assert await pixels(lab, more) != await pixels(lab, drawn)


async def test_a_caption(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send_image(room, START, caption=f"!draw otter {FEW} --strength 0.3 --size 96x128")
    drawn = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)
    used = drawn.record["used"]
    assert (used["init_image"], used["strength"]) == (sha(START), "0.3")
    assert (used["width"], used["height"]) == (96, 128)
    assert "its middle" in drawn.body


async def test_one_of_the_bots_own(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, "!draw otter --steps 2")
    (second,) = await lab.draw(room, f"!draw badger {FEW}", reply=first.event_id)
    assert second.record["used"]["init_image"] == sha(await lab.user.image_bytes(first))
    assert second.record["used"]["prompt"] == "badger"


async def test_along_its_edges(lab: Lab, room: str) -> None:
    posted = await lab.admin.send_image(room, START)
    line = f"!draw otter {FEW} --model otter-noise --seed 5"
    (drawn,) = await lab.draw(room, f"{line} --control canny:0.8", reply=posted)
    used = drawn.record["used"]
    control = {name: used["control"][name] for name in ("kind", "name", "scale", "id")}
    assert control == {"kind": "canny", "name": "noise-canny", "scale": "0.8", "id": sha(START)}
    assert (used["init_image"], used["strength"]) == (None, None)
    assert used["width"] / used["height"] == pytest.approx(1.5, rel=0.05), "its shape"
    assert "steered by canny 0.8" in drawn.body
    (again,) = await lab.draw(room, "!again --seed same", reply=drawn.event_id)
    assert await pixels(lab, again) == await pixels(lab, drawn)
    (plain,) = await lab.draw(room, f"{line} --size {used['width']}x{used['height']}")
    assert await pixels(lab, plain) != await pixels(lab, drawn)
    await refused(lab, room, "!draw otter --control canny", "No ControlNet for edges fits otter-mini", reply=posted)


async def test_only_the_transparent_part(lab: Lab, room: str) -> None:
    posted = await lab.admin.send_image(room, holes(128, 128))
    (drawn,) = await lab.draw(room, f"!draw otter {FEW} --inpaint", reply=posted)
    assert "leaves 50 % of the picture to be drawn anew" in drawn.body
    with Image.open(io.BytesIO(await lab.user.image_bytes(drawn))) as picture:
        assert picture.crop((64, 0, 128, 128)).getcolors() == [(64 * 128, (200, 40, 40))]
        assert len(picture.crop((0, 0, 64, 128)).getcolors(64 * 128) or []) > 10
    (again,) = await lab.draw(room, "!again --seed same", reply=drawn.event_id)
    assert again.record["used"] == drawn.record["used"]
    whole = await lab.admin.send_image(room, START)
    await refused(lab, room, "!draw otter --inpaint", "Nothing in that picture is transparent", reply=whole)


async def test_a_deleted_start_cannot_be_drawn_from_again(lab: Lab, room: str) -> None:
    posted = await lab.user.send_image(room, START)
    (drawn,) = await lab.draw(room, f"!draw otter {FEW}", reply=posted)
    await lab.user.redact(room, posted)
    await refused(lab, room, "!again", "deleted", reply=drawn.event_id)


BAD: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "text": (b"I am an otter.", {}, "damaged, or no PNG"),
    "broken": (START[:100], {}, "cut off: its end is missing"),
    "one pixel": (png(1, 1), {}, "too small"),
    "too large, it says": (START, {"info": {"mimetype": "image/png", "size": 30_000_000}}, "too large"),
    "too large": (START + bytes(20_000_000), {"info": {"mimetype": "image/png", "size": 7}}, "too large"),
    "not a picture": (START, {"info": {"mimetype": "image/svg+xml"}}, "picture only"),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_cannot_be_used_is_said_and_the_next_one_is_drawn(lab: Lab, room: str, case: str) -> None:
    data, extra, words = BAD[case]
    posted = await lab.user.send_image(room, data, **extra)
    await refused(lab, room, "!draw otter", words, reply=posted)
    await lab.draw(room, f"!draw otter {FEW}", reply=await lab.user.send_image(room, START))


async def test_a_strength_without_a_picture(lab: Lab, room: str) -> None:
    assert "caption" in (await lab.answer(room, "!draw otter --strength 0.5")).body


# ---------------------------------------------------------------- what can be lost


async def ask(lab: Lab, room: str) -> Asked:
    posted = await lab.user.send_image(room, START)
    mark = lab.user.mark()
    asked = Asked(lab, room, await lab.user.send(room, f"!draw otter {FEW} --seed 77", reply=posted), mark)
    asked.seed = 77
    return asked


async def maubot_dies(lab: Lab) -> None:
    await lab.maubot.restart(hard=True)


async def worker_dies(lab: Lab) -> None:
    await lab.worker.restart(hard=True)


async def worker_loses_pictures(lab: Lab) -> None:
    shutil.rmtree(lab.worker.data / "inputs", ignore_errors=True)


MOMENTS: dict[str, tuple[str, str, str, Callable[[Lab], Awaitable[None]]]] = {
    "maubot, before it is sent": ("hold_before", "POST", "/v1/inputs", maubot_dies),
    "maubot, when it is there": ("hold_after", "POST", "/v1/inputs", maubot_dies),
    "maubot, before the job": ("hold_before", "POST", "/v1/jobs$", maubot_dies),
    "the worker, before the job": ("hold_before", "POST", "/v1/jobs$", worker_dies),
    "the picture, before the job": ("hold_before", "POST", "/v1/jobs$", worker_loses_pictures),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_whatever_is_lost_it_comes_once(lab: Lab, room: str, moment: str) -> None:
    how, method, path, happens = MOMENTS[moment]
    with getattr(lab.worker_proxy, how)(method, path) as held:
        asked = await ask(lab, room)
        await held.reached()
        await happens(lab)
    await asked.comes_once()
