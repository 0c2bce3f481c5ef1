"""What the homeserver, or something before it, answers to a picture: nothing is final but what the homeserver says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web
from outbox_parts import failed
from plugin_rig import ROOM, Rig
from upload_answers import refused, uploads

from otterbot import texts
from otterbot.errors import AnswerLost, MatrixError
from otterbot.outbox import builder

PAGE = "<html><title>Blocked</title></html>"


def page(status: int) -> web.Response:
    return web.Response(status=status, text=PAGE, content_type="text/html")


PROXIES: list[Callable[[], web.Response]] = [
    lambda: page(403), lambda: page(404), lambda: page(400), lambda: page(401), lambda: page(502), lambda: page(200),
    lambda: web.Response(status=404, text="404 page not found"),
    lambda: web.Response(status=302, headers={"Location": "/login"}),
    lambda: web.json_response({}),
    lambda: web.json_response([]),
    lambda: web.json_response({"content_uri": ""}),
    lambda: web.json_response({"content_uri": "mxc://../x"}),
    lambda: web.json_response({"error": "blocked"}, status=403),
    lambda: web.json_response({"errcode": 403}, status=403),
    lambda: web.Response(body=b"[" * 100_000, status=403, content_type="application/json"),
]  # fmt: skip


@pytest.mark.parametrize("answer", PROXIES)
async def test_a_proxy_ends_no_picture(rig: Rig, answer: Callable[[], web.Response]) -> None:
    rig.server.instead = uploads(answer, 3)
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert rig.seeds() == [7]


@pytest.mark.parametrize(
    "answer",
    [
        lambda: refused(403, "M_FORBIDDEN"),
        lambda: refused(400, "M_RESOURCE_LIMIT_EXCEEDED"),
        lambda: refused(403, "M_RESOURCE_LIMIT_EXCEEDED"),
        lambda: refused(403, "ORG.MATRIX.MSC4335_USER_LIMIT_EXCEEDED"),
        lambda: refused(413, "M_TOO_LARGE"),
    ],
    ids=["forbidden", "limit", "limit 403", "user limit", "too large"],
)
async def test_a_quota_is_said(rig: Rig, answer: Callable[[], web.Response]) -> None:
    """The picture is far below the limit for one file: it is not the file."""
    rig.server.instead = uploads(answer)
    assert (await rig.done(await rig.ask())).outcome == "failed"
    await rig.until(lambda: len(rig.bodies()) == 1)
    assert "takes no more files from me" in rig.bodies()[0]
    await rig.until(lambda: rig.worker_server.deleted)


async def test_it_is_said_after_a_restart_as_well(rig: Rig) -> None:
    """Maubot dies between the mark that a picture failed and the sentence."""
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 2})
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    rig.server.instead = uploads(lambda: refused(403, "M_FORBIDDEN"))
    rig.worker_server.draw(job, 0)

    await failed(rig, request.key, "picture/0")
    rig.server.instead = lambda request: None
    await rig.stop()
    rig.worker_server.draw(job, 1)
    await rig.run()
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: any("takes no more files from me" in body for body in rig.bodies()))
    assert rig.seeds() == [8]


async def test_too_many_uploads_are_waited_for(rig: Rig) -> None:
    rig.server.instead = uploads(lambda: refused(429, "M_LIMIT_EXCEEDED", retry_after_ms=50), 4)
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_but_not_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "UPLOAD_PATIENCE", 0.5)
    rig.server.instead = uploads(lambda: refused(429, "M_LIMIT_EXCEEDED", retry_after_ms=100))
    assert (await rig.done(await rig.ask())).outcome == "failed"
    await rig.until(lambda: rig.bodies() == [texts.UPLOAD_REFUSED.replace("**", "")])


async def test_a_file_that_is_too_large_for_a_proxy(rig: Rig) -> None:
    rig.server.instead = uploads(lambda: page(413))
    assert (await rig.done(await rig.ask())).outcome == "failed"
    await rig.until(lambda: any("larger than this homeserver accepts" in body for body in rig.bodies()))


async def test_a_thumbnail_that_is_refused_keeps_no_picture_away(rig: Rig) -> None:
    """The worker's thumbnails are JPEGs, its pictures PNGs: only the former are refused here."""
    rig.worker_server.thumbnail = b"\xff\xd8\xff and so on"

    def instead(request: web.Request) -> web.Response | None:
        thumbnail = request.path.endswith("/upload") and request.content_type == "image/jpeg"
        return refused(403, "M_FORBIDDEN") if thumbnail else None

    rig.server.instead = instead
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert "thumbnail_url" not in rig.server.pictures(ROOM)[0]["content"]["info"]


# ---------------------------------------------------------------- what is sent, what is looked up


@pytest.mark.parametrize("answer", [lambda: web.json_response({}), lambda: page(200), lambda: page(404)])
async def test_an_answer_without_an_event_id_is_none(rig: Rig, answer: Callable[[], web.Response]) -> None:
    """The homeserver has not got it: it is looked for, and sent again."""
    times = 2

    def instead(request: web.Request) -> web.Response | None:
        nonlocal times
        if "/send/" not in request.path or not times:
            return None
        times -= 1
        return answer()

    rig.server.instead = instead
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert rig.seeds() == [7]


@pytest.mark.parametrize("answer", [lambda: web.json_response({}), lambda: page(404), lambda: page(403)])
async def test_a_look_up_that_says_nothing_proves_nothing(rig: Rig, answer: Callable[[], web.Response]) -> None:
    """The picture stands in the room, its answer was lost, and the homeserver forgets transactions: sending it again
    without having looked would show it twice."""
    rig.server.forget_transactions = True
    request = await rig.ask(body={"count": 1})
    times = 2

    def instead(asked: web.Request) -> web.Response | None:
        nonlocal times
        if not asked.path.endswith("/messages") or not times:
            return None
        times -= 1
        return answer()

    rig.server.instead = instead
    rig.server.swallow = 10**6
    await rig.until(lambda: times == 0, 20)
    rig.server.swallow = 0
    assert (await rig.done(request, 20)).outcome == "succeeded"
    assert rig.seeds() == [7]
    assert len(rig.server.pictures(ROOM)) == 1


READS: dict[str, Callable[[Rig], object]] = {
    "messages": lambda rig: rig.http.messages(ROOM),
    "event": lambda rig: rig.http.event(ROOM, "$event1"),
    "relations": lambda rig: rig.http.relations(ROOM, "$event1", "m.thread"),
    "rooms": lambda rig: rig.http.joined_rooms(),
    "state": lambda rig: rig.http.state_event(ROOM, "m.room.member", "@bot:test"),
    "encryption": lambda rig: rig.encryption.is_encrypted(ROOM),
    "media": lambda rig: rig.http.download("test", "abc", 1000),
    "redaction": lambda rig: rig.http.redact(ROOM, "$event1", "txn"),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 500, 503])
async def test_no_page_is_the_homeservers_word(rig: Rig, name: str, status: int) -> None:
    rig.server.instead = lambda request: page(status)
    with pytest.raises(AnswerLost):
        await READS[name](rig)  # type: ignore[misc]


@pytest.mark.parametrize("name", [name for name in READS if name not in ("state", "media")])
async def test_no_empty_object_either(rig: Rig, name: str) -> None:
    rig.server.instead = lambda request: web.json_response({})
    with pytest.raises(AnswerLost):
        await READS[name](rig)  # type: ignore[misc]


async def test_an_empty_object_encrypts_no_room(rig: Rig) -> None:
    rig.server.instead = lambda request: web.json_response({})
    with pytest.raises(MatrixError):
        await rig.encryption.is_encrypted(ROOM)
    rig.server.instead = lambda request: None
    assert not await rig.encryption.is_encrypted(ROOM)
