"""From an accepted request to its picture in the room."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from plugin_rig import ROOM, Rig
from worker_double import TOKEN

from otterbot.config import StatusValues
from otterbot.errors import WorkerUnreachable
from otterbot.matrix import event_content
from otterbot.requests.active import ActiveRequest
from otterbot.requests.status_line import compose
from otterbot.store.rows import Part, Request
from otterbot.store.store import Commit
from otterbot.worker.jobs import Job


async def test_a_picture_comes_as_a_reply_with_all_that_belongs_to_it(rig: Rig) -> None:
    request = await rig.ask()
    [event] = await rig.server.wait(lambda: rig.server.pictures(ROOM))
    content = event["content"]
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": request.event_id}}
    assert content["info"]["w"] == content["info"]["h"] == 8
    assert content["info"]["mimetype"] == "image/png"
    assert content["info"]["xyz.amorgan.blurhash"]
    assert content["info"]["thumbnail_info"]["w"] == 8
    assert rig.server.media[content["url"]].startswith(b"\x89PNG")
    assert rig.server.media[content["info"]["thumbnail_url"]]
    assert content["filename"].endswith(".png")
    assert content["body"].startswith("an otter")
    assert content["m.mentions"] == {}
    assert content["org.otterbot"]["key"] == request.key
    assert content["org.otterbot"]["part"] == "picture/0"
    assert content["org.otterbot"]["record"]["used"]["seed"] == 7
    assert (await rig.done(request)).outcome == "succeeded"
    await rig.server.wait(lambda: rig.worker_server.delivered)
    await rig.server.wait(lambda: rig.reactions() == ["⏳", "✅"])
    await rig.server.wait(lambda: rig.server.of_bot(ROOM, "m.room.redaction"))


async def test_pictures_come_one_by_one(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 3})
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.draw(job, 1)
    await rig.until(lambda: rig.seeds() == [8])
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.seeds() == [8, 7])
    assert (await rig.store.open_requests()) != []
    rig.worker_server.draw(job, 2)
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [8, 7, 9]


async def test_a_worker_that_is_off_gets_it_when_it_is_back(rig: Rig) -> None:
    await rig.worker_server.stop()
    request = await rig.ask()
    await asyncio.sleep(0.5)
    assert rig.worker_server.submissions == []
    await rig.worker_server.start()
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_the_room_hears_that_it_is_kept_and_until_when(rig: Rig) -> None:
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.2))
    await rig.worker_server.stop()
    request = await rig.ask()
    [said] = await rig.until(rig.bodies)
    assert "off" in said
    assert "h" in said or "min" in said
    await rig.worker_server.start()
    await rig.done(request)
    await rig.until(lambda: len(rig.bodies()) == 3)
    final = rig.server.of_bot(ROOM)[-1]["content"]
    assert final["m.relates_to"]["rel_type"] == "m.replace"
    assert "Done" in final["m.new_content"]["body"]


async def test_no_status_where_it_is_quick(rig: Rig) -> None:
    await rig.done(await rig.ask())
    await asyncio.sleep(0.3)
    assert len(rig.bodies()) == 1


async def test_progress_is_shown_with_restraint(rig: Rig) -> None:
    rig.values = replace(rig.values, status=StatusValues(after_seconds=0.1, edit_seconds=0.2, max_edits=3))
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    job["pictures"][0].update(state="running", attempt=1)
    rig.worker_server.changed(job)
    for step in range(1, 31):
        progress = {"phase": "denoising", "step": step, "steps": 30, "eta_s": 30.0 - step, "attempt": 1}
        event = {"job_id": job["id"], "index": 0, "progress": progress, "eta_s": 60.0 - step}
        rig.worker_server.say("progress", event)
        await asyncio.sleep(0.05)
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await rig.until(lambda: any("Done" in body for body in rig.bodies()))
    left = [int(seconds) for body in rig.bodies() for seconds in re.findall(r"About (\d+) s left", body)]
    assert len(set(left)) >= 2, "the time left moves with the steps"
    edits = [body for body in rig.bodies() if body.startswith("* ")]
    assert 2 <= len(edits) <= 4
    assert any("/30" in body for body in rig.bodies())


@pytest.mark.parametrize("point", ["kept", "submitted", "drawn", "sending", "sent"])
async def test_a_restart_at_every_step_delivers_once(rig: Rig, point: str) -> None:
    """The plugin stops right after the state ``point`` was written, and starts again."""
    rig.server.forget_transactions = True
    rig.worker_server.auto = False
    if point == "kept":
        await rig.worker_server.stop()
    request = await rig.ask()
    if point != "kept":
        await rig.until(lambda: rig.worker_server.jobs)
        await asyncio.sleep(0.2)
    if point in ("sending", "sent"):
        rig.server.swallow = 1
        if point == "sending":
            await _stop_when_marked(rig, request)
        rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
        await rig.until(lambda: rig.server.pictures(ROOM))
    await rig.stop()
    if point == "kept":
        await rig.worker_server.start()
    if point in ("submitted", "drawn"):
        rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    rig.worker_server.auto = True
    await rig.run()
    assert (await rig.done(request)).outcome == "succeeded"
    await asyncio.sleep(0.2)
    assert rig.seeds() == [7]
    assert rig.reactions().count("✅") == 1


async def _stop_when_marked(rig: Rig, request: Request) -> None:
    """From now on the outbox hears nothing: what it sends stays ``sending``."""

    async def never(*_: object) -> None:
        await asyncio.sleep(3600)

    rig.parts.sending._results.sent = never  # type: ignore[method-assign]
    rig.parts.sending._lost = never  # type: ignore[method-assign]


async def test_a_worker_that_has_forgotten_everything_draws_the_same_again(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 2})
    await rig.until(lambda: rig.worker_server.jobs)
    rig.worker_server.draw(rig.worker_server.by_key(request.key), 0)
    await rig.until(lambda: rig.seeds() == [7])
    await rig.worker_server.stop()
    rig.worker_server.forget()
    rig.worker_server.auto = True
    await rig.worker_server.start()
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7, 8]


async def test_what_the_worker_resolved_is_kept_and_submitted_again(rig: Rig) -> None:
    """Whatever its defaults, or the room's, are by then."""
    rig.worker_server.auto = False
    layers = [{"layer": "room", "model": "otter-noise"}, {"layer": "instance", "steps": 9}]
    request = await rig.ask(body={"layers": layers, "most": {"steps": 20}, "asked": {"prompt": "an otter"}})
    await rig.until(lambda: rig.worker_server.jobs)
    resolved = rig.worker_server.by_key(request.key)["resolved"]
    assert resolved["model"] == "otter-noise"
    await rig.until(lambda: (live := rig.delivery.active(request.key)) and live.request.job_id)
    stored = await rig.store.request(request.key)
    assert stored is not None
    assert (stored.resolved, stored.body) == (resolved, request.body)
    rig.worker_server.forget()
    await rig.restart()
    await rig.until(lambda: rig.worker_server.jobs)
    first, again = rig.worker_server.submissions
    assert (first["kind"], first["request"]) == ("image", request.body)
    assert (again["kind"], again["request"]) == ("resolved", resolved)
    assert {**first, "kind": "", "request": {}} == {**again, "kind": "", "request": {}}, "the same key and owner"
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_a_prompt_that_was_written_meanwhile_is_submitted_again(rig: Rig) -> None:
    """Before anything of it stands in the room: what is forgotten then is drawn from the same words."""
    rig.worker_server.auto = False
    request = await rig.ask(body={"prompt": "an otter", "expand": True})
    await rig.until(lambda: (live := rig.delivery.active(request.key)) and live.request.job_id)
    job = rig.worker_server.by_key(request.key)
    job["resolved"] |= {"expand": True, "expansion": None}
    await rig.store.submitted(request.key, job["id"], job["resolved"])
    active = rig.delivery.active(request.key)
    assert active is not None
    active.request = replace(active.request, resolved=job["resolved"])
    written = {**job["resolved"], "expand": False, "expansion": {"prompt": "a", "model": "m", "prompts": ["b"]}}
    job["resolved"] = written
    rig.worker_server.changed(job)
    await rig.until(lambda: active.request.resolved == written)
    rig.worker_server.forget()
    await rig.restart()
    await rig.until(lambda: rig.worker_server.jobs)
    assert rig.worker_server.submissions[-1]["request"] == written


async def test_an_answer_that_is_lost_costs_nothing_of_it(rig: Rig) -> None:
    """The job of that key is there: it was resolved when it came."""
    rig.worker_server.auto = False
    request = rig.request(rig.server.say(ROOM, "!draw an otter"))
    await rig.worker.submit(
        key=request.key, kind="image", owner="x", room="y", private=False, request={"prompt": "a", "seed": 3}
    )
    await rig.store.commit(Commit(mark=None, room_id=ROOM, request=request))
    rig.delivery.accepted_request(request)
    await rig.until(lambda: (live := rig.delivery.active(request.key)) and live.request.job_id)
    stored = await rig.store.request(request.key)
    assert stored is not None
    assert stored.resolved == rig.worker_server.by_key(request.key)["resolved"]


async def test_a_worker_that_does_not_say_what_it_resolved_gets_what_was_asked(rig: Rig) -> None:
    rig.worker_server.auto, rig.worker_server.resolves = False, False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    rig.worker_server.forget()
    await rig.restart()
    await rig.until(lambda: rig.worker_server.jobs)
    assert [one["kind"] for one in rig.worker_server.submissions] == ["image", "image"]
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"


async def test_the_workers_notes_are_said_while_it_waits_and_once_under_the_picture(rig: Rig) -> None:
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.2))
    rig.worker_server.auto = False
    rig.worker_server.notes = ["9x9 was rounded to 8x8: otter-noise draws multiples of 8."]
    request = await rig.ask(notes=("Ours.",))
    said = "Ours. 9x9 was rounded to 8x8: otter-noise draws multiples of 8."
    await rig.until(lambda: any(body.endswith(said) for body in rig.bodies()))
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    await rig.done(request)
    [picture] = rig.server.pictures(ROOM)
    assert picture["content"]["body"].count("was rounded") == 1
    assert picture["content"]["body"].count("Ours.") == 1


async def test_a_refusal_is_worded_with_what_was_asked(rig: Rig) -> None:
    problem = {
        "field": "request.model", "code": "unknown_model", "message": "No such model.", "details": {"near": ["ssd-1b"]},
    }  # fmt: skip
    rig.worker_server.refuse = (422, {"code": "unknown_model", "fields": [problem]})
    request = await rig.ask(body={"model": "ssd1b"})
    assert (await rig.done(request)).outcome == "refused"
    await rig.until(lambda: rig.reactions()[-1:] == ["❌"])
    assert rig.bodies() == ["❌ I do not know the model `ssd1b`. Did you mean `ssd-1b`? `!models` lists them."]


async def test_a_worker_that_forgets_while_a_picture_is_fetched(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.auto = True
    rig.worker_server.draw_all(job)
    rig.worker_server.forget()
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_a_picture_that_left_the_archive_is_spoken_of(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    rig.worker_server.images.clear()
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: rig.bodies() and rig.reactions()[-1] == "❌")
    assert rig.seeds() == []


async def test_the_same_key_with_another_body_is_adopted(rig: Rig) -> None:
    request = rig.request(rig.server.say(ROOM, "!draw an otter"))
    other = {"prompt": "a", "seed": 3}
    await rig.worker.submit(key=request.key, kind="image", owner="x", room="y", private=False, request=other)
    await rig.store.commit(Commit(mark=None, room_id=ROOM, request=request))
    rig.delivery.accepted_request(request)
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [3]


async def test_a_refusal_is_one_plain_sentence(rig: Rig) -> None:
    rig.worker_server.refuse = (429, {"code": "queue_full"})
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "refused"
    await rig.until(lambda: rig.reactions()[-1:] == ["❌"])
    assert len(rig.bodies()) == 1
    assert "full" in rig.bodies()[0]


async def test_bad_fields_are_named(rig: Rig) -> None:
    field = {"field": "request.steps", "code": "too_many", "message": "At most 20 steps with this model."}
    rig.worker_server.refuse = (422, {"code": "invalid_request", "fields": [field]})
    await rig.done(await rig.ask())
    [said] = await rig.until(rig.bodies)
    assert "At most 20 steps" in said


async def test_a_wrong_token_keeps_the_request(rig: Rig) -> None:
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.3))
    rig.worker_server.token = "another"
    request = await rig.ask()
    [said] = await rig.until(rig.bodies)
    assert "token" in said
    rig.worker_server.token = TOKEN
    assert (await rig.done(request, 20)).outcome == "succeeded"


async def test_some_fail_and_some_come(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 2})
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.draw(job, 0)
    rig.worker_server.fail(job, 1, message="It broke the worker twice.")
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: len(rig.bodies()) == 2)
    assert "It broke the worker twice" in rig.bodies()[-1] or "It broke the worker twice" in rig.bodies()[0]
    assert rig.seeds() == [7]


async def test_what_waits_too_long_is_given_back(rig: Rig) -> None:
    await rig.worker_server.stop()
    request = await rig.ask(expires_at=time.time() + 0.3)
    assert (await rig.done(request)).outcome == "expired"
    await rig.until(rig.bodies)
    assert len(rig.bodies()) == 1
    await rig.worker_server.start()
    await asyncio.sleep(0.8)
    assert rig.seeds() == []


async def test_what_expired_after_submission_is_cancelled_when_the_worker_is_back(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(expires_at=time.time() + 0.6)
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.1)
    await rig.worker_server.stop()
    assert (await rig.done(request)).outcome == "expired"
    await rig.worker_server.start()
    await rig.until(lambda: request.key in rig.worker_server.cancelled)


@pytest.mark.parametrize("running", [False, True], ids=["queued", "running"])
async def test_deleting_the_message_cancels(rig: Rig, running: bool) -> None:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    if running:
        job["pictures"][0].update(state="running", attempt=1)
        rig.worker_server.changed(job)
    await rig.delivery.cancelling.redacted(ROOM, request.event_id)
    assert (await rig.done(request)).outcome == "cancelled"
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"])
    assert rig.bodies() == []


async def test_a_cancel_while_the_worker_is_off_is_paid_later(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.1)
    await rig.worker_server.stop()
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.restart()
    await rig.worker_server.start()
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    assert rig.seeds() == []


async def test_deleting_a_picture_deletes_the_archived_one(rig: Rig) -> None:
    await rig.done(await rig.ask())
    await rig.until(lambda: rig.worker_server.delivered)
    [picture] = rig.server.pictures(ROOM)
    await rig.delivery.cancelling.redacted("!elsewhere", picture["event_id"])
    await rig.delivery.cancelling.redacted(ROOM, picture["event_id"])
    await rig.until(lambda: rig.worker_server.deleted == rig.worker_server.delivered)


async def test_delivered_is_told_after_the_worker_is_back(rig: Rig) -> None:
    told = rig.worker.delivered

    async def away(image_id: str) -> None:
        raise WorkerUnreachable("off")

    rig.worker.delivered = away  # type: ignore[method-assign]
    await rig.done(await rig.ask())
    assert rig.worker_server.delivered == []
    rig.worker.delivered = told  # type: ignore[method-assign]
    await rig.restart()
    await rig.until(lambda: len(rig.worker_server.delivered) == 1)


async def test_in_a_thread_it_stays_in_the_thread(rig: Rig) -> None:
    request = await rig.ask(thread_root="$root")
    [event] = await rig.until(lambda: rig.server.pictures(ROOM))
    relation = event["content"]["m.relates_to"]
    assert relation["rel_type"] == "m.thread"
    assert relation["event_id"] == "$root"
    assert relation["m.in_reply_to"]["event_id"] == request.event_id
    assert relation["is_falling_back"] is False


async def test_markup_in_a_prompt_stays_text(rig: Rig) -> None:
    prompt = '<b>@room</b> & "otter" **bold** [x](https://x.y) 💚'
    await rig.done(await rig.ask(body={"prompt": prompt}))
    content = rig.server.pictures(ROOM)[0]["content"]
    assert content["body"].startswith(prompt)
    assert "<b>" not in content["formatted_body"]
    assert "<strong>" not in content["formatted_body"]
    assert "href" not in content["formatted_body"]
    assert content["m.mentions"] == {}


async def test_a_prompt_of_4000_emoji_fits(rig: Rig) -> None:
    prompt = "🦦" * 4000
    await rig.done(await rig.ask(body={"prompt": prompt}))
    content = rig.server.pictures(ROOM)[0]["content"]
    assert event_content.size(content) <= event_content.MAX_CONTENT


async def test_a_picture_over_the_upload_limit(rig: Rig) -> None:
    rig.server.upload_limit = 10
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(rig.bodies)
    assert "--size" in rig.bodies()[0]


async def test_a_room_that_was_left_ends_the_request(rig: Rig) -> None:
    rig.server.forbidden.add(ROOM)
    assert (await rig.done(await rig.ask())).outcome == "failed"


async def test_a_lost_202_is_no_second_job(rig: Rig) -> None:
    submit, calls = rig.worker.submit, 0

    async def lost(**what: Any) -> Job:
        nonlocal calls
        calls += 1
        job = await submit(**what)
        if calls == 1:
            raise WorkerUnreachable("the answer was lost")
        return job

    rig.worker.submit = lost  # type: ignore[method-assign]
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert len(rig.worker_server.jobs) == 1
    assert rig.seeds() == [7]


async def test_the_time_left_counts_down(rig: Rig) -> None:
    """Also while the worker says nothing, and for the whole job where it tells that."""
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 2})
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    job["pictures"][0].update(state="running", attempt=1)
    job["eta_s"] = 90.0
    rig.worker_server.changed(job)
    live = rig.delivery.active(request.key)
    assert live is not None
    await rig.until(lambda: live.job is not None and live.job.eta_s == 90)
    await rig.until(lambda: live.request.job_id)  # progress says only that: before the 202 it is nobody's
    now = live.heard_at
    assert "90 s left" not in compose(live, rig.delivery.worker_state, now + 30)
    assert "60 s left" in compose(live, rig.delivery.worker_state, now + 30)
    assert "left" not in compose(live, rig.delivery.worker_state, now + 91)
    progress = {"phase": "denoising", "step": 3, "steps": 30, "eta_s": 20.0, "attempt": 1}
    rig.worker_server.say("progress", {"job_id": job["id"], "index": 0, "progress": progress, "eta_s": 70.0})
    await rig.until(lambda: live.job is not None and live.job.eta_s == 70)
    assert "About 69 s left" in compose(live, rig.delivery.worker_state, live.heard_at + 1)
    rig.worker_server.say("progress", {"job_id": job["id"], "index": 0, "progress": progress})
    await rig.until(lambda: live.job is not None and live.job.eta_s == 20)


async def test_a_crash_between_the_cancel_and_what_says_so(rig: Rig) -> None:
    """The mark is made, the ⏳ stands: after the start it goes, and ❌ says why nothing comes."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.reactions() == ["⏳"])
    done = await rig.store.commit(Commit(mark=None, room_id=ROOM, cancel=[request.key]))
    assert done.cancelled
    await rig.restart()
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"])
    await rig.until(lambda: rig.server.of_bot(ROOM, "m.room.redaction"))
    await rig.restart()
    await asyncio.sleep(0.3)
    assert rig.reactions() == ["⏳", "❌"], "once"


async def test_a_thread_that_the_homeserver_refuses(rig: Rig) -> None:
    """No thread can begin at an event that relates to another: the picture comes as a reply."""
    rig.server.refuse = lambda content: content.get("m.relates_to", {}).get("rel_type") == "m.thread"
    request = await rig.ask(thread_root="$related")
    assert (await rig.done(request)).outcome == "succeeded"
    [picture] = rig.server.pictures(ROOM)
    assert picture["content"]["m.relates_to"] == {"m.in_reply_to": {"event_id": request.event_id}}


async def test_a_proxys_refusal_is_not_the_homeservers(rig: Rig) -> None:
    """A 404 page of a web server that is being set up anew: the picture is not given up for it."""
    rig.server.pages = 3
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_why_it_is_given_back(rig: Rig) -> None:
    """Whoever waited in vain hears what for."""
    rig.worker_server.auto = False
    rig.worker_server.pause = {"paused": True, "until": None}
    rig.worker_server.say("pause", {"pause": rig.worker_server.pause})
    await rig.until(lambda: rig.delivery.worker_state.pause.paused)
    await rig.ask(expires_at=time.time() + 0.5)
    [said] = await rig.until(rig.bodies)
    assert "needed for something else" in said
    assert "off" not in said


async def test_people_take_turns_when_a_backlog_is_passed_on(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty requests that were kept do not hold up another person's one. The worker's second answer comes only when
    that one stands in the line, however busy the machine is."""
    in_line = asyncio.Event()
    submitter, worker = rig.delivery._submitter, rig.worker_server
    submit, answer = submitter._submit, worker._submit

    async def stands_in_line(live: ActiveRequest, body: dict[str, object]) -> None:
        if live.request.sender == "@other:test":
            in_line.set()
        try:
            await submit(live, body)
        except Exception:
            in_line.clear()
            raise

    async def answers(request: web.Request) -> web.Response:
        if len(worker.submissions) == 1:
            await in_line.wait()
        return await answer(request)

    monkeypatch.setattr(submitter, "_submit", stands_in_line)
    monkeypatch.setattr(worker, "_submit", answers)
    await worker.stop()
    for _ in range(20):
        await rig.ask()
    other = await rig.ask(room="!other:test", sender="@other:test")
    worker.auto = False
    await worker.start()
    await rig.until(lambda: len(worker.submissions) == 21)
    order = [body["key"] for body in worker.submissions]
    assert order.index(other.key) < 4


@pytest.mark.parametrize("how", ["cancelled", "drawn", "deleted"])
async def test_the_end_comes_while_the_first_status_is_stored(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """No "in the queue" after the end, not even after the next start."""
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.1))
    rig.worker_server.auto = False
    add_part, reached, go_on = rig.store.add_part, asyncio.Event(), asyncio.Event()

    async def slow(part: Part) -> bool:
        """The database takes its time, and finishes what it has begun."""

        async def write() -> bool:
            if part.part == "status":
                reached.set()
                await go_on.wait()
            return await add_part(part)

        return await asyncio.shield(asyncio.create_task(write()))

    monkeypatch.setattr(rig.store, "add_part", slow)
    request = await rig.ask()
    await reached.wait()
    if how == "drawn":
        rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
        ending = None
    elif how == "deleted":
        ending = asyncio.create_task(rig.delivery.cancelling.redacted(ROOM, request.event_id))
    else:
        ending = asyncio.create_task(rig.delivery.cancelling.cancel([request.key], ROOM))
    await asyncio.sleep(0.3)
    go_on.set()
    if ending is not None:
        await ending
    await rig.done(request)
    await asyncio.sleep(0.3)
    open_parts = [part.part for part in await rig.store.pending_parts()]
    assert open_parts == []
    said = [event["content"].get("m.new_content", event["content"])["body"] for event in rig.server.of_bot(ROOM)]
    statuses = [body for body in said if not body.startswith("an otter")]
    assert not statuses or statuses[-1][0] in "🛑✅", "what stands there in the end is the end"
