"""Whatever is sent is answered with a sentence, before any drawing; and the next job runs."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from bad_values import CANARY, Contract, Field, edges, wrong
from core_lab import Here, Json, Process, image, settings, worker_here
from make_pictures import BAD_PICTURES
from PIL import Image

from otterbot_worker.api import problems
from otterbot_worker.schemas.new_jobs import NewImageJob

CONTRACT = Contract(NewImageJob.model_json_schema())
FIELDS = {field.dotted: field for field in CONTRACT.fields()}
BASE = image()
LIMIT = {"max_mb": 0.1, "max_megapixels": 0.5}


@pytest_asyncio.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    """One worker takes all of it."""
    config = settings(tmp_path_factory.mktemp("bad") / "data", inputs=LIMIT)
    async with worker_here(config) as worker:
        yield worker


async def post(here: Here, raw: str) -> tuple[int, Json]:
    data = io.BytesIO(raw.encode("utf-8", "surrogatepass"))
    return await here.api.call("POST", "/v1/jobs", data=data, headers={"Content-Type": "application/json"})


async def draws(here: Here, key: str) -> None:
    job = await here.api.done((await here.api.submit(image(key)))["id"])
    assert job["state"] == "succeeded", "the next job runs"


def blamed(problem: Json, dotted: str) -> bool:
    """Whether the answer names the field, what it is in, or what is in it; or says that it is no JSON at all."""
    named = [str(found["field"]) for found in problem["fields"]]
    return any(f"{name}.".startswith(f"{dotted}.") or dotted.startswith(f"{name}.") for name in named) or (
        named == ["body"] and problem["fields"][0]["code"] == "json_invalid"
    )


def test_the_contract_is_walked_to_its_leaves() -> None:
    assert {"key", "room", "request.steps", "request.init_image.id", "request.asked.strength"} <= set(FIELDS)
    assert () in CONTRACT.objects()
    assert ("request", "asked") in CONTRACT.objects()
    raw = list(wrong(FIELDS["request.steps"]))
    assert {"0", "201", "NaN", "true", "null", '"7"', str(2**64)} - {*raw} == {"null"}
    assert {"0", "-0.5", "2"} <= {*wrong(FIELDS["request.strength"])}
    assert all(json.loads(CONTRACT.around(BASE, path, "1")) for path in (("key",), ("request", "init_image", "id")))


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_everything_has_bounds(field: Field) -> None:
    for number in field.of("integer", "number"):
        bounds = {"minimum", "exclusiveMinimum"} & {*number}, {"maximum", "exclusiveMaximum"} & {*number}
        assert all(bounds) or {"enum", "const"} & {*number}
    for text in field.of("string"):
        assert {"maxLength", "pattern", "enum", "const"} & {*text}
        assert "pattern" not in text or text["pattern"].endswith("$")
    for several in field.of("array"):
        assert "maxItems" in several
    for thing in field.of("object"):
        assert thing["additionalProperties"] is False


@pytest.mark.parametrize("dotted", FIELDS)
async def test_wrong_values_are_refused_by_name_and_not_repeated(here: Here, dotted: str) -> None:
    accepted = []
    for raw in wrong(FIELDS[dotted]):
        status, problem = await post(here, CONTRACT.around(BASE, FIELDS[dotted].path, raw))
        text = json.dumps(problem)
        if not (
            (status, problem.get("code")) == (422, "invalid_request")
            and blamed(problem, dotted)
            and CANARY not in text
            and "passwd" not in text
            and (len(raw) < 5 or raw not in text)
            and len(text) < 2_000
        ):
            accepted.append((raw[:60], status, text[:300]))
    assert accepted == []
    assert (await here.api.call("GET", "/v1/jobs"))[1]["jobs"] == []


@pytest.mark.parametrize("path", CONTRACT.objects(), ids=".".join)
async def test_unknown_fields_are_refused_everywhere(here: Here, path: tuple[str, ...]) -> None:
    for name in ("steps_", CANARY + "💚/../" + "x" * 5_000):
        status, problem = await post(here, CONTRACT.around(BASE, (*path, name), json.dumps(CANARY)))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert any(found["code"] == "extra_forbidden" for found in problem["fields"])
        assert len(json.dumps(problem)) < 1_000
        assert json.dumps(CANARY) not in json.dumps(problem)


async def test_what_stands_twice_is_what_stands_last(here: Here) -> None:
    raw = json.dumps(BASE)
    status, problem = await post(here, raw.replace('"steps": 2', '"steps": 2, "steps": -1'))
    assert (status, problem["fields"][0]["field"]) == (422, "request.steps")
    status, job = await post(
        here, raw.replace('"steps": 2', '"steps": -1, "steps": 2').replace("key-00001", "twice-01")
    )
    assert (status, job["request"]["steps"]) == (202, 2)


@pytest.mark.parametrize("dotted", [name for name in FIELDS if not name.startswith("request.asked.")])
async def test_strange_values_within_the_bounds_are_drawn_or_refused(
    here: Here, dotted: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "otterbot_worker")
    for number, raw in enumerate(edges(FIELDS[dotted])):
        key = f"edge.{dotted}.{number}"
        base = {**BASE, "key": key}
        status, answer = await post(here, CONTRACT.around(base, FIELDS[dotted].path, raw))
        if status in (200, 202):
            job = await here.api.done(answer["id"])
            assert job["state"] == "succeeded", (raw[:60], job["pictures"])
        else:
            assert status == 422, (raw[:60], answer)
            assert answer["detail"].endswith((".", "`.")), answer["detail"]
            assert "passwd" not in json.dumps(answer)
    assert [record.getMessage() for record in caplog.records] == []
    await draws(here, f"after.{dotted}")


@pytest.mark.parametrize("case", BAD_PICTURES)
async def test_bad_pictures_are_refused_and_nothing_stays(here: Here, case: str) -> None:
    data, kind, expected = BAD_PICTURES[case]
    sent = {"data": io.BytesIO(data), "headers": {"Content-Type": kind}}
    status, problem = await here.api.call("POST", "/v1/inputs", **sent)
    assert (status, problem["code"]) == expected
    assert problem["detail"].endswith(".")
    folder = here.parts.config.inputs_dir
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "br", "rot13"])
@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/jobs", "application/json"), ("/v1/inputs", "image/png"), ("/v1/pause", "application/json")]
)
async def test_compressed_bodies_are_refused_unread(
    here: Here, path: str, kind: str, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": kind, "Content-Encoding": encoding}
    for data in (b"no such thing", gzip.compress(json.dumps(image("packed-01")).encode())):
        status, problem = await here.api.call("POST", path, data=data, headers=headers)
        assert (status, problem["code"]) == (415, "unsupported_media_type")
        assert "without Content-Encoding" in problem["detail"]
    assert [record.getMessage() for record in caplog.records] == []
    await draws(here, "after-packed")


async def test_bad_ones_do_not_hold_up_a_good_one(here: Here) -> None:
    """More than are checked at once, and a job beside them."""
    sends = [
        here.api.call("POST", "/v1/inputs", data=io.BytesIO(data), headers={"Content-Type": kind})
        for data, kind, _ in [BAD_PICTURES["a bomb in a frame"]] * 4
    ]
    answers = await asyncio.gather(draws(here, "beside-bad-ones"), *sends)
    assert all(400 <= answer[0] < 500 for answer in answers[1:])


async def test_the_real_thing_draws_after_all_of_it(tmp_path: Path) -> None:
    """The GPU process with the shipped model: hostile prompts, then the same picture as before them."""
    process = Process(tmp_path / "data")
    pictures = []
    async with process.running() as api:
        prompts = [
            "otter",
            "(" * 300 + "otter" + ")" * 300,
            "a\0b \ud83d\udc9a <lora:penguin:-2>",
            "((" * 1_900,
            "otter",
        ]
        for number, prompt in enumerate(prompts):
            job = await api.done((await api.submit(image(f"key-{number:05}", prompt=prompt, steps=2)))["id"], 240)
            assert job["state"] == "succeeded", job
            pictures.append(await api.call("GET", f"/v1/images/{job['pictures'][0]['result']['image_id']}"))
            for raw in ("NaN", "1e308", "-1", '"2"'):
                body = json.dumps(image("never-01")).replace('"steps": 2', f'"steps": {raw}')
                headers = {"Content-Type": "application/json"}
                status, _ = await api.call("POST", "/v1/jobs", data=io.BytesIO(body.encode()), headers=headers)
                assert status == 422
    first, *_, last = (Image.open(io.BytesIO(data)).tobytes() for _, data in pictures)
    assert first == last


async def test_only_some_of_very_many_bad_fields_are_named(here: Here) -> None:
    """An answer many times as long as the request takes seconds in which nobody else is heard."""
    unknown = {f"x{number}": 1 for number in range(60_000)}
    status, problem = await post(here, json.dumps({**BASE, "request": {**BASE["request"], **unknown}}))
    assert status == 422
    assert len(problem["fields"]) == problems.FIELDS_MAX
