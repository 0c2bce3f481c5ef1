"""What ``models.yaml`` says of the shipped small model is what its folder and its training say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from otter_mini.drawing_defaults import GUIDANCE, STEPS
from otter_mini.model_folder import side_of
from otterbot_worker.models.catalogue import SMALL_MODEL, load_catalogue
from otterbot_worker.models.entries import ModelEntry

FOLDER = Path(__file__).resolve().parents[3] / "worker/otterbot_worker/models" / SMALL_MODEL


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    return load_catalogue(data_dir=tmp_path_factory.mktemp("data")).images[SMALL_MODEL]


def config(part: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / part / "config.json").read_text("utf-8"))
    return read


def test_it_is_drawn_in_the_size_that_it_was_trained_for(entry: ModelEntry) -> None:
    side = side_of(FOLDER)
    assert (entry.defaults.width, entry.defaults.height) == (side, side)
    assert config("vae")["sample_size"] == side
    assert f"{side}x{side}" in entry.about


def test_every_size_is_one_of_whole_latents(entry: ModelEntry) -> None:
    pixels = side_of(FOLDER) // config("unet")["sample_size"]
    assert entry.limits.size_multiple % pixels == 0
    assert entry.limits.size_min % pixels == entry.limits.size_max % pixels == 0


def test_it_is_judged_as_it_is_drawn(entry: ModelEntry) -> None:
    assert (entry.defaults.steps, entry.defaults.guidance_scale) == (STEPS, GUIDANCE)


def test_its_previews_have_a_colour_for_each_channel() -> None:
    colours = json.loads((FOLDER / "vae" / "preview.json").read_text("utf-8"))
    assert len(colours["factors"]) == config("vae")["latent_channels"] == config("unet")["in_channels"]
