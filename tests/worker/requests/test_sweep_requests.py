"""Sweeps: a picture for each field, resolved before anything is drawn, drawn with as few changes as can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, Json, image, settings, worker_here
from hollow_loras import ANY, put

from otterbot_worker.gpu.messages import Draw

OTHER = "ssd-1b"


def sweep(*axes: tuple[str, list[Any]] | tuple[str, list[Any], str], key: str = "key-sweep-1", **fields: Any) -> Json:
    told = [{"field": name, "values": values, **({"name": rest[0]} if rest else {})} for name, values, *rest in axes]
    return image(key, **{"width": 128, "height": 128, "steps": 1, **fields, "sweep": told})


def used(job: Json) -> list[Json]:
    return [picture["result"]["record"]["used"] for picture in job["pictures"]]


async def drawn(here: Here, body: Json) -> list[Json]:
    job = await here.api.done((await here.api.submit(body))["id"])
    assert job["state"] == "succeeded", job["pictures"]
    return used(job)


async def wrong(here: Here, body: Json) -> list[tuple[str, str]]:
    status, problem = await here.api.call("POST", "/v1/jobs", body)
    assert status == 422, problem
    return [(one["field"].removeprefix("request."), one["code"]) for one in problem["fields"]]


async def test_a_grid_of_two_settings_row_by_row(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        axes = ("guidance_scale", [4, 8.5, 12]), ("steps", [1, 2])
        told = await here.api.submit(sweep(*axes, seed=9, asked={"prompt": "otter"}))
        assert [dict(one) for one in told["resolved"]["sweep"]] == [
            {"field": "guidance_scale", "name": None, "values": [4, 8.5, 12]},
            {"field": "steps", "name": None, "values": [1, 2]},
        ]
        job = await here.api.done(told["id"])
        grid = [(one["guidance_scale"], one["steps"], one["seed"]) for one in used(job)]
        assert grid == [(4.0, 1, 9), (8.5, 1, 9), (12.0, 1, 9), (4.0, 2, 9), (8.5, 2, 9), (12.0, 2, 9)]
        asked = [picture["result"]["record"]["asked"] for picture in job["pictures"]]
        assert asked[4] == {"prompt": "otter", "guidance_scale": 8.5, "steps": 2}, "what would make this one alone"


@pytest.mark.parametrize(
    ("axis", "field", "expected"),
    [
        (("seed", [1, 2**32 - 1]), "seed", [1, 2**32 - 1]),
        (("sampler", ["euler a", "UniPC"]), "sampler", ["Euler a", "UniPC"]),
        (("clip_skip", [1, 2]), "clip_skip", [1, 2]),
        (("size", [[96, 128], [128, 96]]), "width", [96, 128]),
        (("words", ["cowboy hat", "crown", ""]), "prompt", [
            "otter, (cowboy hat:1.3), sea", "otter, (crown:1.3), sea", "otter, sea",
        ]),
        (("variation", [0.1, 1]), "variation", [{"seed": 5, "strength": 0.1}, {"seed": 5, "strength": 1.0}]),
    ],
)  # fmt: skip
async def test_each_setting(tmp_path: Path, axis: Any, field: str, expected: list[Any]) -> None:
    async with worker_here(settings(tmp_path)) as here:
        more = {"variation": {"seed": 5, "strength": 0.5}} if field == "variation" else {}
        pictures = await drawn(here, sweep(axis, prompt="otter, (cowboy hat:1.3), sea", aspect=None, **more))
        assert [one[field] for one in pictures] == expected


async def test_weights_of_loras_and_second_passes(tmp_path: Path, tasks: list[Draw]) -> None:
    put(tmp_path / "loras" / "any.safetensors", ANY)
    async with worker_here(settings(tmp_path)) as here:
        body = sweep(
            ("lora", [0, 0.5, 1.25], "ANY"),
            ("hires", [0.3, 0.6]),
            prompt="otter <lora:any:0.8>, sea",
            hires={"scale": 1.5},
        )
        pictures = await drawn(here, body)
        assert [[lora["weight"] for lora in one["loras"]] for one in pictures] == [[], [0.5], [1.25]] * 2
        assert [one["hires"]["strength"] for one in pictures] == [0.3] * 3 + [0.6] * 3
        assert {len(task.loras) for task in tasks[:2]} == {0}, "a LoRA is changed as seldom as can be"


async def test_a_labelled_sheet_of_all_that_was_drawn(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        axes = ("guidance_scale", [4, 8.5]), ("sampler", ["euler", "unipc", "ddim"])
        grid = await here.api.submit(sweep(*axes, sheet={"caption": "otter · seed 7"}))
        sheet = grid["resolved"]["sheet"]
        assert (sheet["columns"], sheet["column_titles"]) == (2, ["CFG 4", "CFG 8.5"])
        assert (sheet["row_titles"], sheet["caption"]) == (["euler", "unipc", "ddim"], "otter · seed 7")
        words = await here.api.submit(sweep(("words", ["otter", ""]), key="key-words-1", prompt="otter, sea", sheet={}))
        assert words["resolved"]["sheet"]["titles"] == ["otter", "without"]
        own = {"titles": ["one", "two"]}
        ours = await here.api.submit(sweep(("steps", [1, 2]), key="key-ours-1", sheet=own))
        assert ours["resolved"]["sheet"]["titles"] == own["titles"]
        done = await here.api.until(grid["id"], lambda job: job["sheet"] is not None)
        fields = [(field["index"], field["name"], field["shown"]) for field in done["sheet"]["fields"]]
        assert fields == [(n, name, True) for n, name in enumerate(("A1", "B1", "A2", "B2", "A3", "B3"))]
        assert used(done)[fields[3][0]]["guidance_scale"] == 8.5
        assert used(done)[fields[3][0]]["sampler"] == "UniPC"


async def test_styles(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        own = {"name": "ours", "prompt": "{prompt} by us", "negative_prompt": ""}
        values = ["watercolor", "", ["pixel art", own]]
        told = await here.api.submit(sweep(("style", values), ("steps", [1, 2]), style=["cyberpunk"]))
        assert told["resolved"]["sweep"][0]["values"] == values
        done = await here.api.done(told["id"])
        names = [[style["name"] for style in one["styles"]] for one in used(done)]
        assert names[:3] == [["watercolor"], [], ["pixel-art", "ours"]]
        assert used(done)[2]["prompt"].endswith(" by us")
        assert await wrong(here, sweep(("style", ["watercolor", "wrong"]), key="key-wrong-1")) == [
            ("style.0", "unknown_style")
        ]


async def test_what_takes_long_to_change_changes_least_often(tmp_path: Path, tasks: list[Draw]) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        here.parts.catalogue._downloads_allowed = True
        axes = ("model", ["sdxl", OTHER]), ("size", [[512, 512], [512, 640], [640, 512]])
        job = await here.api.submit(sweep(*axes))
        rows = (await here.parts.store.rows([job["id"]]))[job["id"]]
        assert [row.model for row in rows] == ["sdxl", OTHER] * 3, "pictures are counted as typed"
        assert [row.idx for row in sorted(rows, key=lambda row: row.seq)] == [0, 2, 4, 1, 3, 5]
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        assert [one["model"] for one in used(done)] == ["sdxl", OTHER] * 3
        assert [task.entry.name for task in tasks] == ["sdxl"] * 3 + [OTHER] * 3


async def test_all_values_are_looked_at_before_anything_is_drawn(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        cfg = ("guidance_scale", [4, 8])
        told = {
            "unknown": sweep(("colour", [1, 2])),
            "one value": sweep(("steps", [1])),
            "three": sweep(cfg, ("steps", [1, 2]), ("seed", [1, 2])),
            "too many": sweep(("seed", list(range(13))), ("steps", [1, 2, 3, 4, 5])),
            "twice": sweep(cfg, cfg),
            "counted": sweep(cfg, count=2),
            "no second pass": sweep(("hires", [0.1, 0.2])),
            "no variation": sweep(("variation", [0.1, 0.2])),
            "no LoRA": sweep(("lora", [0.1, 0.2])),
            "another LoRA": sweep(("lora", [0.1, 0.2], "b"), prompt="otter <lora:a:1>"),
            "which LoRA": sweep(("lora", [0.1, 0.2]), prompt="otter <lora:a:1> <lora:b:1>"),
            "a weight": sweep(("lora", [0.1, 9]), prompt="otter <lora:a:1>"),
            "other words": sweep(("words", ["hat", "crown"])),
            "long words": sweep(("words", ["hat", "x" * 900]), prompt="hat, " * 5),
            "words of numbers": sweep(("words", [1, 2])),
            "bounds": sweep(("steps", [1, 500, 2.5])),
            "kinds": sweep(("guidance_scale", ["much", 99])),
            "no number has so many digits": sweep(("guidance_scale", [10**400, -(10**400)])),
            "a size": sweep(("size", [64, [8, 64]])),
            "no picture": sweep(("strength", [0.2, 0.4])),
            "a sampler": sweep(("sampler", ["euler", "wrong"])),
            "a model": sweep(("model", ["otter-mini", "nobody"]), cfg),
        }
        found = {name: await wrong(here, body) for name, body in told.items()}
        assert found == {
            "unknown": [("sweep.0.field", "literal_error")],
            "one value": [("sweep.0.values", "too_short")],
            "three": [("sweep", "too_long")],
            "too many": [("sweep", "too_many")],
            "twice": [("sweep", "twice")],
            "counted": [("count", "swept")],
            "no second pass": [("sweep.0", "no_hires")],
            "no variation": [("sweep.0", "no_variation")],
            "no LoRA": [("sweep.0", "no_lora")],
            "another LoRA": [("sweep.0", "no_lora")],
            "which LoRA": [("sweep.0", "no_lora")],
            "a weight": [("sweep.0.values.1", "bad_value")],
            "other words": [("sweep.0.values.0", "words_missing")],
            "long words": [("sweep", "too_long")],
            "words of numbers": [("sweep.0", "bad_value")],
            "bounds": [("sweep.0.values.1", "bad_value"), ("sweep.0.values.2", "bad_value")],
            "kinds": [("sweep.0.values.0", "bad_value"), ("sweep.0.values.1", "bad_value")],
            "no number has so many digits": [("sweep.0.values.0", "bad_value"), ("sweep.0.values.1", "bad_value")],
            "a size": [("sweep.0.values.0", "bad_value"), ("sweep.0.values.1", "bad_value")],
            "no picture": [("strength", "no_picture")],
            "a sampler": [("sampler", "unknown_sampler")],
            "a model": [("model", "unknown_model")],
        }
        assert (await here.api.call("GET", "/v1/jobs"))[1]["jobs"] == []
        _, problem = await here.api.call("POST", "/v1/jobs", told["a model"])
        assert problem["fields"][0]["details"]["pictures"] == ["B1", "B2"]


async def test_it_comes_back_where_it_is_forgotten(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path / "one"), paused=True) as here:
        told = (await here.api.submit(sweep(("steps", [1, 2]), ("seed", [3, 4]))))["resolved"]
    async with worker_here(settings(tmp_path / "other"), paused=True) as here:
        body = {**image("key-back-1"), "kind": "resolved", "request": told}
        assert (await here.api.submit(body))["resolved"] == told


async def test_a_sweep_of_many_holds_up_nobody(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        many = await here.api.submit(sweep(("seed", list(range(25)))))
        assert len(many["pictures"]) == 25
        one = await here.api.submit(image("key-one-1", owner="@bob:here"))
        assert one["place"] == 1, "behind one picture of the twenty-five"
        await here.api.call("POST", "/v1/resume")
        await here.api.done(one["id"])
        rows = (await here.api.job(many["id"]))["pictures"]
        assert sum(row["state"] == "succeeded" for row in rows) <= 4


async def test_what_is_drawn_stays_when_it_is_cancelled(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(sweep(("seed", [1, 2, 3]), prompt="slow", steps=5, sheet={}))
        await here.api.until(job["id"], lambda job: job["pictures"][0]["state"] == "succeeded")
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        told = await here.api.until(job["id"], lambda job: job["sheet"] is not None)
        states = [picture["state"] for picture in told["pictures"]]
        assert [field["shown"] for field in told["sheet"]["fields"]] == [state == "succeeded" for state in states]
        assert states[0] == "succeeded"
        assert states[-1] == "cancelled"
        image_id = (await here.api.job(job["id"]))["pictures"][0]["result"]["image_id"]
        assert (await here.api.call("GET", f"/v1/images/{image_id}"))[0] == 200


async def test_the_words_of_a_written_prompt_change_with_it(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        source = {"prompt": "otter in a hat", "model": "tiny"}
        body = sweep(("words", ["hat", "crown"]), prompt="a fine otter, hat, sea", expansion=source)
        pictures = await drawn(here, body)
        assert [one["prompt"] for one in pictures] == ["a fine otter, hat, sea", "a fine otter, crown, sea"]
        assert [one["expansion"]["prompt"] for one in pictures] == ["otter in a hat", "otter in a crown"]


async def test_words_that_were_drawn_by_chance_change_with_what_they_were_drawn_from(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        kept = sweep(("words", ["hat", "crown"]), prompt="red hat", chance={"prompt": "{red|green} hat"})
        found = [(one["prompt"], one["chance"]) for one in await drawn(here, kept)]
        assert [prompt for prompt, _ in found] == ["red hat", "red crown"]
        assert [chance["prompt"] for _, chance in found] == ["{red|green} hat", "{red|green} crown"]
        gone = sweep(
            ("words", ["red", "blue"]), key="key-gone-1", prompt="red hat", chance={"prompt": "__colour__ hat"}
        )
        found = [(one["prompt"], one["chance"]) for one in await drawn(here, gone)]
        assert [prompt for prompt, _ in found] == ["red hat", "blue hat"]
        assert found[1][1] is None, "no template makes it"
