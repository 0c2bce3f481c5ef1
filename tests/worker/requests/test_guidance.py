"""The CFG that is taken where nobody says one: some models have another usual one for prompts with weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_lab import image, settings, worker_here

from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.requests.resolve import resolve_image
from otterbot_worker.schemas.requests import ImageRequest

OWN = """
models:
  otter-mini:
    shipped: otter-mini
    family: sd
    about: Small.
    defaults: {steps: 2, guidance_scale: 5, guidance_scale_weighted: 9.5, width: 128, height: 128, sampler: UniPC}
    limits: {size_min: 96, size_max: 192, pixels_max: 36864}
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(data_dir=tmp_path_factory.mktemp("data"), downloads_allowed=True)


def taken(catalogue: Catalogue, model: str = "sdxl", **fields: Any) -> tuple[float, list[str]]:
    request = ImageRequest.model_validate({"prompt": "otter", "seed": 1, "model": model, **fields})
    resolved = resolve_image(request, catalogue, "otter-mini")
    return resolved.guidance_scale, [note for note in resolved.notes if "CFG" in note]


SAID = ["CFG 13, as the prompt has weights; 7.5 is usual."]


@pytest.mark.parametrize(
    "prompt", ["(otter)++", "an ((otter))", "[otter] hat", "(otter:0.8)", '("a", "b").and(1, 0.5)']
)
@pytest.mark.parametrize("model", ["sdxl", "sdxl-refined"])
def test_weights_change_the_usual_cfg(catalogue: Catalogue, model: str, prompt: str) -> None:
    assert taken(catalogue, model, prompt=prompt) == (13.0, SAID)


@pytest.mark.parametrize(
    "prompt",
    [
        "otter",
        "(otter:1)",
        ":-) C++",
        "a BREAK b",
        '("a", "b").and()',
        '("a", "b").blend(0.7, 0.3)',
        "[a|b]",
        "a AND b",
    ],
)
def test_other_marks_do_not(catalogue: Catalogue, prompt: str) -> None:
    assert taken(catalogue, prompt=prompt) == (7.5, [])


def test_what_is_said_counts(catalogue: Catalogue) -> None:
    assert taken(catalogue, prompt="(otter)++", guidance_scale=7.5) == (7.5, [])
    assert taken(catalogue, prompt="(otter)++", guidance_scale=0) == (0.0, [])


def test_the_negative_prompt_does_not_count(catalogue: Catalogue) -> None:
    assert taken(catalogue, negative_prompt="(fog)++") == (7.5, [])


@pytest.mark.parametrize("model", ["ssd-1b", "sdxl-turbo", "proteus", "sd15", "sd35-medium", "otter-mini"])
def test_other_models_have_one_cfg(catalogue: Catalogue, model: str) -> None:
    assert taken(catalogue, model, prompt="(otter)++") == taken(catalogue, model, prompt="otter")


async def test_it_is_offered_taken_and_said(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    async with worker_here(settings(tmp_path, images={"catalogue": str(own)})) as here:
        _, listed = await here.api.call("GET", "/v1/models")
        defaults = {model["name"]: model.get("defaults") for model in listed["models"]}
        assert defaults["otter-mini"]["guidance_scale_weighted"] == 9.5
        assert defaults["sdxl"]["guidance_scale_weighted"] == 13.0
        assert defaults["ssd-1b"]["guidance_scale_weighted"] is None
        result = {}
        for number, prompt in enumerate(("an (otter)++", "an otter")):
            job = await here.api.submit(image(f"key-0000{number}", prompt=prompt))
            result[prompt] = (await here.api.done(job["id"]))["pictures"][0]["result"]
        weighted, plain = result.values()
        assert weighted["record"]["used"]["guidance_scale"] == 9.5
        assert weighted["notes"] == ["CFG 9.5, as the prompt has weights; 5 is usual."]
        assert (plain["record"]["used"]["guidance_scale"], plain["notes"]) == (5.0, [])


async def test_what_was_scaled_back_of_it_stands_in_the_record(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        for prompt, share in (("otter velocity", 0.7), ("otter", None)):
            job = await here.api.submit(image(f"rescale-{share}", prompt=prompt))
            done = await here.api.done(job["id"])
            assert done["pictures"][0]["result"]["record"]["used"]["guidance_rescale"] == share
