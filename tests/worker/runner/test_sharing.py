"""Which models stay on the card together: every decision (`sharing_lab`)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from core_lab import until
from shared_card import GB
from sharing_lab import LLM, lab

from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.chat.records import ModelOptions
from otterbot_worker.errors import JobFailed
from otterbot_worker.memory.peaks import Peak
from otterbot_worker.runner.lease import Card
from otterbot_worker.runner.sharing import Company
from otterbot_worker.runner.sharing_store import SharingStore

# ---------------------------------------------------------------- together


async def test_what_fits_stays_and_nothing_is_loaded_twice(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        for _ in range(3):
            await here.picture()
            assert await here.turn() == []
        assert here.double.memory.loads == ["tiny"]
        assert here.gpu.asked == ["trim"], "room was looked for once, and a loaded model needs none"
        assert here.card.holder == "both"
        assert here.card.resident == "sd15"
        assert here.card.terms is not None
        assert here.card.terms.together
        company = await here.picture()
        assert [(one.name, one.on_card) for one in company.models] == [("tiny:latest", LLM["memory"])]


async def test_a_language_model_that_is_there_first_stays_as_well(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        await here.says()
        assert (await here.picture()).on_card == LLM["memory"]
        assert here.loaded == ["tiny:latest"]


async def test_what_it_took_decides_the_next_time_over_a_restart(tmp_path: Path) -> None:
    """By its file it would fit, and it needs three times as much."""
    async with lab(tmp_path, size=200_000_000, memory=5_000_000_000) as here:
        await here.picture()
        await here.turn()
        assert here.gpu.asked == ["trim"], "by the estimate it fits"
        await here.client.unload(5.0)
        here.renew()
        await here.turn()
        assert here.gpu.asked == ["trim", "trim", "release"]
        assert "tiny:latest needs 4.7 GiB and 1.0 GiB to spare, and 5.2 GiB were free beside sd15." in here.why


async def test_another_context_is_another_measure_and_replaces_the_one_that_is_loaded(tmp_path: Path) -> None:
    async with lab(tmp_path, memory=4_000_000_000) as here:
        other = Ollama(OllamaSettings(url=here.double.url, defaults=ModelOptions(num_ctx=2048)))
        await here.picture()
        await here.says(client=other)
        await other.close()
        await here.turn()
        assert here.gpu.asked == ["trim"], "its own 4 GB count as free: it leaves when it is loaded anew"
        assert here.double.memory.loads == ["tiny", "tiny"]
        await until(lambda: here.loaded == ["tiny:latest"])  # the old one leaves when its answer is done with


# ---------------------------------------------------------------- in turns


async def test_a_model_that_needs_more_than_is_free_takes_turns(tmp_path: Path) -> None:
    async with lab(tmp_path, weights=4_500_000_000) as here:
        await here.picture()
        await here.turn()
        assert here.gpu.asked == ["trim", "release"]
        assert here.card.holder == "chat"
        assert here.card.resident is None
        assert "tiny:latest needs about 2.9 GiB" in here.why


async def test_what_other_programs_have_is_not_free(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        here.place.others = 3 * GB
        await here.picture()
        await here.turn()
        assert here.gpu.asked == ["trim", "release"]


async def test_a_picture_that_wants_the_card_alone_gets_it(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        await here.says()
        company = await here.picture()
        await here.card.alone("sd15", company, "It is large.", spent=False)
        assert here.loaded == []
        assert here.why == "It is large."
        assert not await here.known.apart("sd15", company.keys), "another one may be small"


async def test_a_pair_that_ran_out_of_memory_takes_turns_from_then_on(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        await here.says()
        company = await here.picture()
        await here.card.alone("sd15", company, "No memory.", spent=True)
        assert here.loaded == []
        for restarted in (False, True):
            if restarted:
                here.renew()
            await here.says()
            assert (await here.picture()).models == ()
            assert here.loaded == []
            assert here.why == "sd15 and tiny:latest did not fit on the card together."
            assert await here.turn() == []
            assert here.gpu.asked[-1] == "release"
        assert (await here.picture("other")).models, "another image model may fit"


async def test_a_pair_is_not_to_blame_for_what_came_meanwhile(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        here.double.update({"models": [LLM, LLM | {"name": "second"}]})
        await here.says("tiny")
        company = await here.picture()
        await here.says("second")
        await here.card.alone("sd15", company, "No memory.", spent=True)
        assert not await here.known.apart("sd15", company.keys)


async def test_a_pair_is_forgotten_after_a_week(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        now = [1_000_000.0]
        known = SharingStore(here.store, lambda: now[0])
        await known.part("sd15", ["one@4096"])
        assert await known.apart("sd15", ["other@4096", "one@4096"])
        assert not await known.apart("sd15", ["one@8192"])
        now[0] += 8 * 24 * 3600
        assert not await known.apart("sd15", ["one@4096"])


async def test_layers_on_the_processor_are_a_wrong_guess(tmp_path: Path) -> None:
    async with lab(tmp_path, on_card=(0.5, 1.0)) as here:
        await here.picture()
        notes = await here.turn()
        assert notes == [
            "Only 50 % of tiny:latest fit on the card beside sd15. The chat model was therefore loaded twice, and from "
            "now on the two take turns."
        ]
        assert here.double.memory.rows()[0]["size_vram"] == LLM["memory"]
        assert here.gpu.info.resident is None
        assert here.double.memory.loads == ["tiny", "tiny"]
        await here.picture()
        assert await here.turn() == []
        assert here.gpu.asked[-1] == "release"


async def test_somebody_elses_half_loaded_model_is_loaded_anew(tmp_path: Path) -> None:
    async with lab(tmp_path, on_card=(0.5, 1.0)) as here:
        other = Ollama(OllamaSettings(url=here.double.url, on_gpu=False))
        await here.picture()
        await here.says(client=other)
        await other.close()
        await here.turn()
        assert here.double.memory.rows()[0]["size_vram"] == LLM["memory"]
        assert await here.known.apart("sd15", [(await here.client.card.wanted(None)).key])


async def test_a_load_that_runs_out_of_memory_is_a_wrong_guess(tmp_path: Path) -> None:
    async with lab(tmp_path, load_fails="oom") as here:
        await here.picture()
        assert await here.card.for_chat(None)
        notes = await here.card.load_beside(None, lambda _: None)
        assert "did not fit on the card together" in notes[0]
        assert here.gpu.info.resident is None


async def test_a_load_that_fails_otherwise_fails_the_turn_alone(tmp_path: Path) -> None:
    async with lab(tmp_path, load_fails="crash") as here:
        await here.picture()
        assert await here.card.for_chat(None)
        with pytest.raises(JobFailed):
            await here.card.load_beside(None, lambda _: None)
        assert here.gpu.info.resident == "sd15"
        assert not await here.known.apart("sd15", [(await here.client.card.wanted(None)).key])


async def test_a_model_on_the_processor_takes_nothing(tmp_path: Path) -> None:
    """``num_gpu: 0``: that is somebody's wish, and no wrong guess."""
    async with lab(tmp_path, on_card=(0.0,)) as here:
        here.place.others = 4 * GB
        await here.picture()
        await here.turn()
        assert here.gpu.asked == ["trim", "release"], "nobody knows yet"
        await here.client.unload(5.0)
        await here.picture()
        assert await here.turn() == []
        assert here.gpu.asked[-1] == "trim"
        assert (await here.picture()).models == ()
        assert here.loaded == ["tiny:latest"]


async def test_a_model_that_was_on_the_card_and_now_is_not_is_a_wrong_guess(tmp_path: Path) -> None:
    async with lab(tmp_path, on_card=(1.0, 0.0, 1.0)) as here:
        await here.turn()
        await here.client.unload(5.0)
        await here.picture()
        assert "Only 0 %" in (await here.turn())[0]
        assert here.double.memory.rows()[0]["size_vram"] == LLM["memory"]


# ---------------------------------------------------------------- nobody can say


@pytest.mark.parametrize("when", ["picture", "turn"])
async def test_could_not_ask_is_never_no(tmp_path: Path, when: str) -> None:
    async with lab(tmp_path) as here:
        await here.picture()
        await here.double.stop()
        if when == "picture":
            assert (await here.picture()).models == ()
        else:
            assert not await here.card.for_chat(None)
            assert here.gpu.asked == ["release"]
        assert here.why == "Ollama could not be asked what it has on the card."


@pytest.mark.parametrize("trouble", ["unreadable", "two cards", "another card"])
async def test_a_card_that_cannot_be_measured_is_not_shared(tmp_path: Path, trouble: str) -> None:
    async with lab(tmp_path) as here:
        here.place.readable = trouble != "unreadable"
        here.place.cards = 2 if trouble == "two cards" else 1
        if trouble == "another card":  # a slice of it, say
            here.gpu.info = replace(here.gpu.info, total_bytes=2 * GB)
        await here.says()
        assert (await here.picture()).models == ()
        assert here.loaded == []
        assert not await here.card.for_chat(None)
        assert here.gpu.asked == ["release"], "nothing was given back for a question that has no answer"
        assert here.why


async def test_without_room_for_a_process_it_is_not_started_beside(tmp_path: Path) -> None:
    async with lab(tmp_path, memory=7_500_000_000) as here:
        await here.says()
        assert (await here.picture()).models == ()
        assert here.loaded == []
        assert "Only 0.5 GiB of the card were free beside tiny:latest." in here.why


async def test_nothing_follows_from_a_card_that_fills_as_it_is_looked_at(tmp_path: Path) -> None:
    async with lab(tmp_path, load_s=60.0) as here:
        here.gpu.pid = 1
        here.gpu.draws("sd15")
        leaving = asyncio.create_task(here.says())
        await until(lambda: bool(here.double.memory.runners))
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert not await here.card.for_chat(None)
        assert "was being loaded" in here.why
        assert (await here.picture()).models == ()
        assert here.double.memory.runners == [], "the load was stopped"


# ---------------------------------------------------------------- exclusive, and nobody


async def test_exclusive_always_clears_the_card(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        here.card = Card(here.gpu, here.client)  # type: ignore[arg-type]
        await here.says()
        await here.picture()
        assert here.loaded == []
        await here.turn()
        assert here.gpu.asked == ["release"]
        assert here.card.terms is None


async def test_who_is_left_when_one_leaves(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        await here.picture()
        await here.turn()
        await here.card.unload()
        assert (here.card.holder, here.card.resident) == ("chat", None)
        await here.picture()
        assert here.card.holder == "both"
        await here.card.free()
        assert here.card.holder is None
        assert here.loaded == []


async def test_peaks_are_kept_over_a_restart(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        peak = Peak(plan="resident", card=3 * GB, measured=4 * GB)
        await here.card.drew("sd15", Company(), peak)
        here.renew()
        assert await here.card.peaks("sd15") == (peak,)
        assert await here.card.peaks("other") == ()
