"""A picture's way from the room to the worker, whatever dies, refuses or lies in between."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from homeserver_double import HomeserverDouble
from mautrix.crypto.attachments import encrypt_attachment
from plugin_rig import ROOM, Rig
from worker_double import WorkerDouble, png

from otterbot import texts
from otterbot.config import Values
from otterbot.requests import input_images
from otterbot.requests.input_images import sniff, source_of
from otterbot.requests.start_places import start_event
from otterbot.store.rows import Request, RequestState

PICTURE = png(5)
ID = hashlib.sha256(PICTURE).hexdigest()


def post(rig: Rig, data: bytes = PICTURE, **content: Any) -> str:
    rig.server.media["mxc://test/cat"] = data
    whole = {"msgtype": "m.image", "body": "cat.png", "url": "mxc://test/cat", "info": {}, **content}
    return str(rig.server.add(ROOM, "@user:test", "m.room.message", whole)["event_id"])


async def ask(rig: Rig, event: str, **more: Any) -> Request:
    return await rig.ask(body={"init_image": {"event": event}, "strength": 0.6}, **more)


async def submitted(rig: Rig, request: Request) -> None:
    """Until the answer to its submission is stored."""
    for _ in range(1_000):
        found = await rig.store.request(request.key)
        if found is not None and found.state is RequestState.SUBMITTED:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it is not submitted")


async def final(rig: Rig) -> str:
    """What the room is told in the end."""
    found: str = await rig.until(lambda: next((body for body in rig.bodies() if body.startswith("❌")), None))
    return found


@pytest_asyncio.fixture
async def waiting(
    tmp_path: Path, server: HomeserverDouble, worker_server: WorkerDouble, values: Values
) -> AsyncIterator[Rig]:
    """Nothing is drawn by itself."""
    worker_server.auto = False
    built = await Rig(tmp_path / "plugin.db", server, worker_server, values).run()
    yield built
    await built.stop()


async def test_it_is_brought_and_drawn_from(rig: Rig) -> None:
    event = post(rig)
    request = await rig.done(await ask(rig, event))
    assert request.outcome == "succeeded"
    assert rig.worker_server.inputs == {ID: (PICTURE, "image/png", "false")}
    assert rig.worker_server.submissions[0]["request"]["init_image"] == {"id": ID}
    ours = rig.server.pictures(ROOM)[0]["content"]["org.otterbot"]
    assert ours["start"] == event
    assert (ours["record"]["used"]["init_image"], ours["record"]["used"]["strength"]) == (ID, "0.6")


async def test_an_encrypted_one_is_decrypted_and_private(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cipher, keys = encrypt_attachment(PICTURE)
    event = post(rig, bytes(cipher), url=None, file={**keys.serialize(), "url": "mxc://test/cat"})
    assert (await rig.done(await ask(rig, event, private=True))).outcome == "succeeded"
    assert rig.worker_server.inputs == {ID: (PICTURE, "image/png", "true")}
    stored = Path(rig.path).read_bytes()
    for secret in (keys.key.key, keys.iv, keys.hashes["sha256"]):
        assert secret not in caplog.text
        assert secret.encode() not in stored
        assert secret not in repr(source_of(rig.server.rooms[ROOM][0]))


async def test_a_page_in_place_of_the_picture_is_waited_out(rig: Rig) -> None:
    """A login page with 200 is no broken picture."""
    times = 2

    def instead(request: web.Request) -> web.Response | None:
        nonlocal times
        if "/download/" not in request.path or not times:
            return None
        times -= 1
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    rig.server.instead = instead
    assert (await rig.done(await ask(rig, post(rig)))).outcome == "succeeded"
    assert times == 0


async def test_its_transparent_parts_are_the_mask(rig: Rig) -> None:
    """A worker that does not say that they are there would take what is white."""
    event = post(rig)
    whole = {"init_image": {"event": event}, "mask": {"event": event}}
    for features, alpha, refusal in (
        (["img2img"], True, texts.INPAINT_OLD_WORKER),
        (["img2img", "inpaint"], False, texts.INPAINT_NO_HOLES),
    ):
        rig.worker_server.features, rig.worker_server.alpha = features, alpha
        assert (await rig.done(await rig.ask(body=whole))).outcome != "succeeded"
        await rig.until(lambda said=f"❌ {refusal}": said in rig.bodies())
    assert rig.worker_server.submissions == []
    rig.worker_server.alpha = True
    assert (await rig.done(await rig.ask(body=whole))).outcome == "succeeded"
    sent = rig.worker_server.submissions[0]["request"]
    assert (sent["init_image"], sent["mask"]) == ({"id": ID}, {"id": ID})


async def test_a_worker_that_knows_no_keys_gets_the_sentence(rig: Rig) -> None:
    body = {"prompt": "otter, oil", "structure": {"subject": "otter", "style": "oil"}}
    assert (await rig.done(await rig.ask(body=body))).outcome == "succeeded"
    rig.worker_server.features = ["structure"]
    assert (await rig.done(await rig.ask(body=body))).outcome == "succeeded"
    old, new = (one["request"] for one in rig.worker_server.submissions)
    assert ("structure" in old, old["prompt"]) == (False, "otter, oil")
    assert new["structure"] == body["structure"]


async def test_it_steers(rig: Rig) -> None:
    event = post(rig)
    whole = {"control": {"event": event, "kind": "canny", "scale": 0.7}}
    assert (await rig.done(await rig.ask(body=whole))).outcome != "succeeded"
    await rig.until(lambda: f"❌ {texts.CONTROL_OLD_WORKER}" in rig.bodies())
    rig.worker_server.features = ["img2img", "control"]
    assert (await rig.done(await rig.ask(body=whole))).outcome == "succeeded"
    sent = rig.worker_server.submissions[0]["request"]
    assert (sent["control"], "init_image" in sent) == ({"id": ID, "kind": "canny", "scale": 0.7}, False)
    assert start_event(whole) == event


async def test_a_large_one(rig: Rig) -> None:
    large = PICTURE + bytes(3_000_000)
    assert (await rig.done(await ask(rig, post(rig, large)))).outcome == "succeeded"
    assert rig.worker_server.inputs[hashlib.sha256(large).hexdigest()][0] == large


async def test_a_changed_one_is_not_taken(rig: Rig) -> None:
    cipher, keys = encrypt_attachment(PICTURE)
    event = post(rig, bytes(cipher)[:-1] + b"x", url=None, file={**keys.serialize(), "url": "mxc://test/cat"})
    assert (await rig.done(await ask(rig, event))).outcome == "refused"
    assert texts.START_BROKEN in await final(rig)
    assert rig.worker_server.uploads == 0


async def test_the_worker_lost_it(waiting: Rig) -> None:
    rig = waiting
    request = await ask(rig, post(rig))
    await submitted(rig, request)
    rig.worker_server.forget()
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.worker_server.jobs)
    assert [one["request"]["init_image"]["id"] for one in rig.worker_server.submissions] == [ID] * 3
    assert rig.worker_server.uploads == 2, "once more, when it was said to be gone"
    first, *again = rig.worker_server.submissions
    assert ([first["kind"]], again[0]) == (["image"], again[1])
    resolved = {**again[1]["request"], "init_image": {"id": ID}}
    assert {name: resolved[name] for name in first["request"]} == first["request"]
    assert again[1]["kind"] == "resolved"
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"


@pytest.mark.parametrize("place", ["control", "mask"])
async def test_the_worker_lost_what_else_it_is_for(waiting: Rig, place: str) -> None:
    """The picture of the event again, in the request as the worker has resolved it."""
    rig = waiting
    rig.worker_server.features, rig.worker_server.alpha = ["img2img", "inpaint", "control"], True
    event = post(rig)
    body = (
        {"control": {"event": event, "kind": "canny", "scale": 0.7}}
        if place == "control"
        else {"init_image": {"event": event}, "mask": {"event": event}}
    )
    request = await rig.ask(body=body)
    await submitted(rig, request)
    before = rig.worker_server.by_key(request.key)["resolved"]
    rig.worker_server.forget()
    await rig.restart()
    await rig.until(lambda: rig.worker_server.jobs)
    again = rig.worker_server.submissions[-1]
    assert (again["kind"], again["request"]) == ("resolved", before)
    assert again["request"][place]["id"] == ID
    assert list(rig.worker_server.inputs) == [ID]
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.server.pictures(ROOM)[0]["content"]["org.otterbot"]["start"] == event


async def test_one_persons_slow_pictures_hold_up_nobody_elses(rig: Rig) -> None:
    """The worker checks them one after another, by person, and so they are brought."""
    enough = rig.worker_server.slow_owners["@slow:test"] = asyncio.Event()
    slow = [await ask(rig, post(rig), sender="@slow:test") for _ in range(3)]
    await rig.until(lambda: rig.worker_server.uploads)
    assert (await rig.done(await ask(rig, post(rig), sender="@quick/ä:test"))).outcome == "succeeded"
    assert rig.worker_server.owners == ["@slow:test", "@quick%2F%C3%A4:test"]
    enough.set()
    assert [(await rig.done(request)).outcome for request in slow] == ["succeeded"] * 3


async def test_a_worker_that_loses_it_for_ever(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterbot.requests.submit.BACKOFF", (0.01,))
    rig.worker_server.refuse = (422, {"code": "input_gone"})
    assert (await rig.done(await ask(rig, post(rig)))).outcome == "refused"
    assert rig.worker_server.uploads == input_images.TRIES


async def test_a_restart_at_any_moment(waiting: Rig) -> None:
    """Between the acceptance and the job nothing is stored, so everything is done again, to the same end."""
    rig = waiting
    rig.worker_server.refuse_input = (503, {"code": "x"})
    request = await ask(rig, post(rig))
    await rig.until(lambda: rig.worker_server.uploads)
    rig.worker_server.refuse_input, rig.worker_server.refuse = None, (503, {"code": "x"})
    await rig.restart()
    await rig.until(lambda: rig.worker_server.submissions)
    rig.worker_server.refuse = None
    await rig.restart()
    await rig.until(lambda: rig.worker_server.jobs)
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"
    assert list(rig.worker_server.inputs) == [ID]
    assert len(rig.server.pictures(ROOM)) == 1


async def test_nothing_is_fetched_while_the_worker_is_away(rig: Rig) -> None:
    await rig.worker_server.stop()
    request = await ask(rig, post(rig))
    await asyncio.sleep(0.5)
    assert rig.server.downloads == []
    found = await rig.store.request(request.key)
    assert found is not None
    assert found.state is RequestState.KEPT
    await rig.worker_server.start()
    assert (await rig.done(request)).outcome == "succeeded"
    assert len(rig.server.downloads) == 1


async def test_a_homeserver_of_before_2024(rig: Rig) -> None:
    rig.server.old_media = True
    assert (await rig.done(await ask(rig, post(rig)))).outcome == "succeeded"


async def test_a_homeserver_that_stumbles(rig: Rig) -> None:
    rig.server.media_trouble = [500, 429]
    assert (await rig.done(await ask(rig, post(rig)))).outcome == "succeeded"


async def test_a_homeserver_that_cannot(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterbot.requests.submit.BACKOFF", (0.01,))
    rig.server.media_trouble = [502] * 99
    assert (await rig.done(await ask(rig, post(rig)))).outcome == "refused"
    assert texts.START_AWAY in await final(rig)
    assert len(rig.server.downloads) == input_images.TRIES


async def test_it_is_counted_whatever_was_said(rig: Rig) -> None:
    rig.worker_server.limits = {"input_bytes": 1_000_000}
    event = post(rig, PICTURE + b"x" * 1_000_000, info={"size": 5})
    assert (await rig.done(await ask(rig, event))).outcome == "refused"
    assert texts.start_too_large(1_000_000) in await final(rig)
    assert rig.worker_server.uploads == 0


ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "picture_unreadable": ({"refuse_input": (422, {"code": "picture_unreadable"})}, texts.START_BROKEN),
    "picture_too_large": ({"refuse_input": (422, {"code": "picture_too_large"})}, texts.START_PIXELS),
    "picture_too_small": ({"refuse_input": (422, {"code": "picture_too_small"})}, texts.START_SMALL),
    "picture_too_complex": ({"refuse_input": (422, {"code": "picture_too_complex"})}, texts.START_COMPLEX),
    "picture_cut_off": ({"refuse_input": (422, {"code": "picture_cut_off"})}, texts.START_CUT_OFF),
    "too_large": ({"refuse_input": (413, {"code": "too_large"})}, texts.start_too_large(20_000_000)),
    "disk_full": ({"refuse_input": (507, {"code": "disk_full"})}, "disk is full"),
    "an old worker": ({"features": ["images"]}, texts.START_OLD_WORKER),
    "something new": ({"refuse_input": (422, {"code": "what"})}, "The worker refused that."),
}


@pytest.mark.parametrize("case", ENDS)
async def test_refusals_are_sentences(rig: Rig, case: str) -> None:
    changes, sentence = ENDS[case]
    for name, value in changes.items():
        setattr(rig.worker_server, name, value)
    assert (await rig.done(await ask(rig, post(rig)))).outcome == "refused"
    assert sentence in await final(rig)
    await rig.until(lambda: "❌" in rig.reactions())


async def test_a_kept_one_waits_for_room_on_the_disk(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker was not there when it was asked for, and takes no picture to start from when it is."""
    monkeypatch.setattr("otterbot.requests.submit.BACKOFF", (0.05,))
    rig.worker_server.refuse_input = (503, {"code": "starting"})
    request = await ask(rig, post(rig))
    await rig.until(lambda: rig.worker_server.uploads)
    rig.worker_server.refuse_input = (507, {"code": "disk_full"})
    before = rig.worker_server.uploads
    await rig.until(lambda: rig.worker_server.uploads > before + 2)
    rig.worker_server.refuse_input = None
    assert (await rig.done(request)).outcome == "succeeded"


async def test_what_is_gone_or_no_picture(rig: Rig) -> None:
    gone = post(rig)
    rig.server.rooms[ROOM][-1]["unsigned"]["redacted_because"] = {}
    text = post(rig, b"I am an otter")
    for event, sentence in ((gone, texts.START_DELETED), ("$nowhere", texts.START_UNREADABLE)):
        request = await rig.done(await ask(rig, event))
        assert request.outcome == "refused"
        await rig.until(lambda sentence=sentence: any(sentence in body for body in rig.bodies()))
    assert (await rig.done(await ask(rig, text))).outcome == "refused"
    await rig.until(lambda: any(texts.START_BROKEN in body for body in rig.bodies()))
    lost = post(rig)
    rig.server.media.clear()
    assert (await rig.done(await ask(rig, lost))).outcome == "refused"
    await rig.until(lambda: any(texts.START_GONE in body for body in rig.bodies()))
    assert rig.worker_server.uploads == 0


def test_sniffing() -> None:
    heads = {
        b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff\xe0": "image/jpeg", b"RIFF\0\0\0\0WEBPVP8 ": "image/webp",
        b"GIF89a": "image/gif", b"GIF87a": "image/gif", b"": None, b"RIFF\0\0\0\0WAVE": None, b"<svg": None,
        b"BM": None,
    }  # fmt: skip
    for head, kind in heads.items():
        assert sniff(head) == kind
