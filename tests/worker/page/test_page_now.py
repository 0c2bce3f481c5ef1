"""What the page shows of now: everybody's line, progress and previews, pause and cancel, the plot's figures."""

from __future__ import annotations

import json
import time
from pathlib import Path

from core_lab import chat, image, settings, until
from page_lab import page_here

from otterbot_worker.page import history, now
from otterbot_worker.page.history import Track, sources

CANARY = "canary5f1e"


async def test_the_line_of_all_clients_with_places(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (here, one):
        first = await here.api.submit(image(prompt="otter", count=3))
        second = await here.other.submit(image(prompt="fox", owner="@bob:there", room="!other:there"))
        _, found = await one.call("GET", "/page/now")
        assert (found["queued"], found["running"], found["more"]) == (4, 0, 0)
        assert found["pause"] == {"paused": True, "until": None}
        told = {job["id"]: job for job in found["jobs"]}
        assert set(told) == {first["id"], second["id"]}
        mine = told[first["id"]]
        assert (mine["prompt"], mine["owner"], mine["room"], mine["client"]) == (
            "otter",
            "@ann:here",
            "!room:here",
            "otterbot",
        )
        assert (mine["count"], mine["done"], mine["state"], mine["running"]) == (3, 0, "queued", [])
        assert [job["place"] for job in found["jobs"]] == sorted(job["place"] for job in found["jobs"])
        for job in (first, second):
            client = here.api if job is first else here.other
            assert told[job["id"]]["place"] == (await client.job(job["id"]))["place"], "as the API says"


async def test_of_encrypted_rooms_and_of_chats_no_word(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (here, one):
        await here.api.submit(image(prompt=CANARY, private=True, theme=CANARY))
        _, found = await one.call("GET", "/page/now")
        assert CANARY not in json.dumps(found)
        assert (found["jobs"][0]["private"], found["jobs"][0]["prompt"], found["jobs"][0]["owner"]) == (
            True,
            None,
            "@ann:here",
        )


async def test_a_chat_has_no_words_either(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (here, one):
        status, _ = await here.api.call("POST", "/v1/jobs", chat(text=CANARY))
        assert status == 202
        _, found = await one.call("GET", "/page/now")
        assert CANARY not in json.dumps(found)
        assert found["jobs"][0]["kind"] == "chat"


async def test_what_runs_has_its_step_and_its_preview(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path), paused=False) as (here, one):
        shown = {}
        for key, private in (("key-00001", False), ("key-00002", True)):
            job = await here.api.submit(image(key, prompt="slow", steps=100, preview=True, private=private))
            await here.api.until(job["id"], lambda job: bool((job["pictures"][0]["progress"] or {}).get("preview")))
            _, found = await one.call("GET", "/page/now")
            assert found["jobs"][0]["id"] == job["id"], "what runs comes first"
            [run] = found["jobs"][0]["running"]
            assert run["steps"] == 100
            assert run["step"] >= 1
            status, headers, _ = await one.whole("GET", f"/page/jobs/{job['id']}/preview/0")
            shown[private] = (status, run["preview"] > 0, headers["Content-Type"] == "image/jpeg")
            assert (await one.call("DELETE", f"/page/jobs/{job['id']}"))[0] == 204
            assert (await here.api.done(job["id"]))["state"] == "cancelled"
        assert shown == {False: (200, True, True), True: (404, False, False)}
        for path in ("/page/jobs/nobody/preview/0", "/page/jobs/nobody/preview/9999", "/page/jobs/x/preview/x"):
            assert (await one.call("GET", path))[0] == 404
        assert (await one.call("DELETE", "/page/jobs/nobody"))[0] == 404


async def test_pause_and_resume(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path), paused=False) as (here, one):
        assert (await one.call("POST", "/page/pause", {"minutes": 30}))[0] == 204
        _, found = await one.call("GET", "/page/now")
        assert abs(found["pause"]["until"] - time.time() - 1800) < 60
        assert (await one.call("POST", "/page/pause", {}))[0] == 204
        assert (await here.api.call("GET", "/v1/info"))[1]["pause"] == {"paused": True, "until": None}
        assert (await one.call("POST", "/page/resume"))[0] == 204
        assert not here.parts.dispatcher.pause_state.paused
        for wrong in ({"minutes": -1}, {"minutes": "x"}, {"no": 1}, [1]):
            assert (await one.call("POST", "/page/pause", wrong))[0] == 422
        assert not here.parts.dispatcher.pause_state.paused


async def test_of_a_long_line_the_first_are_shown(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path, queue={"max_open_per_owner": 500})) as (here, one):
        for number in range(now.MOST_SHOWN + 3):
            await here.api.submit(image(f"key-{number:05}"))
        _, found = await one.call("GET", "/page/now")
        assert (len(found["jobs"]), found["more"]) == (now.MOST_SHOWN, 3)


# ---------------------------------------------------------------- memory and swaps


async def test_the_worker_notes_memory_by_itself(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path), paused=False) as (here, one):
        await until(lambda: any(track.points for track in here.app[history.HISTORY].tracks.values()))
        _, shown = await one.call("GET", "/page/memory")
        [found] = shown["cards"]
        assert found["what"] == "computer", "there is no card here"
        at, used, total, model = found["points"][0]
        assert abs(at - time.time()) < 60
        assert 0 < used < total
        assert 0 <= model <= used
        assert shown["until"] - shown["since"] == history.HOURS * 3600
        job = await here.api.submit(image())
        await here.api.done(job["id"])
        await until(lambda: any(track.swaps for track in here.app[history.HISTORY].tracks.values()))
        [found] = (await one.call("GET", "/page/memory"))[1]["cards"]
        assert (found["swaps"][0]["before"], found["swaps"][0]["now"]) == ("", "otter-mini")


def test_what_is_older_than_some_hours_is_not_shown() -> None:
    kept = Track()
    start, half = 1_000_000.0, history.HOURS * 1800
    for number in range(3):
        kept.note("card", 5, 8, 9, start + number * half)
        kept.look("abc"[number], start + number * half)
    shown = kept.shown(start + 1)
    assert shown["what"] == "card"
    assert [point[0] for point in shown["points"]] == [start + half, start + 2 * half]
    assert shown["points"][0][3] == 5, "a model has no more than is used"
    assert [(swap["before"], swap["now"]) for swap in shown["swaps"]] == [("a", "b"), ("b", "c")]
    for number in range(history.MOST_SWAPS * 2):
        kept.look(str(number), start)
    assert len(kept.swaps) == history.MOST_SWAPS


async def test_with_two_cards_both_are_shown(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path, gpu={"device": "auto", "devices": ["cpu", "cpu"]}), paused=False) as (
        here,
        one,
    ):
        job = await here.api.submit(image(prompt="slow", steps=100, count=3))
        await here.api.until(job["id"], lambda job: sum(one["state"] == "running" for one in job["pictures"]) == 2)
        _, found = await one.call("GET", "/page/now")
        assert [run["index"] for run in found["jobs"][0]["running"]] == [0, 1]
        assert len(found["cards"]) == 2
        _, shown = await one.call("GET", "/page/memory")
        assert [card["name"] for card in shown["cards"]] == ["cpu", "cpu-2"]
        await one.call("DELETE", f"/page/jobs/{job['id']}")


async def test_every_card_is_followed(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (here, one):
        [source] = sources(here.parts)
        what, used, total = source.memory() or ("", 0, 0)
        assert (what, 0 < used < total) == ("computer", True)
        assert (source.occupant(), source.held()) == ("", 0)
        _, found = await one.call("GET", "/page/now")
        assert len(found["cards"]) == 1
        assert (found["cards"][0]["resident"], found["cards"][0]["paused"]) == (None, False)
