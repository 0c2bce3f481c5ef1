"""Files that an operator drops into the folder of checkpoints are models by their names."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_lab import image, settings, worker_here
from hollow_models import OWN_CATALOGUE, SD1, SD2, SDXL, VAE, write

from otterbot_worker.models import checkpoint_probe, checkpoints, noise_schedule
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.requests.resolve import Refused, resolve_image
from otterbot_worker.schemas.requests import ImageRequest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "checkpoints"
    made.mkdir()
    return made


def test_they_appear_and_leave_while_the_worker_runs(tmp_path: Path, folder: Path) -> None:
    catalogue = load_catalogue(data_dir=tmp_path)
    before = list(catalogue.images)
    write(folder / "Deliberate v2.safetensors", SD1)
    write(folder / "v2-1_512.safetensors", SD2)
    write(folder / "wide.safetensors", SDXL)
    write(folder / "v2-1_768.SafeTensors", SD2)
    (folder / "readme.txt").write_text("no model")
    (folder / "sub.safetensors").mkdir()
    assert list(catalogue.images) == [*before, "Deliberate-v2", "v2-1_512", "v2-1_768", "wide"]
    first, base, second, wide = (catalogue.images[name] for name in list(catalogue.images)[-4:])
    assert (first.family, first.config, first.defaults) == ("sd", "sd1", catalogue.images["sd15"].defaults)
    assert (wide.family, wide.defaults, wide.limits) == (
        "sdxl",
        replace(catalogue.images["sdxl"].defaults, guidance_scale_weighted=None),
        catalogue.images["sdxl"].limits,
    )
    assert [(entry.config, entry.defaults.width) for entry in (base, second)] == [("sd2-base", 512), ("sd2", 768)]
    assert first.licence.startswith("unknown")
    assert (first.hub, first.vae, first.variant, first.refiner) == (None, None, None, None)
    assert first.prompt_width() == 768
    assert catalogue.available(wide)
    assert catalogue.look().broken == {}
    for entry in (first, base, second, wide):
        assert ModelEntry.from_dict(json.loads(json.dumps(entry.as_dict()))) == entry
    os.utime(folder / "wide.safetensors", (1, 1))
    assert catalogue.images["wide"] != wide, "another file of that name is another model to the engine"
    for path in folder.glob("*.[sS]*"):
        path.rename(path.with_suffix(".gone"))
    assert list(catalogue.images) == before


ZERO_SNR = {**SDXL, "v_pred": (0,), "ztsnr": (0,)}


def test_one_that_predicts_the_velocity_gets_defaults_of_its_own(tmp_path: Path, folder: Path) -> None:
    write(folder / "noob.safetensors", ZERO_SNR)
    write(folder / "v.safetensors", {**SDXL, "v_pred": (0,)})
    images = load_catalogue(data_dir=tmp_path).images
    for name in ("noob", "v"):
        defaults = images[name].defaults
        assert (defaults.sampler, defaults.guidance_scale, defaults.steps) == ("Euler a", 4.5, 28)
        assert (defaults.width, defaults.height) == (1024, 1024)
        assert "predicts the velocity" in images[name].about
    assert "Heun" in images["v"].samplers()
    assert set(images["v"].samplers()) - set(images["noob"].samplers()) == {
        "DPM++ SDE", "DPM++ SDE Karras", "Heun", "DPM2", "DPM2 a", "PNDM", "DEIS",
    }  # fmt: skip


def test_noise_alone_is_begun_with_by_models_of_the_velocity_alone(tmp_path: Path, folder: Path) -> None:
    """A lone mark in a plain SDXL made it begin with noise from which it can tell nothing."""
    marked = {**SDXL, "ztsnr": (0,)}
    for name in ("plain", "said", "denied"):
        write(folder / f"{name}.safetensors", marked)
    entry = "{{file: {}.safetensors, family: sdxl, about: a test, prediction: {}, defaults: {}}}"
    defaults = "{steps: 4, guidance_scale: 5.0, width: 1024, height: 1024, sampler: UniPC}"
    said = (("said", "v_prediction"), ("denied", "epsilon"))
    lines = [f"  {name}: {entry.format(name, prediction, defaults)}" for name, prediction in said]
    (tmp_path / "own.yaml").write_text("\n".join(["models:", *lines]))
    images = load_catalogue(tmp_path / "own.yaml", data_dir=tmp_path).images
    found = {name: images[name].noise() for name in ("plain", "said", "denied")}
    assert {name: noise_schedule.zero_snr(noise) for name, noise in found.items()} == {
        "plain": False, "said": True, "denied": False,
    }  # fmt: skip
    assert found["plain"]["prediction_type"] == "epsilon"
    assert "Heun" in images["plain"].samplers()


def test_samplers_that_cannot_begin_with_noise_alone_are_refused(tmp_path: Path, folder: Path) -> None:
    """They drew grey pictures from a noise that the model never saw, without a word."""
    write(folder / "noob.safetensors", ZERO_SNR)
    catalogue = load_catalogue(data_dir=tmp_path)
    with pytest.raises(Refused) as refused:
        resolve_image(ImageRequest(prompt="otter", seed=1, model="noob", sampler="heun"), catalogue, "noob")
    [problem] = refused.value.problems
    assert (problem.field, problem.code) == ("request.sampler", "sampler_mismatch")
    said = "noob begins with nothing but noise (zero terminal SNR), which Heun cannot. It takes: UniPC, Euler, Euler a,"
    assert problem.message.startswith(said)
    resolved = resolve_image(ImageRequest(prompt="otter", seed=1, model="noob"), catalogue, "noob")
    assert (resolved.sampler, resolved.guidance_scale) == ("Euler a", 4.5)


def test_what_an_entry_names_is_not_found_twice(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN_CATALOGUE)
    write(folder / "Named.safetensors", SD1)
    write(folder / "mine.safetensors", SDXL)
    write(folder / "sd15.safetensors", SDXL)
    catalogue = load_catalogue(tmp_path / "own.yaml", data_dir=tmp_path)
    shipped = load_catalogue(data_dir=tmp_path / "elsewhere").images
    assert set(catalogue.images) == {*shipped, "mine"}
    assert catalogue.images["mine"].family == "sd"
    assert catalogue.images["sd15"] == shipped["sd15"]


def test_of_two_files_with_one_name_the_safe_one_counts(tmp_path: Path, folder: Path) -> None:
    (folder / "one.ckpt").write_bytes(b"no model")
    write(folder / "one.safetensors", SD1)
    catalogue = load_catalogue(data_dir=tmp_path)
    assert catalogue.images["one"].file == str(folder / "one.safetensors")
    assert catalogue.look().broken == {}


def test_broken_ones_are_named(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN_CATALOGUE.replace("family: sd", "family: sdxl"))
    write(folder / "Named.safetensors", SD1)
    write(folder / "half.safetensors", {key: shape for key, shape in SD1.items() if key not in VAE})
    (folder / "words.ckpt").write_text("no model")
    catalogue = load_catalogue(tmp_path / "own.yaml", data_dir=tmp_path)
    assert catalogue.look().broken == {
        "mine": "The file Named.safetensors is made for Stable Diffusion 1 and 2, not for SDXL.",
        "half": "The file half.safetensors is not complete: it holds no decoder (VAE).",
        "words": "The file words.ckpt is no checkpoint.",
    }
    assert "half" not in catalogue.images


def test_a_name_that_cannot_be_called_is_said(tmp_path: Path, folder: Path) -> None:
    write(folder / "a<b c.safetensors", SD1)
    write(folder / os.fsdecode(b"caf\xe9.ckpt"), SD1)
    write(folder / "._a.safetensors", SD1)
    write(folder / "na<med.safetensors", SD1)
    (tmp_path / "own.yaml").write_text(OWN_CATALOGUE.replace("Named", "na<med"))
    catalogue = load_catalogue(tmp_path / "own.yaml", data_dir=tmp_path)
    why = "has a name that it cannot be called by: rename it, with at most 100 letters, digits, . _ and -."
    assert catalogue.look().broken == {
        "a<b-c": f"The file a<b c.safetensors {why}",
        "caf\N{REPLACEMENT CHARACTER}": f"The file caf\N{REPLACEMENT CHARACTER}.ckpt {why}",
    }
    assert catalogue.images["mine"].here() is not None, "an entry calls it by another name"
    assert not {"a<b-c", "a<b c"} & set(catalogue.images)


async def test_they_are_listed_and_refused_when_they_are_asked_for(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, images={"downloads": False}), paused=True) as here:
        folder = next(path for path in tmp_path.rglob("checkpoints") if path.is_dir())
        write(folder / "good.safetensors", SD1)
        (folder / "bad.safetensors").write_text("These are words, and no model.")
        _, listed = await here.api.call("GET", "/v1/models")
        by_name = {model["name"]: model for model in listed["models"]}
        assert (by_name["good"]["available"], by_name["good"]["family"]) == (True, "sd")
        assert by_name["good"]["problem"] is None
        assert by_name["bad"]["available"] is False
        assert by_name["bad"]["problem"] == "The file bad.safetensors is no safetensors file."
        status, problem = await here.api.call("POST", "/v1/jobs", image(model="bad"))
        assert (status, problem["fields"][0]["code"]) == (422, "model_broken")
        assert problem["fields"][0]["message"] == "bad cannot be used. The file bad.safetensors is no safetensors file."
        status, _ = await here.api.call("POST", "/v1/jobs", image(key="key-00002", model="good"))
        assert status == 202
        status, problem = await here.api.call("POST", "/v1/jobs", image(key="key-00003", model="anything-v3"))
        assert (status, problem["fields"][0]["code"]) == (422, "model_missing")


async def test_a_request_looks_at_the_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    usual = checkpoints.find

    def find(folder: Path, *others: Any) -> list[checkpoints.Place]:
        looks.append(folder)
        return usual(folder, *others)

    async with worker_here(settings(tmp_path, images={"downloads": False}), paused=True) as here:
        folder = next(path for path in tmp_path.rglob("checkpoints") if path.is_dir())
        for number in range(20):
            write(folder / f"model-{number}.safetensors", SD1)
        monkeypatch.setattr(checkpoints, "find", find)
        _, listed = await here.api.call("GET", "/v1/models")
        assert sum(model["available"] for model in listed["models"]) == 21, "and the shipped one"
        assert len(looks) == 1
        looks.clear()
        assert (await here.api.call("POST", "/v1/jobs", image(model="model-7")))[0] == 202
        assert len(looks) == 1
        looks.clear()
        status, problem = await here.api.call("POST", "/v1/jobs", image(key="key-00002", model="none"))
        assert (status, problem["fields"][0]["code"]) == (422, "unknown_model")
        assert len(looks) == 1


async def test_a_file_that_vanishes_during_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = checkpoint_probe.look

    def look(path: Path, **options: Any) -> checkpoint_probe.Found:
        """It is gone as soon as it was seen."""
        found = usual(path, **options)
        path.unlink(missing_ok=True)
        return found

    async with worker_here(settings(tmp_path, images={"downloads": False}), paused=True) as here:
        folder = next(path for path in tmp_path.rglob("checkpoints") if path.is_dir())
        monkeypatch.setattr(checkpoint_probe, "look", look)
        write(folder / "fleeting.safetensors", SD1)
        status, listed = await here.api.call("GET", "/v1/models")
        assert status == 200
        assert {model["name"]: model["available"] for model in listed["models"]}["fleeting"] is False
        for key, safety in (("key-00001", False), ("key-00002", True)):
            write(folder / "fleeting.safetensors", SD1)
            status, problem = await here.api.call("POST", "/v1/jobs", image(key=key, model="fleeting", safety=safety))
            assert (status, problem["fields"][0]["code"]) == (422, "model_missing")
