"""Tasks on their way to another machine: names instead of paths, and that machine's own models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from draw_tasks import draw_task

from otterbot_worker.cluster import travel
from otterbot_worker.errors import LANE_LACKS, JobFailed
from otterbot_worker.gpu import messages
from otterbot_worker.models.catalogue import Catalogue, load_catalogue
from otterbot_worker.models.loras import SHIPPED, Library

LORA = {"name": "hat", "weight": 0.5, "hash": "ab" * 32, "path": "/home/op/loras/hat.safetensors"}


@pytest.fixture
def there(tmp_path: Path) -> tuple[Path, Catalogue, Library]:
    """Another machine's folder, catalogue and library."""
    folder = tmp_path / "there"
    folder.mkdir()
    return folder, load_catalogue(data_dir=folder, downloads_allowed=False), Library(folder, SHIPPED)


def task(catalogue: Catalogue, **fields: Any) -> messages.Draw:
    entry = catalogue.images["otter-mini"]
    needed = {"prompt": "otter", "negative_prompt": "", "steps": 2, "guidance_scale": 5.0, "width": 64, "height": 64}
    more = {"sampler": "UniPC", "seed": 1, "task_id": "t", "output": "/var/scratch/t"}
    return draw_task(**{**needed, **more, "entry": entry, **fields})


def test_no_path_of_the_worker_travels(there: tuple[Path, Catalogue, Library]) -> None:
    asked = task(there[1], init_image="/data/inputs/a.png", mask="/data/inputs/b.png", loras=[LORA])
    packed, sent = travel.packed(asked)
    told = packed.model_copy(update={"entry": None})
    assert "/data" not in str(told)
    assert "/home" not in str(told)
    assert {name: str(path) for name, path in sent.items()} == {
        f"lora-{'ab' * 32}.safetensors": LORA["path"],
        "input-0": "/data/inputs/a.png",
        "input-1": "/data/inputs/b.png",
    }
    assert sorted(travel.wanted(packed)) == sorted(sent)
    assert all(map(travel.good_name, sent))


@pytest.mark.parametrize("name", ["", "../lora-ab", "lora-ab/../x", "input-0/..", "/etc/passwd", "picture"])
def test_other_names_are_refused(name: str) -> None:
    assert not travel.good_name(name)


def test_there_the_files_are_those_of_that_machine(there: tuple[Path, Catalogue, Library]) -> None:
    folder, catalogue, library = there
    packed, _ = travel.packed(task(catalogue, init_image="/data/inputs/a.png", loras=[LORA]))
    moved = packed.entry.from_dict({**packed.entry.as_dict(), "folder": "/home/op/elsewhere"})
    found = travel.unpacked(packed.model_copy(update={"entry": moved}), folder, catalogue, library)
    assert found.entry == catalogue.images["otter-mini"]
    assert found.init_image is not None
    assert found.init_image.path == str(folder / "input-0")
    assert found.loras[0].path == str(folder / f"lora-{'ab' * 32}.safetensors")
    assert found.output == folder / "picture"


@pytest.mark.parametrize("model", ["never-heard-of", "ssd-1b"])
def test_a_model_that_is_not_there(there: tuple[Path, Catalogue, Library], model: str) -> None:
    """``ssd-1b`` is known, and may not be fetched there."""
    folder, catalogue, library = there
    packed, _ = travel.packed(task(catalogue))
    other = packed.entry.from_dict({**packed.entry.as_dict(), "name": model})
    with pytest.raises(JobFailed, match=model) as failed:
        travel.unpacked(packed.model_copy(update={"entry": other}), folder, catalogue, library)
    assert failed.value.code == LANE_LACKS


def test_a_controlnet_and_a_checker_that_are_not_there(there: tuple[Path, Catalogue, Library]) -> None:
    folder, catalogue, library = there
    control = {"path": "/data/controlnets/canny", "name": "canny", "hash": "0" * 16, "scale": 1.0}
    for lacking in ({"control": control}, {"checker": {"folder": "/data/checker", "features": "/data/x", "hub": None}}):
        packed, _ = travel.packed(task(catalogue, **lacking))
        with pytest.raises(JobFailed) as failed:
            travel.unpacked(packed, folder, catalogue, library)
        assert failed.value.code == LANE_LACKS
