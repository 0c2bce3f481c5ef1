"""What tells models of two machines apart."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from otterbot_worker.cluster import inventory
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry


@pytest.fixture
def two(mini: ModelEntry, tmp_path: Path) -> tuple[ModelEntry, ModelEntry]:
    """A model, and the same one in another folder."""
    shutil.copytree(mini.folder or "", tmp_path / "elsewhere")
    return mini, replace(mini, folder=str(tmp_path / "elsewhere"))


def test_a_copy_is_the_same_model(two: tuple[ModelEntry, ModelEntry]) -> None:
    here, there = map(inventory.identify, two)
    assert here is not None
    assert here == there
    assert str(two[0].folder) not in here


def test_other_weights_of_one_name_are_another_model(two: tuple[ModelEntry, ModelEntry]) -> None:
    here, copy = two
    weights = next((Path(copy.folder or "") / "unet").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert inventory.identify(copy) != inventory.identify(here)


def test_files_that_are_gone(two: tuple[ModelEntry, ModelEntry]) -> None:
    shutil.rmtree(two[1].folder or "")
    assert inventory.identify(two[1]) is None


def test_of_a_hub_the_repository_tells(mini: ModelEntry) -> None:
    one = replace(mini, hub="a/b", folder=None)
    assert inventory.identify(one) == inventory.identify(replace(one, name="other", about="else"))
    assert inventory.identify(one) != inventory.identify(replace(one, hub="a/c"))
    assert inventory.identify(one) != inventory.identify(replace(one, variant="fp16"))


def test_a_machine_has_what_is_there_or_may_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    alone = load_catalogue(data_dir=tmp_path, downloads_allowed=False)
    assert set(inventory.models(alone, only_here=True)) == {"otter-mini"}
    assert {"otter-mini", "ssd-1b"} <= set(inventory.models(alone, only_here=False)), "what there may be elsewhere"
    fetching = load_catalogue(data_dir=tmp_path, downloads_allowed=True)
    assert {"otter-mini", "ssd-1b"} <= set(inventory.models(fetching, only_here=True))


def test_settings_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worker.yaml").write_text("nonsense: 1")
    monkeypatch.setenv("OTTERBOT_CONFIG", str(tmp_path / "worker.yaml"))
    found = inventory.machine()
    assert found.models == {}
    assert "doctor" in (found.problem or "")
