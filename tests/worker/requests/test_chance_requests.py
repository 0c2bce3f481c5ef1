"""Words by chance from a request to the record, with the real API and a double of the GPU process."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, Json, image, settings, worker_here
from hollow_loras import ANY, put
from PIL import Image

from doubles.ollama import OllamaDouble
from otterbot_worker.api import build
from otterbot_worker.archive import from_text, metadata, reading
from otterbot_worker.errors import CannotLook
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models import wildcards
from otterbot_worker.prompts import chance
from otterbot_worker.queue.model import CHAT_TEXT_SECONDS

HATS = "otter, {red|green|blue} hat"


@pytest.fixture(autouse=True)
def _nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "nothing")


def file(folder: Path, name: str, text: str) -> Path:
    path = folder / "wildcards" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def drawn(text: str, seed: int, of: chance.Of = "prompt", folder: Path = Path("/nowhere")) -> str:
    return chance.draw(text, seed, of, wildcards.Wildcards(folder).look()).text


async def used(here: Here, body: Json) -> list[Json]:
    job = await here.api.done((await here.api.submit(body))["id"])
    assert job["state"] == "succeeded", job
    return [picture["result"]["record"]["used"] for picture in job["pictures"]]


async def refused(here: Here, **fields: Any) -> list[Json]:
    status, answer = await here.api.call("POST", "/v1/jobs", image(**fields))
    assert status == 422, answer
    problems: list[Json] = answer["fields"]
    return problems


# ---------------------------------------------------------------- drawn


async def test_each_picture_has_words_of_its_own_and_says_what_from(tmp_path: Path, tasks: list[Draw]) -> None:
    file(tmp_path, "thing.txt", "\n".join(f"thing {number}" for number in range(50)))
    prompt, negative = f"{HATS} __thing__", "{text|frame}"
    async with worker_here(settings(tmp_path)) as here:
        records = await used(here, image(prompt=prompt, negative_prompt=negative, count=4, seed=3))
    expected = [drawn(prompt, seed, folder=tmp_path) for seed in range(3, 7)]
    assert [one["prompt"] for one in records] == expected
    assert len(set(expected)) == 4
    assert [one["negative_prompt"] for one in records] == [drawn(negative, n, "negative_prompt") for n in range(3, 7)]
    assert [one["seed"] for one in records] == [3, 4, 5, 6]
    assert all(one["chance"] == {"prompt": prompt, "negative_prompt": negative} for one in records)
    assert [task.prompt for task in tasks] == expected
    assert all(task.chance is None for task in tasks), "the engine needs no template"


async def test_the_folder_is_looked_at_once_for_all_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path, "thing.txt", "red\ngreen")
    looks, look = [], wildcards.Wildcards.look
    monkeypatch.setattr(wildcards.Wildcards, "look", lambda self: (looks.append(1), look(self))[1])
    async with worker_here(settings(tmp_path), paused=True) as here:
        await here.api.submit(image(prompt="__thing__", count=4))
        assert len(looks) == 1
        await here.api.submit(image("key-plain-0", prompt="otter", count=4))
        assert len(looks) == 1, "nothing may be drawn"


async def test_a_seed_makes_the_same_picture_alone(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        four = await used(here, image(prompt=HATS, count=4, seed=2**32 - 2))
        for number, one in enumerate(four):
            [alone] = await used(here, image(f"key-alone-{number}", prompt=HATS, seed=one["seed"]))
            assert (alone["prompt"], alone["chance"]) == (one["prompt"], one["chance"])


async def test_variations_of_one_picture_have_the_same_words(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        found = await used(here, image(prompt=HATS, count=4, variation={"seed": 9, "strength": 0.2}))
    assert {one["prompt"] for one in found} == {drawn(HATS, 7)}
    assert [one["variation"]["seed"] for one in found] == [9, 10, 11, 12]


async def test_words_without_chance_say_nothing_of_it(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        for number, prompt in enumerate(("otter", "{otter}", r"\{red|green\} hat", "__init__", "a | b")):
            job = await here.api.submit(image(f"key-plain-{number}", prompt=prompt, count=2))
            assert job["resolved"]["chance"] is None
            for one in [
                picture["result"]["record"]["used"] for picture in (await here.api.done(job["id"]))["pictures"]
            ]:
                assert (one["prompt"], one["chance"]) == (prompt, None)


async def test_what_is_usual_here_may_be_drawn_too(tmp_path: Path) -> None:
    layers = [{"layer": "room", "negative_prompt": "{text|frame|hand}"}]
    async with worker_here(settings(tmp_path)) as here:
        found = await used(here, image(layers=layers, count=3))
    assert [one["negative_prompt"] for one in found] == [
        drawn("{text|frame|hand}", seed, "negative_prompt") for seed in (7, 8, 9)
    ]
    assert found[0]["chance"] == {"prompt": None, "negative_prompt": "{text|frame|hand}"}


async def test_loras_may_stand_in_alternatives(tmp_path: Path) -> None:
    for name in ("one", "two"):
        put(tmp_path / "loras" / f"{name}.safetensors", ANY)
    prompt = "otter <lora:{one|two}:0.5>{| <lora:two:0.25>}"
    async with worker_here(settings(tmp_path)) as here:
        fields = {"model": "ssd-1b", "width": 256, "height": 256}
        found = await used(here, image(prompt=prompt, count=8, seed=0, **fields))
        seen = {tuple((lora["name"], lora["weight"]) for lora in one["loras"]) for one in found}
        assert (("one", 0.5),) in seen
        assert (("two", 0.75),) in seen
        [problem] = await refused(here, key="key-no-lora", prompt="<lora:{one|gone}:1>", count=8, seed=0, **fields)
        assert problem["code"] == "unknown_lora"
        assert problem["message"].startswith(", ".join(problem["details"]["pictures"][:3]))


async def test_styles_stand_around_what_was_drawn(tmp_path: Path) -> None:
    style = [{"name": "mine", "prompt": "painting of {prompt}, {oil|chalk}", "negative_prompt": ""}]
    async with worker_here(settings(tmp_path)) as here:
        [one] = await used(here, image(prompt=HATS, style=style))
    assert one["prompt"] == f"painting of {drawn(HATS, 7)}, {{oil|chalk}}", "a style's own words stay as they are"
    assert one["styled"]["prompt"] == drawn(HATS, 7)


# ---------------------------------------------------------------- once more


async def test_what_was_drawn_before_is_taken_as_it_is(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        before = {"prompt": "an {otter|eel} on __gone__"}
        [one] = await used(here, image(prompt="an otter on {ice|sand", chance=before))
        assert one["prompt"] == "an otter on {ice|sand"
        assert one["chance"] == {**before, "negative_prompt": None}
        [one] = await used(here, image("key-00002", prompt="{a|b}", chance={"prompt": "{a|b}"}))
        assert (one["prompt"], one["chance"]) == ("{a|b}", None)
        fields = {"prompt": "{a|b}", "negative_prompt": "{c|d}", "chance": {"prompt": "__gone__"}}
        [one] = await used(here, image("key-00003", **fields))
        assert (one["prompt"], one["negative_prompt"]) == ("{a|b}", drawn("{c|d}", 7, "negative_prompt"))
        assert one["chance"] == {"prompt": "__gone__", "negative_prompt": "{c|d}"}


async def test_a_forgotten_job_is_drawn_the_same_although_the_files_are_gone(tmp_path: Path) -> None:
    here_file = file(tmp_path, "thing.txt", "\n".join(f"thing {number}" for number in range(50)))
    async with worker_here(settings(tmp_path)) as here:
        body = image(prompt="otter, __thing__", count=3)
        job = await here.api.submit(body)
        first = await used(here, body)
        here_file.unlink()
        again = {**image("key-again"), "kind": "resolved", "request": job["resolved"]}
        second = await used(here, again)
    assert [(one["prompt"], one["seed"], one["chance"]) for one in first] == [
        (one["prompt"], one["seed"], one["chance"]) for one in second
    ]


async def test_a_picture_knows_its_template_in_all_that_is_written(tmp_path: Path) -> None:
    prompt = 'an {otter|eel}, "Steps: 9, Seed: 1"\nNegative prompt: {x|y}'
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(prompt=prompt, negative_prompt="{text|frame}")))["id"])
        result = job["pictures"][0]["result"]
        _, png = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        _, yml = await here.api.call("GET", f"/v1/images/{result['image_id']}.yml")
    words = result["record"]["used"]["prompt"]
    path = tmp_path / "a.png"
    path.write_bytes(png)
    assert reading.read(path).request["chance"] == {"prompt": prompt, "negative_prompt": "{text|frame}"}
    assert reading.read(path).request["prompt"] == words
    text = Image.open(io.BytesIO(png)).info[metadata.A1111_CHUNK]
    last = text.split("\n")[-1]
    assert f"Template: {json.dumps(prompt)}, Negative Template: {{text|frame}}" in last, (
        "A1111 reads the last line alone"
    )
    assert from_text.read_texts({metadata.A1111_CHUNK: text}, []).request["chance"]["prompt"] == prompt
    assert b"drawn_from:" in yml


async def test_words_of_encrypted_rooms_are_forgotten_with_their_templates(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="{canary|canary} {a|b}", count=2, private=True))
        for picture in (await here.api.done(job["id"]))["pictures"]:
            await here.api.call("POST", f"/v1/images/{picture['result']['image_id']}/delivered")
            await here.api.call("DELETE", f"/v1/images/{picture['result']['image_id']}")
        await here.parts.store.forget(time.time() + 2 * CHAT_TEXT_SECONDS, private_requests=True)
        assert "canary" not in json.dumps(await here.api.job(job["id"]))
        assert "canary" not in repr(await here.parts.store.by_key("otterbot", "key-00001"))


async def test_each_picture_is_expanded_from_its_own_words(tmp_path: Path) -> None:
    rules = [{"when": f"{word} otter", "answer": f"a {word} otter at the sea"} for word in ("red", "blue")]
    script = {"models": [{"name": "tiny"}], "rules": rules}
    prompt = "{red|blue} otter"
    async with OllamaDouble(script) as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url})) as here:
            found = await used(here, image(prompt=prompt, expand=True, count=4, seed=0))
    words = [drawn(prompt, seed) for seed in range(4)]
    assert len(set(words)) == 2
    assert [one["prompt"] for one in found] == [f"a {word} at the sea" for word in words]
    assert [one["expansion"]["prompt"] for one in found] == words
    assert all(one["chance"] == {"prompt": prompt, "negative_prompt": None} for one in found)


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"prompt": "a {red|green canary"}, "choice_unclosed", "request.prompt"),
        ({"prompt": "a __canary__"}, "unknown_wildcard", "request.prompt"),
        ({"prompt": "a __loop__"}, "endless_wildcard", "request.prompt"),
        ({"prompt": "a __empty__"}, "wildcard_unusable", "request.prompt"),
        ({"negative_prompt": "{3-1$$a|b}"}, "choice_range", "request.negative_prompt"),
        ({"layers": [{"layer": "room", "negative_prompt": "{a|b"}]}, "choice_unclosed", "request.negative_prompt"),
    ],
)
async def test_what_cannot_be_drawn_is_refused_by_name(tmp_path: Path, fields: Json, code: str, field: str) -> None:
    file(tmp_path, "loop.txt", "x\n__loop__")
    file(tmp_path, "empty.txt", "")
    async with worker_here(settings(tmp_path)) as here:
        for count in (1, 3):
            [problem] = await refused(here, count=count, **fields)
            assert (problem["code"], problem["field"]) == (code, field)
            assert "canary" not in str(problem)


async def test_both_prompts_are_judged_at_once(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        found = await refused(here, prompt="{a|b", negative_prompt="__x__")
    assert [one["field"] for one in found] == ["request.prompt", "request.negative_prompt"]


async def test_a_folder_that_cannot_be_looked_at_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> None:
        raise CannotLook("the file a.txt", "Permission denied")

    async with worker_here(settings(tmp_path)) as here:
        file(tmp_path, "a.txt", "x")
        monkeypatch.setattr(wildcards, "_read", broken)
        status, _ = await here.api.call("POST", "/v1/jobs", image(prompt="__a__"))
        assert status == 503
        status, _ = await here.api.call("POST", "/v1/jobs", image(prompt="otter"))
        assert status == 202, "without chance nobody looks there"


# ---------------------------------------------------------------- looked at


async def test_an_explanation_says_what_may_come_and_one_outcome(tmp_path: Path) -> None:
    file(tmp_path, "animals/sea.txt", "cod\neel\n# no\n0::none")
    body = {
        "prompt": "{3::a|b} {1-2$$ or $$__animals/*__} (__animals/sea__)++",
        "negative_prompt": "{x|{y|z}}",
        "seed": 42,
    }
    async with worker_here(settings(tmp_path)) as here:
        status, found = await here.api.call("POST", "/v1/prompts/explain", body)
        assert status == 200, found
        prompt = found["prompt"]
        assert prompt["drawn"] == drawn(body["prompt"], 42, folder=tmp_path)
        shown = [(one["options"], one["there"], one["wildcard"], one["least"], one["most"]) for one in prompt["chance"]]
        assert shown == [
            (["a", "b"], 2, None, 1, 1),
            ([], 2, "animals/*", 1, 2),
            ([], 2, "animals/sea", 1, 1),
        ]
        assert prompt["chance"][1]["joiner"] == " or "
        assert prompt["fragments"][-1]["weight"] == 1.21
        assert found["negative_prompt"]["drawn"] in "xyz"
        assert found["negative_prompt"]["chance"][0]["options"] == ["x", "{y|z}"]
        _, found = await here.api.call("POST", "/v1/prompts/explain", {"prompt": "{a|b"})
        assert found["prompt"]["drawn"] is None
        assert "lacks its closing" in found["prompt"]["notes"][0]
        _, found = await here.api.call("POST", "/v1/prompts/explain", {"prompt": "otter"})
        assert (found["prompt"]["drawn"], found["prompt"]["chance"]) == (None, [])


async def test_the_files_are_listed_with_what_is_wrong_with_them(tmp_path: Path) -> None:
    file(tmp_path, "animals/sea.txt", "cod\neel")
    file(tmp_path, "loop.txt", "x\n__loop__")
    async with worker_here(settings(tmp_path)) as here:
        assert (tmp_path / "wildcards").is_dir()
        status, found = await here.api.call("GET", "/v1/wildcards")
        assert status == 200
        sea, loop = found["wildcards"]
        assert sea == {"name": "animals/sea", "lines": 2, "usable": True, "problem": None}
        assert (loop["name"], loop["usable"]) == ("loop", False)
        assert "names itself" in loop["problem"]
        assert "chance" in (await here.api.call("GET", "/v1/info"))[1]["features"]


async def test_the_fields_of_a_sweep_have_the_same_words_where_they_have_the_same_seed(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        sweep = [{"field": "steps", "values": [1, 2, 3]}]
        found = await used(here, image(prompt=HATS, sweep=sweep))
        assert {one["prompt"] for one in found} == {drawn(HATS, 7)}
        sweep = [{"field": "seed", "values": [1, 2, 3]}]
        found = await used(here, image("key-seeds", prompt=HATS, sweep=sweep))
        assert [one["prompt"] for one in found] == [drawn(HATS, seed) for seed in (1, 2, 3)]
        sweep = [{"field": "words", "values": ["otter", "fox"]}]
        found = await used(here, image("key-words", prompt=HATS, sweep=sweep))
        assert [one["prompt"] for one in found] == [drawn(HATS, 7), drawn(HATS, 7).replace("otter", "fox")]
        fields = {"prompt": "otter, {x|y} hat", "chance": {"prompt": HATS}}
        found = await used(here, image("key-again", **fields, sweep=sweep))
        assert [one["prompt"] for one in found] == ["otter, {x|y} hat", "fox, {x|y} hat"]
        assert [one["chance"]["prompt"] for one in found] == [HATS, HATS.replace("otter", "fox")]
