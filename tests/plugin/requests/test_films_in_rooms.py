"""Films follow their pictures into the room; and the picture stays with the worker until they have."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from plugin_rig import ROOM, Rig

from otterbot.store.part_names import PartName
from otterbot.store.rows import Request

Event = dict[str, Any]


def films(rig: Rig) -> list[Event]:
    return [event for event in rig.server.pictures(ROOM) if event["content"]["org.otterbot"]["part"].startswith("film")]


def pictures(rig: Rig) -> list[Event]:
    return [event for event in rig.server.pictures(ROOM) if event not in films(rig)]


async def filmed(rig: Rig, **body: Any) -> Request:
    return await rig.ask(body={"film": True, **body})


async def test_it_comes_behind_its_picture_and_names_it(rig: Rig) -> None:
    request = await filmed(rig)
    assert (await rig.done(request)).outcome == "succeeded"
    [picture], [film] = pictures(rig), films(rig)
    content = film["content"]
    assert rig.server.rooms[ROOM].index(film) > rig.server.rooms[ROOM].index(picture)
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": picture["event_id"]}}
    assert content["org.otterbot"]["film_of"] == picture["event_id"]
    assert "record" not in content["org.otterbot"]
    info = content["info"]
    assert (info["mimetype"], info["org.matrix.msc4230.is_animated"]) == ("image/webp", True)
    assert (info["w"], info["h"], info["size"]) == (8, 8, len(rig.server.media[content["url"]]))
    assert content["filename"].endswith(".webp")
    assert content["m.mentions"] == {}
    await rig.server.wait(lambda: rig.worker_server.delivered)
    assert await rig.store.last_picture(ROOM) == picture["event_id"]


async def test_each_picture_has_one_in_its_thread(rig: Rig) -> None:
    root = rig.server.say(ROOM, "draw here")["event_id"]
    request = await rig.ask(body={"film": True, "count": 2}, thread_root=root)
    assert (await rig.done(request)).outcome == "succeeded"
    of = {film["content"]["org.otterbot"]["film_of"]: film["content"]["m.relates_to"] for film in films(rig)}
    assert set(of) == {picture["event_id"] for picture in pictures(rig)}
    for picture, relation in of.items():
        assert (relation["rel_type"], relation["event_id"]) == ("m.thread", root)
        assert relation["m.in_reply_to"]["event_id"] == picture


async def test_a_restart_between_picture_and_film(rig: Rig) -> None:
    def instead(asked: web.Request) -> web.StreamResponse | None:
        return web.Response(status=503) if asked.path.endswith("/film") else None

    rig.worker_server.instead = instead
    request = await filmed(rig)
    await rig.until(lambda: pictures(rig))
    await asyncio.sleep(0.3)
    await rig.restart()
    await asyncio.sleep(0.3)
    assert rig.worker_server.delivered == [], "the worker would delete both"
    rig.worker_server.instead = lambda _: None
    assert (await rig.done(request)).outcome == "succeeded"
    assert (len(pictures(rig)), len(films(rig))) == (1, 1)
    await rig.server.wait(lambda: rig.worker_server.delivered)


@pytest.mark.parametrize("why", ["none", "gone", "not uploaded"])
async def test_without_it_the_request_ends_well(rig: Rig, why: str) -> None:
    rig.worker_server.filming = why != "none"
    if why == "gone":
        rig.worker_server.instead = lambda asked: (
            web.json_response(
                {"status": 410, "code": "image_gone"}, status=410, content_type="application/problem+json"
            )
            if asked.path.endswith("/film")
            else None
        )
    elif why == "not uploaded":
        rig.server.refuse = lambda content: content.get("info", {}).get("mimetype") == "image/webp"
    request = await filmed(rig)
    assert (await rig.done(request)).outcome == "succeeded"
    assert (len(pictures(rig)), films(rig)) == (1, [])
    await rig.server.wait(lambda: rig.worker_server.delivered)
    assert rig.worker_server.deleted == [], "the picture stays"
    await rig.until(lambda: "✅" in rig.reactions())


async def test_a_worker_that_is_too_old_is_named(rig: Rig) -> None:
    rig.worker_server.features = ["img2img"]
    request = await filmed(rig)
    assert (await rig.done(request)).outcome == "refused"
    assert rig.worker_server.submissions == []
    await rig.until(lambda: any("too old for films" in body for body in rig.bodies()))


async def test_who_deletes_the_picture_deletes_its_film(rig: Rig) -> None:
    request = await filmed(rig)
    await rig.done(request)
    [picture], [film] = pictures(rig), films(rig)
    await rig.delivery.cancelling.redacted(ROOM, picture["event_id"])
    await rig.until(
        lambda: film["event_id"] in {event["redacts"] for event in rig.server.of_bot(ROOM, "m.room.redaction")}
    )
    await rig.until(lambda: rig.worker_server.deleted)


async def test_a_cancellation_takes_the_film_back(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await filmed(rig, count=2)
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.1)
    rig.server.hold = lambda content: content.get("info", {}).get("mimetype") == "image/webp"
    rig.worker_server.draw(rig.worker_server.by_key(request.key), 0)
    await rig.until(lambda: rig.server.held)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    rig.server.hold = lambda _: False
    rig.server.let_go.set()
    await rig.until(lambda: films(rig))
    await rig.until(
        lambda: films(rig)[0]["event_id"] in {one["redacts"] for one in rig.server.of_bot(ROOM, "m.room.redaction")}
    )
    part = await rig.store.part(request.key, PartName.film(1))
    assert part is None
