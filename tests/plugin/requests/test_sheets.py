"""Several pictures of one request as one sheet in the room: once, whatever dies, and with what makes each again."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from plugin_rig import ROOM, Rig

from otterbot import texts
from otterbot.config import ReactionValues
from otterbot.matrix import event_content
from otterbot.matrix.event_content import OUR_KEY
from otterbot.outbox import offers
from otterbot.requests.following import CHOSEN
from otterbot.requests.sheet_fields import MOST, packed, sheet_in
from otterbot.requests.sheets import offered
from otterbot.store.part_names import SHEET
from otterbot.store.rows import follow_key
from otterbot.store.store import Commit
from otterbot.worker.jobs import Job, Picture

FOUR = {"count": 4, "sheet": {}}


def sheets(rig: Rig) -> list[dict[str, Any]]:
    return [event for event in rig.server.pictures(ROOM) if "sheet" in event["content"][OUR_KEY]]


async def test_one_event_with_what_makes_each_again(rig: Rig) -> None:
    request = await rig.ask(body=FOUR)
    assert (await rig.done(request)).outcome == "succeeded"
    [event] = rig.server.pictures(ROOM)
    content = event["content"]
    assert (content["info"]["mimetype"], content[OUR_KEY]["part"]) == ("image/jpeg", "sheet")
    assert content["body"].startswith("an otter\n\notter-noise · seeds 7–10")
    assert "reply `4`" in content["body"], "how to choose"
    found = sheet_in(event)
    assert found is not None
    job = rig.worker_server.by_key(request.key)
    assert content[OUR_KEY]["image"] == job["sheet"]["picture"]["image_id"]
    for field, picture in zip(found.fields, job["pictures"], strict=True):
        assert field.record is not None
        assert field.record["used"] == {
            name: value
            for name, value in event_content.canonical(picture["result"]["record"]["used"]).items()
            if value is not None
        }
        assert field.image == picture["result"]["image_id"]
    await rig.until(lambda: rig.worker_server.delivered == [job["sheet"]["picture"]["image_id"]])
    assert await rig.store.last_picture(ROOM) == event["event_id"]


async def test_the_status_counts_pictures_and_nothing_comes_before_all_are_done(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 3, "sheet": {}})
    await rig.until(lambda: request.key in rig.worker_server.bodies)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.draw(job, 0)
    job["pictures"][1]["state"] = "running"
    rig.worker_server.changed(job)
    await rig.until(lambda: any("Picture 2 of 3" in body for body in rig.bodies()))
    assert not rig.server.pictures(ROOM)
    rig.worker_server.draw_all(job)
    await rig.done(request)
    assert len(sheets(rig)) == 1


async def test_a_restart_between_the_end_of_the_job_and_the_sheet(rig: Rig) -> None:
    rig.worker_server.sheets = False
    request = await rig.ask(body=FOUR)
    await rig.until(lambda: rig.worker_server.jobs and rig.worker_server.by_key(request.key)["state"] == "succeeded")
    await rig.stop()
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.make_sheet(job)
    await rig.run()
    assert (await rig.done(request)).outcome == "succeeded"
    await rig.restart()
    await asyncio.sleep(0.1)
    assert len(rig.server.pictures(ROOM)) == len(sheets(rig)) == 1


async def test_the_sheet_may_come_a_moment_after_the_job(rig: Rig) -> None:
    rig.worker_server.sheets = False
    request = await rig.ask(body=FOUR)
    await rig.until(lambda: rig.worker_server.jobs and rig.worker_server.by_key(request.key)["state"] == "succeeded")
    await asyncio.sleep(0.1)
    assert not rig.server.pictures(ROOM)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.make_sheet(job)
    rig.worker_server.changed(job)
    await rig.done(request)
    assert len(sheets(rig)) == 1


async def test_a_picture_that_failed_is_said_and_the_sheet_is_there(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body=FOUR)
    await rig.until(lambda: request.key in rig.worker_server.bodies)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.fail(job, 0)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "failed"
    [event] = sheets(rig)
    found = sheet_in(event)
    assert found is not None
    assert [(field.record is None, field.absent) for field in found.fields] == [(True, "failed"), *[(False, "")] * 3]
    await rig.until(lambda: any(body.startswith("⚠️ 3 of 4 drawn") for body in rig.bodies()))


async def test_where_all_failed_it_is_a_plain_failure(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body=FOUR)
    await rig.until(lambda: request.key in rig.worker_server.bodies)
    job = rig.worker_server.by_key(request.key)
    for index in range(4):
        rig.worker_server.fail(job, index)
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: "❌ It broke." in rig.bodies())
    assert not rig.server.pictures(ROOM)


async def test_where_no_sheet_can_be_made_its_pictures_come(rig: Rig) -> None:
    rig.worker_server.sheets = False
    request = await rig.ask(body=FOUR)
    await rig.until(lambda: rig.worker_server.jobs and rig.worker_server.by_key(request.key)["state"] == "succeeded")
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.make_sheet(job, {"code": "sheet_failed", "message": "No.", "details": {}})
    rig.worker_server.changed(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert sorted(rig.seeds()) == [7, 8, 9, 10]
    assert not sheets(rig)
    assert sum(texts.NO_SHEET in body for body in rig.bodies()) == 1


async def test_an_older_worker_is_not_asked_for_one(rig: Rig) -> None:
    rig.worker_server.features = ["img2img"]
    more = {"drawn_before": "image-1", "preview": True, "card": "GTX 1070"}
    request = await rig.ask(body={**FOUR, **more}, asked={"sheet": True, "watch": True})
    assert (await rig.done(request)).outcome == "succeeded"
    assert sorted(rig.seeds()) == [7, 8, 9, 10]
    for sentence in (texts.SHEET_OLD_WORKER, texts.WATCH_OLD_WORKER):
        assert sum(sentence in body for body in rig.bodies()) == 1, "said to who asked for it"
    assert not {"sheet", "preview", "drawn_before", "card"} & rig.worker_server.submissions[0]["request"].keys()


async def test_a_worker_that_has_forgotten_it_makes_it_again(rig: Rig) -> None:
    rig.worker_server.sheets = False
    request = await rig.ask(body=FOUR)
    await rig.until(lambda: rig.worker_server.jobs and rig.worker_server.by_key(request.key)["state"] == "succeeded")
    await rig.worker_server.stop()
    rig.worker_server.forget()
    rig.worker_server.sheets = True
    await rig.worker_server.start()
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.worker_server.submissions[-1]["kind"] == "resolved"
    assert len(sheets(rig)) == 1


async def test_deleted_in_its_room_it_leaves_the_archive(rig: Rig) -> None:
    request = await rig.ask(body=FOUR)
    await rig.done(request)
    [event] = sheets(rig)
    await rig.delivery.cancelling.redacted(ROOM, event["event_id"])
    image = rig.worker_server.by_key(request.key)["sheet"]["picture"]["image_id"]
    await rig.until(lambda: rig.worker_server.deleted == [image])
    part = await rig.store.part(request.key, SHEET)
    assert part is not None


# ---------------------------------------------------------------- how much fits into an event


def pictures(count: int, words: Any, **more: Any) -> list[Picture]:
    def result(number: int) -> dict[str, Any]:
        used = {
            "prompt": words(number), "negative_prompt": "ugly " * 40, "model": "ssd-1b", "model_hash": "a" * 64,
            "sampler": "UniPC", "steps": 30, "guidance_scale": 4.5 + number, "width": 768, "height": 768,
            "seed": 7, "parser": "otterbot-1", "versions": {"torch": "2.5.1", "diffusers": "0.35"}, "plan": "resident",
            "loras": [], "embeddings": [], "init_image": None, **more,
        }  # fmt: skip
        return {
            "image_id": f"{number:032x}", "filename": "a.png", "mimetype": "image/png", "size": 1, "width": 1,
            "height": 1,
            "blurhash": "", "thumbnail": {"width": 1, "height": 1, "size": 1, "mimetype": "image/png"},
            "record": {"v": 1, "asked": {"prompt": words(number)}, "used": used, "took": 31.25 + number},
        }  # fmt: skip

    told = [{"index": n, "seed": 7, "state": "succeeded", "result": result(n)} for n in range(count)]
    return [Picture.read(one) for one in told]


def event_of(found: list[Picture]) -> dict[str, Any]:
    assert found[0].result is not None
    base = event_content.canonical(found[0].result.record)
    return {"content": {"msgtype": "m.image", OUR_KEY: {"record": base, "sheet": packed(5, found, base)}}}


RUSSIAN = ["выдра", "в", "ковбойской", "шляпе", "на", "берегу", "северного", "моря", "под", "дождём", "утром"]


def russian(number: int) -> str:
    dice = random.Random(number)
    return " ".join(dice.choice(RUSSIAN) for _ in range(120))


SIZES: dict[str, tuple[int, Any, int]] = {
    "25 fields of one prompt": (25, lambda n: "otter, cowboy hat", 8_000),
    "25 fields with a word of a long prompt": (25, lambda n: f"otter {n} " + "in the rain " * 320, 20_000),
    "25 Russian prompts of 800 signs, each another": (25, russian, 40_000),
    "64 fields": (MOST, lambda n: "otter, cowboy hat", 16_000),
}


@pytest.mark.parametrize("case", SIZES)
def test_the_size_of_a_sheets_event(case: str) -> None:
    count, words, most = SIZES[case]
    found = pictures(count, words)
    event = event_of(found)
    print(case, event_content.size(event["content"]))
    assert event_content.size(event["content"]) < most
    read = sheet_in(event)
    assert read is not None
    assert len(read.fields) == count
    for field, picture in zip(read.fields, found, strict=True):
        assert field.record is not None
        assert picture.result is not None
        used = event_content.canonical(picture.result.record["used"])
        assert field.record["used"] == {name: value for name, value in used.items() if value is not None}
        assert field.record["took"] == event_content.canonical(picture.result.record["took"])


def test_words_that_do_not_fit_are_left_out_and_nothing_else() -> None:
    dice = random.Random(1)
    found = pictures(25, lambda n: "".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(4_000)))
    event = event_of(found)
    assert event_content.size({"sheet": event["content"][OUR_KEY]["sheet"]}) < 24_500
    read = sheet_in(event)
    assert read is not None
    assert read.fields[0].record, "the first one is the event's own record"
    assert read.fields[1].record == {}
    assert read.fields[1].image == f"{1:032x}"


HOSTILE: list[Any] = [
    None, [], "sheet", {"columns": 2}, {"columns": "2", "fields": [{}]}, {"columns": 0, "fields": [{}]},
    {"columns": 2, "fields": []}, {"columns": 2, "fields": [{}] * 65}, {"columns": 2, "packed": "%%%"},
    {"columns": 2, "packed": 7}, {"columns": 2, "packed": "eJwDAAAAAAE="}, {"columns": 1e99, "fields": [{}]},
]  # fmt: skip


@pytest.mark.parametrize("told", HOSTILE)
def test_what_is_no_sheet(told: Any) -> None:
    assert sheet_in({"content": {"msgtype": "m.image", OUR_KEY: {"record": {}, "sheet": told}}}) is None


def test_a_bomb_is_not_unpacked() -> None:
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(b"[" + b"1," * 30_000_000 + b"1]", 9)).decode()
    told = {"columns": 2, "packed": bomb}
    assert sheet_in({"content": {"msgtype": "m.image", OUR_KEY: {"record": {}, "sheet": told}}}) is None


def test_what_is_odd_in_a_field_is_no_record() -> None:
    fields = [7, {"used": 7, "image": "../x"}, {"absent": "@room"}, {"used": {"seed": None}}]
    event = {"content": {OUR_KEY: {"record": {"used": {"seed": 7}}, "sheet": {"columns": 2, "fields": fields}}}}
    read = sheet_in(event)
    assert read is not None
    assert [field.absent for field in read.fields] == ["failed", "", "failed", ""]
    assert read.fields[1].image is None
    assert read.fields[3].record is not None
    assert read.fields[3].record["used"] == {}


async def test_a_sweep_that_is_cancelled_keeps_what_is_drawn(rig: Rig) -> None:
    """By whoever types `!cancel`, also where the process dies before the worker is told. Deleting its message takes it
    all back."""
    rig.worker_server.auto = False
    sweep = {"sweep": [{"field": "steps", "values": [5, 10, 20]}], "count": 3, "sheet": {}}
    request, other = await rig.ask(body=sweep), await rig.ask(body=sweep)
    await rig.until(lambda: {request.key, other.key} <= rig.worker_server.bodies.keys())
    for key in (request.key, other.key):
        rig.worker_server.draw(rig.worker_server.by_key(key), 0)
        await rig.until(lambda key=key: rig.delivery.cancelling.keeps(key))
    done = await rig.store.commit(Commit(mark=None, room_id=ROOM, stop=[request.key]))
    assert [one.key for one in done.stopped] == [request.key]
    await rig.restart()
    assert (await rig.done(request)).outcome == "cancelled"
    [event] = sheets(rig)
    found = sheet_in(event)
    assert found is not None
    assert [field.absent for field in found.fields] == ["", "cancelled", "cancelled"]
    assert not rig.worker_server.deleted
    await rig.delivery.cancelling.redacted(ROOM, other.event_id)
    await rig.until(lambda: rig.worker_server.deleted)
    assert len(sheets(rig)) == 1


async def test_what_follows_is_not_lost_silently_when_the_first_one_expires(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body={"then": {"body": {"prompt": "b"}, "asked": {}, "notes": []}})
    await rig.until(lambda: rig.worker_server.jobs)
    await rig.delivery.giving_up.expire(request)
    assert (await rig.done(request)).outcome == "expired"
    await rig.until(lambda: any(body.endswith(texts.NOR_WHAT_FOLLOWS) for body in rig.bodies()))


OFFERS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "four": (FOUR, ["1️⃣", "2️⃣", "3️⃣", "4️⃣", "🔁"]),
    "seven, whose numbers are too many": ({"count": 7, "sheet": {}}, ["🔁"]),
}


@pytest.mark.parametrize("case", OFFERS)
async def test_what_is_offered_under_a_sheet(rig: Rig, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(offers, "LATE", 3600.0)
    body, wanted = OFFERS[case]
    rig.values = replace(rig.values, reactions=ReactionValues())
    await rig.done(await rig.ask(body=body))
    place = sheets(rig)[0]["event_id"]

    def under() -> list[str]:
        relations = (event["content"]["m.relates_to"] for event in rig.server.of_bot(ROOM, "m.reaction"))
        return [one["key"] for one in relations if one["event_id"] == place]

    await rig.until(lambda: len(under()) == len(wanted))
    await rig.until(lambda: not rig.outbox.sendable())
    assert under() == wanted


def test_which_fields_are_offered() -> None:
    def job(*fields: tuple[str, bool]) -> Job:
        told = [{"index": n, "name": name, "shown": shown} for n, (name, shown) in enumerate(fields)]
        return Job.read(
            {"id": "j", "key": "k", "kind": "image", "state": "failed", "sheet": {"columns": 2, "fields": told}}
        )

    assert offered(("⭐", "🎲"), job(("1", True), ("2", False), ("3", True))) == ("1️⃣", "3️⃣", "⭐")
    assert offered(("🔁",), job(("A1", True), ("B1", True))) == ("🔁",), "they have other names"
    assert offered((), job(("1", True), ("2", True))) == (), "the room wants none"
    assert offered(("🔁", "⬆️"), None) == ("🔁",)


@pytest.mark.parametrize(
    ("then", "comes"), [({"prompt": "b", "seed": 9}, True), ({"init_image": {"event": CHOSEN}}, False)]
)
async def test_where_the_first_one_chosen_is_refused_the_next_comes(
    rig: Rig, then: dict[str, Any], comes: bool
) -> None:
    rig.worker_server.refuse = (422, {"code": "unknown_model"})
    request = await rig.ask(body={"then": {"body": then, "asked": {}, "notes": []}})
    assert (await rig.done(request)).outcome == "refused"
    following = await rig.store.request(follow_key(request.key))
    assert (following is not None) is comes
    if following is not None:
        rig.worker_server.refuse = None
        assert (await rig.done(following)).outcome in ("refused", "succeeded"), "it was asked for"


def test_of_words_by_chance_the_caption_has_what_they_were_drawn_from() -> None:
    def record(number: int, template: str | None) -> dict[str, Any]:
        chance = None if template is None else {"prompt": template}
        return {"used": {"prompt": f"otter, hat {number}", "seed": number, "model": "m", "chance": chance}}

    template = "otter, {red|green} hat"
    said = texts.sheet_caption([record(1, template), record(2, template)])
    assert said.splitlines()[0].replace("\\", "") == template
    other = texts.sheet_caption([record(1, template), record(2, None)])
    assert other == "m · seeds 1–2", "they have nothing in common"
