"""Whatever a model's files hold, the engine fails that picture with a sentence, and draws the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hostile_files import HOSTILE

from otterbot_worker.errors import CannotLook, JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models.entries import ModelEntry

if TYPE_CHECKING:
    from otterbot_worker.images.engine import Engine

Draws = Callable[[ModelEntry], Any]


class Nobody:
    """Watches."""

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None: ...
    def preview(self, picture: bytes, frame: int = 0) -> None: ...
    def check(self) -> None: ...


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw]) -> Draws:
    def make(entry: ModelEntry) -> Any:
        task = make_task(entry=entry, steps=2, sampler="DDIM", width=64, height=64)
        return engine.draw(task, Nobody())

    return make


SETTINGS = {
    "nested": b"[" * 100_000,
    "a list": b"[1, 2]",
    "numbers beyond all numbers": b'{"_class_name": "X", "cross_attention_dim": 1%s}' % (b"0" * 400),
    "large": b'{"a": "' + b"x" * 2_000_000 + b'"}',
    "no text": b"\xff\xfe\x00",
}


def refused(draw: Draws, entry: ModelEntry) -> str:
    with pytest.raises(JobFailed) as failed:
        draw(entry)
    assert failed.value.code in ("model_broken", "model_missing")
    assert failed.value.message.endswith(".")
    return failed.value.message


@pytest.mark.parametrize("name", [name for name, data in HOSTILE.items() if len(data) < 1_000_000])
def test_single_files(tmp_path: Path, draw: Draws, entries: dict[str, ModelEntry], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    assert name in refused(draw, replace(entries["sd"], name="mine", folder=None, file=str(path), config=None))


@pytest.mark.parametrize("place", ["model_index.json", "unet/config.json", "vae/config.json"])
@pytest.mark.parametrize("case", SETTINGS)
def test_settings(broken_copy: Callable[[str], tuple[Path, Any]], draw: Draws, place: str, case: str) -> None:
    folder, entry = broken_copy("sd")
    (folder / place).write_bytes(SETTINGS[case])
    refused(draw, entry)


def test_weights(broken_copy: Callable[[str], tuple[Path, Any]], draw: Draws, entries: dict[str, ModelEntry]) -> None:
    folder, entry = broken_copy("sd")
    weights = next((folder / "unet").glob("*.safetensors"))
    for data in (HOSTILE["half.safetensors"], HOSTILE["nested.safetensors"], b""):
        weights.write_bytes(data)
        assert "unet" in refused(draw, entry)
    assert draw(entries["sd"]).width == 64, "the next picture is drawn"


def test_a_file_that_nobody_can_look_at_is_no_verdict(
    broken_copy: Callable[[str], tuple[Path, Any]], draw: Draws
) -> None:
    folder, entry = broken_copy("sd")
    for place in ("model_index.json", "unet/config.json", "vae/config.json"):
        path = folder / place
        kept = path.read_bytes()
        path.unlink()
        path.symlink_to(path.name)
        with pytest.raises(CannotLook, match="symbolic links"):
            draw(entry)
        path.unlink()
        path.write_bytes(kept)
    assert draw(entry).width == 64
