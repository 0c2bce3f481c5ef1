"""Second passes and upscaled pictures through the API: what is resolved, refused, given to the GPU process, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_lab import Json, image, settings, worker_here
from sent_pictures import black_and_white, png, send, sha, started

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.requests.input_images import Sources
from otterbot_worker.requests.resolve import Refused, resolve_image
from otterbot_worker.runner.countdown import Countdown
from otterbot_worker.sampling import tiles
from otterbot_worker.schemas.requests import Hires, ImageRequest
from otterbot_worker.schemas.resolved import ResolvedRequest
from otterbot_worker.schemas.resolved_parts import ResolvedHires, ResolvedUpscale


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(data_dir=tmp_path_factory.mktemp("data"), downloads_allowed=True)


def resolved(catalogue: Catalogue, sent: tuple[int, int] | None = None, **fields: Any) -> ResolvedRequest:
    request = {"prompt": "otter", "seed": 7, "model": "ssd-1b", **fields}
    start = None
    if sent is not None:
        request["init_image"] = {"id": "a" * 64}
        start = Input(client="otterbot", id="a" * 64, width=sent[0], height=sent[1], size=1, private=False, used_at=0.0)
    return resolve_image(ImageRequest.model_validate(request), catalogue, "ssd-1b", Sources(start=start))


def refused(catalogue: Catalogue, sent: tuple[int, int] | None = None, **fields: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(Refused) as refusal:
        resolved(catalogue, sent, **fields)
    return [(one.field.removeprefix("request."), one.code, one.message) for one in refusal.value.problems]


# ---------------------------------------------------------------- a second pass


def test_what_is_not_said_of_a_second_pass(catalogue: Catalogue) -> None:
    whole = resolved(catalogue, width=512, height=512, hires={"scale": 2})
    assert whole.hires == ResolvedHires(
        scale=2, strength=0.7, steps=30, upscaler="latent", width=1024, height=1024, tile=(1024, 1024)
    )
    assert tiles.work(whole) == pytest.approx((512 * 512 * 30 + 1024 * 1024 * 21) / 1e6)
    assert whole.notes == ("Drawn at 512x512, then at 1024x1024: there a strength of 0.7 takes 21 of the 30 steps.",)
    pixels = resolved(catalogue, width=512, height=512, hires={"scale": 2, "upscaler": "lanczos"}).hires
    assert pixels is not None
    assert pixels.strength == 0.5
    tiled = resolved(catalogue, hires={"scale": 2, "steps": 20})
    hires = tiled.hires
    assert hires is not None
    assert (hires.strength, hires.steps, hires.upscaler) == (0.35, 20, "lanczos")
    assert (hires.width, hires.height, hires.tile) == (1536, 1536, (768, 768))
    assert tiles.largest(tiled) == (768, 768)
    assert tiled.notes[-1] == "It was drawn in 9 overlapping tiles of 768x768."
    assert tiles.work(tiled) == pytest.approx(768 * 768 * (30 + 9 * 7) / 1e6)


def test_a_model_that_knows_whole_scenes_only_gets_its_own_size_and_no_words(catalogue: Catalogue) -> None:
    larger = resolved(catalogue, model="otter-mini", hires={"scale": 1.5})
    assert larger.hires is not None
    assert (larger.hires.width, larger.hires.tile) == (192, (128, 128))
    assert "without the words: otter-mini would draw all that they say" in larger.notes[-1]
    same = resolved(catalogue, model="otter-mini", hires={"scale": 1})
    assert tiles.runs(same) == [(128, 128, 20), (128, 128, 14)]
    assert len(same.notes) == 1


def test_sizes_are_multiples(catalogue: Catalogue) -> None:
    hires = resolved(catalogue, width=520, height=512, hires={"scale": 1.3}).hires
    assert hires is not None
    assert (hires.width, hires.height) == (680, 664)


@pytest.mark.parametrize(
    ("fields", "field", "code", "said"),
    [
        ({"model": "otter-mini", "width": 192, "height": 192, "hires": {"scale": 4}}, "", "", ""),
        ({"width": 1536, "height": 1024, "hires": {"scale": 3}}, "hires.scale", "too_large",
         "1536x1024 can be drawn 2.6 times as large."),
        ({"width": 1024, "height": 1024, "model": "sd15", "hires": {"scale": 4}}, "", "", ""),
        ({"model": "flux2-klein", "hires": {"scale": 2}}, "hires", "no_pictures", "cannot start from a picture"),
        ({"hires": {"scale": 2, "steps": 199}}, "hires.steps", "bad_steps", "takes 1 to 150 steps"),
    ],
)  # fmt: skip
def test_limits_of_a_second_pass(
    catalogue: Catalogue, fields: dict[str, Any], field: str, code: str, said: str
) -> None:
    if not code:
        resolved(catalogue, **fields)
        return
    ((found, found_code, message),) = refused(catalogue, **fields)
    assert (found, found_code) == (field, code)
    assert said in message


def test_the_largest_scale_that_is_named_is_taken(catalogue: Catalogue) -> None:
    fields = {"width": 1536, "height": 1024}
    resolved(catalogue, **fields, hires={"scale": 2.6})
    assert refused(catalogue, **fields, hires={"scale": 2.7})


@pytest.mark.parametrize(
    "hires",
    [{}, {"scale": 0.9}, {"scale": 4.1}, {"scale": "2"}, {"scale": float("nan")}, {"scale": 2, "strength": 0},
     {"scale": 2, "strength": 1.1}, {"scale": 2, "steps": 0}, {"scale": 2, "steps": 2.5}, {"scale": 2, "upscaler": "x"},
     {"scale": 2, "tile": 64}, 2, [2]],
)  # fmt: skip
async def test_what_is_no_second_pass(tmp_path: Path, hires: Any) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image(hires=hires))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert all(found["field"].startswith("request.hires") for found in problem["fields"])


# ---------------------------------------------------------------- upscaling


def test_what_upscaling_makes_of_a_picture(catalogue: Catalogue) -> None:
    twice = resolved(catalogue, (770, 514), upscale=2, prompt="")
    assert (twice.width, twice.height, twice.strength) == (1544, 1032, 0.3)
    assert twice.upscale == ResolvedUpscale(factor=2, tile=(768, 768))
    assert twice.notes == (
        "Upscaled from 770x514 to 1544x1032.", "It was drawn in 6 overlapping tiles of 768x768."
    )  # fmt: skip
    small = resolved(catalogue, (300, 200), upscale=4, strength=0.5)
    assert (small.upscale, small.strength) == (ResolvedUpscale(factor=4, tile=(1200, 800)), 0.5)
    assert tiles.work(small) == pytest.approx(1200 * 800 * 15 / 1e6)


@pytest.mark.parametrize(
    ("sent", "fields", "field", "code", "said"),
    [
        (None, {"upscale": 2}, "upscale", "no_picture", "needs a picture"),
        ((1100, 1100), {"upscale": 4}, "upscale", "too_large", "Twice is possible."),
        ((3000, 1000), {"upscale": 2}, "upscale", "too_large", "6000x2000; with ssd-1b larger pictures have at most"),
        ((500, 500), {"upscale": 2, "model": "otter-mini"}, "upscale", "too_large", "0.59 megapixels"),
        ((20, 500), {"upscale": 4}, "upscale", "too_small", "from 256 pixels"),
        ((500, 500), {"upscale": 2, "width": 512}, "width", "conflict", "leave this out"),
        ((500, 500), {"upscale": 2, "aspect": "3:2"}, "aspect", "conflict", "leave this out"),
        ((500, 500), {"upscale": 2, "hires": {"scale": 2}}, "hires", "conflict", "leave this out"),
        ((500, 500), {"upscale": 2, "variation": {"seed": 1, "strength": 0.5}}, "variation", "conflict", "leave this"),
        ((500, 500), {"upscale": 2, "model": "flux2-klein"}, "init_image", "no_pictures", "cannot start"),
    ],
)
def test_limits_of_upscaling(
    catalogue: Catalogue, sent: Any, fields: dict[str, Any], field: str, code: str, said: str
) -> None:
    ((found, found_code, message),) = refused(catalogue, sent, **fields)
    assert (found, found_code) == (field, code)
    assert said in message


@pytest.mark.parametrize("upscale", [0, 1, 3, 8, -2, 2.5, "2", True, [2]])
async def test_no_other_factors(tmp_path: Path, upscale: Any) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image(upscale=upscale))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert {found["field"].split(".")[1] for found in problem["fields"]} == {"upscale"}


# ---------------------------------------------------------------- through the worker


async def drawn(api: Any, body: Json) -> Json:
    job = await api.done((await api.submit(body))["id"])
    result: Json = job["pictures"][0]["result"]
    return result


async def test_what_is_asked_is_drawn_and_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core_lab import DoubleGpu

    tasks: list[Draw] = []
    draw = DoubleGpu.draw

    async def keep(self: DoubleGpu, task: Draw, report: Any) -> Any:
        tasks.append(task)
        return await draw(self, task, report)

    monkeypatch.setattr(DoubleGpu, "draw", keep)
    async with worker_here(settings(tmp_path)) as here:
        assert {"hires", "upscale"} <= set((await here.api.call("GET", "/v1/info"))[1]["features"])
        asked = {"scale": 2, "strength": 0.5}
        result = await drawn(here.api, image(hires=asked, asked={"hires": asked}))
        used = result["record"]["used"]
        assert (used["width"], used["height"]) == (128, 128), "what the first pass drew"
        assert used["hires"] == {
            "scale": 2.0, "strength": 0.5, "steps": 2, "upscaler": "lanczos", "width": 256, "height": 256,
            "tile": [128, 128],
        }  # fmt: skip
        assert used["tile"] is None
        assert result["record"]["asked"] == {"hires": {"scale": 2.0, "strength": 0.5}}
        assert tasks[0].hires is not None
        assert (tasks[0].hires.tile, tasks[0].upscale) == ((128, 128), None)
        data = png(100, 100)
        await send(here.api, data)
        result = await drawn(here.api, started(data, "key-00002", upscale=2, prompt="", steps=20))
        used = result["record"]["used"]
        assert (used["upscale"], used["hires"], used["strength"], used["prompt"]) == (2, None, 0.3, "")
        assert (used["width"], used["height"], used["init_image"]) == (200, 200, sha(data))
        assert used["tile"] == [128, 128], "what the operator makes the usual size later changes nothing in it"
        assert "A strength of 0.3 takes 6 of the 20 steps." in result["notes"]
        assert (tasks[1].width, tasks[1].upscale) == (200, ResolvedUpscale(factor=2, tile=(128, 128)))
        plain = await drawn(here.api, image("key-00003"))
        assert (plain["record"]["used"]["hires"], plain["record"]["used"]["upscale"]) == (None, None)


async def test_nothing_of_it_goes_with_a_mask(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        data, mask = png(), black_and_white()
        for one in (data, mask):
            await send(here.api, one)
        for number, (fields, field) in enumerate((({"hires": {"scale": 2}}, "hires"), ({"upscale": 2}, "mask"))):
            body = started(data, f"key-1000{number}", mask={"id": sha(mask)}, **fields)
            status, problem = await here.api.call("POST", "/v1/jobs", body)
            assert status == 422
            assert [(one["field"], one["code"]) for one in problem["fields"]] == [(f"request.{field}", "conflict")]


async def test_only_an_upscaled_picture_needs_no_words(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        for number, prompt in enumerate(("", "  \n")):
            status, problem = await here.api.call("POST", "/v1/jobs", image(f"key-2000{number}", prompt=prompt))
            assert (status, [one["field"] for one in problem["fields"]]) == (422, ["request.prompt"])


def test_a_step_of_the_second_pass_counts_for_its_pixels() -> None:
    runs = [tiles.Run(10, 10, 10), tiles.Run(20, 20, 10)]
    clock = [0.0]
    from otterbot_worker.schemas.jobs import Progress

    def left(step: int, steps: int, at: float) -> float:
        clock[0] = at
        found = counting.left(Progress(phase="denoising", step=step, steps=steps))
        assert found is not None
        return found

    counting = Countdown(work=5.0, pipeline=50.0, finish=None, load=0.0, runs=runs, clock=lambda: clock[0])
    assert left(0, 20, 0.0) == pytest.approx(50.0)
    assert left(10, 20, 10.0) == pytest.approx(40.0)
    assert left(15, 20, 30.0) == pytest.approx(20.0)
    assert left(20, 20, 50.0) == pytest.approx(0.0)
    twice = Countdown(work=5.0, pipeline=50.0, finish=None, load=0.0, runs=runs, clock=lambda: clock[0])
    twice.left(Progress(phase="denoising", step=0, steps=38))
    clock[0] = 60.0
    assert twice.left(Progress(phase="denoising", step=19, steps=38)) == pytest.approx(40.0), "a sampler of two steps"


def test_absent_is_as_before() -> None:
    assert ImageRequest(prompt="otter", seed=1).hires is None
    assert Hires(scale=2).model_dump(exclude_defaults=True) == {"scale": 2}
