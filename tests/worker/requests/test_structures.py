"""Structured prompts through the API: joined, kept in record and sidecar, submitted again as they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from core_lab import Here, Json, image, settings, worker_here

from otterbot_worker.prompts.structure import PARTS, joined
from otterbot_worker.requests.structures import as_sentence
from otterbot_worker.schemas.requests import ImageRequest
from otterbot_worker.schemas.resolved import ResolvedRequest

CASES = json.loads((Path(__file__).parents[2] / "structures.json").read_text("utf-8"))
STRUCTURE = {"theme": "holiday", "subject": ["an otter", "(hat)++"], "style": "watercolor: soft", "negative": "text"}


def request(**fields: Json) -> ImageRequest:
    return ImageRequest.model_validate_json(json.dumps({"prompt": "", "seed": 7, **fields}))


@pytest.mark.parametrize("case", CASES)
def test_parts_are_joined_in_their_order(case: Json) -> None:
    found = as_sentence(request(structure=case["structure"], prompt="what an older worker draws"))
    assert (found.prompt, found.negative_prompt) == (case["prompt"], case["negative"])
    assert found.theme == case["structure"].get("theme")


def test_nothing_is_joined_to_nothing() -> None:
    assert joined([None, "", [], [" , "]]) == ""
    assert request(prompt="otter") == as_sentence(request(prompt="otter"))
    assert set(PARTS) | {"theme", "negative"} == set(STRUCTURE) | {"outfit", "environment", "emotions"}


def test_a_prompt_that_a_model_wrote_stands() -> None:
    written = {"prompt": "an otter", "model": "tiny"}
    found = as_sentence(request(prompt="an otter at dusk", structure={"subject": "an otter"}, expansion=written))
    assert found.prompt == "an otter at dusk"
    anew = as_sentence(request(prompt="x", structure={"subject": "an otter"}, expansion=written, expand=True))
    assert anew.prompt == "an otter"


def test_words_that_were_drawn_before_stand() -> None:
    structure = {"subject": "{otter|fox}", "negative": "{text|blur}"}
    drawn = {"prompt": "{otter|fox}", "negative_prompt": "{text|blur}"}
    found = as_sentence(request(prompt="fox", negative_prompt="blur", structure=structure, chance=drawn))
    assert (found.prompt, found.negative_prompt) == ("fox", "blur")
    anew = as_sentence(request(prompt="fox", negative_prompt="blur", structure=structure))
    assert (anew.prompt, anew.negative_prompt) == ("{otter|fox}", "{text|blur}")


async def refused(here: Here, **fields: Json) -> Json:
    status, answer = await here.api.call("POST", "/v1/jobs", image(**fields))
    assert status == 422, answer
    return answer


async def test_from_keys_to_picture_record_and_sidecar(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        assert "structure" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        job = await here.api.done((await here.api.submit(image(prompt="", structure=STRUCTURE)))["id"])
        [picture] = job["pictures"]
        used = picture["result"]["record"]["used"]
        assert used["structure"] == STRUCTURE
        assert (used["prompt"], used["negative_prompt"]) == ("an otter, (hat)++, watercolor: soft", "text")
        assert picture["result"]["filename"].startswith("holiday_")
        sidecar = next(tmp_path.rglob("holiday_*.yml"))
        written = yaml.safe_load(sidecar.read_text("utf-8"))
        assert written["structure"] == written["record"]["used"]["structure"] == STRUCTURE
        plain = await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert plain["pictures"][0]["result"]["record"]["used"]["structure"] is None


async def test_it_comes_again_as_it_was(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="", structure=STRUCTURE))
        again = {**image("key-again"), "kind": "resolved", "request": {**job["resolved"], "prompt": "as it was drawn"}}
        status, found = await here.api.call("POST", "/v1/jobs", again)
        assert status == 202, found
        assert found["resolved"]["structure"] == STRUCTURE
        assert found["resolved"]["prompt"] == "as it was drawn"


async def test_what_is_no_structure_is_refused(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        for wrong in ({"mood": "x"}, {"subject": {"a": "b"}}, {"subject": 7}, {"subject": ["x"] * 33},
                      {"theme": "x" * 65}, {"subject": "x" * 4_001}, {"subject": [["x"]]}):  # fmt: skip
            answer = await refused(here, structure=wrong)
            assert all("structure" in one["field"].split(".") for one in answer["fields"]), answer["fields"]
        [problem] = (await refused(here, structure={"subject": "x" * 3_000, "style": "y" * 3_000}))["fields"]
        assert (problem["field"], problem["code"]) == ("request.structure", "too_long")
        [problem] = (await refused(here, prompt="unread", structure={"theme": "holiday"}))["fields"]
        assert (problem["field"], problem["code"]) == ("request.prompt", "empty")


def test_rows_and_records_leave_out_what_nobody_gave() -> None:
    kept = ResolvedRequest.model_validate(
        {"model": "m", "prompt": "p", "negative_prompt": "", "steps": 1, "guidance_scale": 1, "width": 8, "height": 8,
         "sampler": "s", "seed": 1, "structure": {"subject": "otter", "later": "key"}}
    )  # fmt: skip
    assert kept.model_dump(mode="json")["structure"] == {"subject": "otter"}
    assert ResolvedRequest.model_validate_json(kept.model_dump_json()) == kept


async def test_of_a_sweep_over_words_the_fields_with_other_words_have_no_keys(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        axis = {"field": "words", "values": ["otter", "fox"]}
        job = await here.api.submit(image(prompt="", structure=STRUCTURE, sweep=[axis]))
        job = await here.api.done(job["id"])
        found = [picture["result"]["record"]["used"] for picture in job["pictures"]]
        assert [one["prompt"] for one in found] == [
            "an otter, (hat)++, watercolor: soft", "an fox, (hat)++, watercolor: soft",
        ]  # fmt: skip
        assert [one["structure"] for one in found] == [STRUCTURE, None]


async def test_keys_of_an_encrypted_room_are_forgotten(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(prompt="", structure=STRUCTURE, private=True)))["id"])
        await here.api.call("DELETE", f"/v1/images/{job['pictures'][0]['result']['image_id']}")
        store = here.parts.store
        await store.forget(job["created_at"] + 7_200, private_requests=True)
        rows = [tuple(row) for row in await store._db.fetch("SELECT request FROM jobs")]
        rows += [tuple(row) for row in await store._db.fetch("SELECT result FROM rows")]
        assert "holiday" not in str(rows)
        assert "watercolor" not in str(rows)
