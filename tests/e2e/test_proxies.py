"""Something stands in between and answers in the server's place, or holds answers back: pictures come all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Lab

from .conftest import QUICK

UPLOAD = "/_matrix/media/v3/upload"


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    """A lab of its own: its event stream is held back."""
    async with Lab(folder / "proxies") as lab:
        yield lab


@pytest.fixture(autouse=True)
async def nothing_in_between(lab: Lab) -> AsyncIterator[None]:
    yield
    for proxy in (lab.matrix_proxy, lab.worker_proxy):
        for rule in list(proxy.rules):
            rule.remove()


async def test_pages_on_the_way_to_the_room(lab: Lab) -> None:
    """An upload that some filter refuses with a page, and a login in place of the picture from the worker."""
    room = await lab.room(encrypted=True)
    refused = lab.matrix_proxy.page("POST", UPLOAD, 403, times=3)
    login = lab.worker_proxy.page("GET", "/v1/images/[0-9a-f]+$", 200, times=2)
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK} --seed 7")
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 60)
    assert (refused.count, login.count) == (3, 2)
    [picture] = await lab.pictures(room)
    assert picture.seed == 7
    assert (await lab.user.image_bytes(picture.event)).startswith(b"\x89PNG")


async def test_a_quota_is_said(lab: Lab) -> None:
    room = await lab.room()
    lab.matrix_proxy.fail("POST", UPLOAD, 403, {"errcode": "M_FORBIDDEN", "error": "Media upload limit exceeded"})
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK}")
    told = lab.reply_to(asked, msgtype="m.notice")
    await lab.user.wait_for(lambda event: told(event) and "takes no more files from me" in event.body, mark, 60)
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark, 10)


async def test_a_stream_that_is_held_back(lab: Lab) -> None:
    """The stream is read to its end, which never comes, before anything of it is passed on."""
    room = await lab.room()
    held = lab.worker_proxy.hold_after("GET", "/v1/events")
    await lab.worker.stop()
    await lab.worker.start()
    await held.times_seen(1, 60)
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK}")
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 60)
    assert "event stream brings nothing" in (await lab.answer(room, "!status")).body
