"""What comes from the worker's address is checked: size, kind and hash of a picture, the shape of every answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from plugin_rig import ROOM, Rig
from worker_double import png

from otterbot.errors import WorkerForeign, WorkerUnreachable
from otterbot.requests import images as pictures_module
from otterbot.requests.status_line import compose

LOGIN = b"<html><title>Log in</title></html>"


def images(body: bytes, content_type: str, times: int, path: str = "/v1/images/") -> Callable[[web.Request], Any]:
    """Answers pictures in the worker's place, so many times."""
    left = times

    def instead(request: web.Request) -> web.Response | None:
        nonlocal left
        if request.method != "GET" or not request.path.startswith(path) or not left:
            return None
        left -= 1
        return web.Response(body=body, content_type=content_type)

    return instead


@pytest.mark.parametrize("private", [False, True], ids=["plain", "hashes only"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (LOGIN, "text/html"),
        (LOGIN, "image/png"),
        (png(7)[: len(png(7)) // 2], "image/png"),
        (png(8), "image/png"),
        (png(7) + b"\n", "image/png"),
        (b"", "image/png"),
    ],
    ids=["login page", "a page that says it is one", "half", "another picture", "more", "nothing"],
)
async def test_what_is_not_the_picture_is_not_posted(rig: Rig, body: bytes, content_type: str, private: bool) -> None:
    """It is fetched again; nothing of it gets into the room, and the worker keeps its own."""
    rig.worker_server.instead = images(body, content_type, 4)
    request = await rig.ask(private=private)
    assert (await rig.done(request)).outcome == "succeeded"
    [event] = rig.server.pictures(ROOM)
    assert rig.server.media[event["content"]["url"]] == png(7)
    assert body not in rig.server.media.values()


async def test_an_older_worker_tells_no_hash(rig: Rig) -> None:
    rig.worker_server.hashes = False
    rig.worker_server.instead = images(png(7)[:40], "image/png", 3)
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    [event] = rig.server.pictures(ROOM)
    assert rig.server.media[event["content"]["url"]] == png(7)


async def test_a_thumbnail_that_is_none_is_left_out(rig: Rig) -> None:
    def instead(request: web.Request) -> web.Response | None:
        thumbnail = request.path.endswith("/thumbnail")
        return web.Response(body=LOGIN, content_type="text/html") if thumbnail else None

    rig.worker_server.instead = instead
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    [event] = rig.server.pictures(ROOM)
    assert "thumbnail_url" not in event["content"]["info"]
    assert LOGIN not in rig.server.media.values()


async def test_a_file_that_stays_broken_ends_with_a_sentence(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures_module, "SPOILED_PATIENCE", 0.3)
    rig.worker_server.instead = images(png(7)[:40], "image/png", 10**6)
    assert (await rig.done(await rig.ask())).outcome == "failed"
    await rig.until(lambda: any("left the worker's archive" in body for body in rig.bodies()))
    await rig.until(lambda: rig.worker_server.deleted)


# ---------------------------------------------------------------- the shape of answers

HUGE = 10**400
ODD: list[Any] = [
    {}, [], "jobs", 7, None, {"jobs": {}}, {"jobs": None}, {"jobs": [7]}, {"jobs": [{"id": 1}]},
    {"version": 3}, {"models": {}}, {"code": 5},
]  # fmt: skip


def welcome(request: web.Request) -> web.Response:
    return web.Response(body=LOGIN, content_type="text/html")


CALLS: dict[str, Callable[[Rig], Any]] = {
    "job": lambda rig: rig.worker.job("job-1"),
    "jobs": lambda rig: rig.worker.jobs(),
    "by key": lambda rig: rig.worker.job_by_key("key"),
    "cancel": lambda rig: rig.worker.cancel("job-1"),
    "info": lambda rig: rig.worker.info(),
    "models": lambda rig: rig.worker.models(0),
    "loras": lambda rig: rig.worker.loras(),
    "explain": lambda rig: rig.worker.explain("otter", None),
    "input": lambda rig: rig.worker.add_input(b"x", "image/png", private=True, owner="@a:test"),
    "delivered": lambda rig: rig.worker.delivered("image-1"),
    "delete": lambda rig: rig.worker.delete_image("image-1", "key-1"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_page_is_no_answer(rig: Rig, name: str) -> None:
    rig.worker_server.instead = welcome
    with pytest.raises(WorkerForeign):
        await CALLS[name](rig)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [200, 404])
async def test_other_json_is_no_answer(rig: Rig, name: str, status: int) -> None:
    for body in ODD:
        rig.worker_server.instead = lambda request, body=body: web.json_response(body, status=status)  # type: ignore[misc]
        with pytest.raises(WorkerUnreachable):
            await CALLS[name](rig)


@pytest.mark.parametrize(
    "change",
    [
        {"eta_s": HUGE}, {"eta_s": "soon"}, {"place": HUGE}, {"place": True}, {"created_at": HUGE}, {"state": None},
        {"key": ["k"]}, {"pictures": {}}, {"pictures": [{"index": HUGE, "state": "queued"}]},
        {"pictures": [{"index": 0, "state": "succeeded", "result": {"size": 3}}]}, {"turn": 7},
    ],
)  # fmt: skip
async def test_a_job_with_a_field_of_another_kind_is_none(rig: Rig, change: dict[str, Any]) -> None:
    job = {"id": "job-1", "key": "k", "kind": "image", "state": "queued", "pictures": [], **change}
    rig.worker_server.instead = lambda request: web.json_response(job)
    with pytest.raises(WorkerForeign):
        await rig.worker.job("job-1")


async def test_a_record_with_numbers_that_no_event_holds(rig: Rig) -> None:
    """The picture comes all the same; what cannot be said of it is left out."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    deep: Any = "end"
    for _ in range(200):
        deep = [deep]
    say = rig.worker_server.say
    rig.worker_server.say = lambda name, data: None  # type: ignore[method-assign]
    rig.worker_server.draw(job, 0)
    rig.worker_server.say = say  # type: ignore[method-assign]
    used = job["pictures"][0]["result"]["record"]["used"]
    used |= {"steps": HUGE, "width": HUGE, "guidance_scale": 1e308 * 10, "strength": float("nan"), "deep": deep}
    job["pictures"][0]["result"]["record"]["took"] = HUGE
    rig.worker_server.changed(job)
    assert (await rig.done(request)).outcome == "succeeded"
    [event] = rig.server.pictures(ROOM)
    known = event["content"]["org.otterbot"]["record"]["used"]
    assert (known["seed"], known["steps"], known["guidance_scale"], known["strength"]) == (7, None, None, None)


async def test_who_else_answers_is_said_and_waited_for(rig: Rig) -> None:
    """In the status line of what waits; then the worker is back, and everything goes on."""
    rig.worker_server.instead = welcome
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.delivery.worker_state.foreign)
    request = await rig.ask()
    live = rig.delivery.active(request.key)
    assert live is not None
    assert "something else than the worker answers" in compose(live, rig.delivery.worker_state, time.monotonic())
    rig.worker_server.instead = lambda request: None
    assert (await rig.done(request, 20)).outcome == "succeeded"
    assert not rig.delivery.worker_state.foreign
