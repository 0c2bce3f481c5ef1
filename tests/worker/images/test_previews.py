"""Previews: what they show, how often they come, that they change nothing; and where there are none."""

from __future__ import annotations

import base64
import io
import json
import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from engine_lab import Watcher
from PIL import Image

from otterbot_worker.families import FAMILIES, Preview
from otterbot_worker.gpu import messages
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.child import Channel, Task
from otterbot_worker.images.draw import previews
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.schemas.draw_files import CheckerFiles

pytestmark = pytest.mark.filterwarnings("ignore")


class Viewer(Watcher):
    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[Image.Image] = []
        self.frames: list[int] = []
        """Of each picture: the step that it shows in a film; 0 where it belongs into none."""

    def preview(self, picture: bytes, frame: int = 0) -> None:
        found = Image.open(io.BytesIO(picture))
        assert found.format == "JPEG"
        self.pictures.append(found)
        self.frames.append(frame)


Looks = Callable[..., tuple[bytes, list[Image.Image], list[str]]]


@pytest.fixture
def look(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Looks:
    def look(family: str, **changes: Any) -> tuple[bytes, list[Image.Image], list[str]]:
        task = make_task(entry=entries[family], **{"preview": True, **changes})
        viewer = Viewer()
        drawn = engine.draw(task, viewer)
        return task.output.read_bytes(), viewer.pictures, drawn.notes

    return look


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "SECONDS", 0.0)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("family", ["sd", "sdxl"])
@pytest.mark.parametrize("sampler", ["UniPC", "Euler a"])
def test_one_behind_each_step_and_the_same_picture(look: Looks, family: str, sampler: str) -> None:
    fields = {"sampler": sampler, "steps": 3, "width": 128, "height": 64}
    plain, none, _ = look(family, preview=False, **fields)
    assert none == []
    pixels, shown, notes = look(family, **fields)
    assert pixels == plain
    assert [picture.size for picture in shown] == [(128, 64)] * 3
    assert not any("previews" in note for note in notes)


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(("tile", "seen"), [((128, 128), 4), ((64, 64), 2)])
def test_none_of_tiles_which_is_said(look: Looks, tile: tuple[int, int], seen: int) -> None:
    hires = {
        "scale": 2.0,
        "strength": 1.0,
        "steps": 2,
        "upscaler": "lanczos",
        "width": 128,
        "height": 128,
        "tile": tile,
    }
    pixels, shown, notes = look("sd", steps=2, width=64, height=64, hires=hires)
    assert len(shown) == seen
    assert ("There were no previews of what was drawn in tiles." in notes) == (seen == 2)
    assert pixels == look("sd", steps=2, width=64, height=64, hires=hires, preview=False)[0]


Films = Callable[..., tuple[list[int], bytes]]


@pytest.fixture
def film(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Films:
    """The steps that a film shows, and the picture."""

    def film(family: str, **changes: Any) -> tuple[list[int], bytes]:
        task = make_task(entry=entries[family], **{"film": True, **changes})
        viewer = Viewer()
        engine.draw(task, viewer)
        return viewer.frames, task.output.read_bytes()

    return film


@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_a_film_shows_each_step_and_the_picture_stays_the_same(film: Films, look: Looks, family: str) -> None:
    fields = {"steps": 3, "width": 128, "height": 64}
    seen, pixels = film(family, **fields)
    assert seen == [1, 2, 3]
    assert pixels == look(family, preview=False, **fields)[0]


def test_of_many_steps_it_shows_some_evenly_spread(film: Films) -> None:
    seen, _ = film("sd", steps=60, width=64, height=64)
    assert len(seen) == previews.FRAMES
    gaps = [after - before for before, after in pairwise([0, *seen])]
    assert set(gaps) == {2, 3}
    assert seen[-1] == 60


def test_a_sampler_of_second_order_does_not_use_it_up_too_early(film: Films) -> None:
    seen, _ = film("sd", steps=30, width=64, height=64, sampler="Heun")
    assert seen[-1] >= 57, "it takes nearly twice as many"
    assert 20 <= len(seen) <= previews.FRAMES


@pytest.mark.parametrize(("tile", "last"), [((128, 128), 30), ((64, 64), 20)])
def test_both_passes_are_in_it_but_no_tiles(film: Films, tile: tuple[int, int], last: int) -> None:
    hires = {"scale": 2.0, "strength": 1.0, "steps": 10, "upscaler": "lanczos", "width": 128, "height": 128,
             "tile": tile}  # fmt: skip
    seen, _ = film("sd", steps=20, width=64, height=64, hires=hires)
    assert (seen[0], seen[-1]) in ((1, last), (2, last))
    assert 20 <= len(seen) <= previews.FRAMES


@pytest.mark.usefixtures("always")
def test_who_also_looks_sees_more_than_the_film_shows(film: Films) -> None:
    seen, _ = film("sd", steps=60, width=64, height=64, preview=True)
    assert len(seen) == 60
    assert len([step for step in seen if step]) == previews.FRAMES


def test_no_film_where_the_colours_of_latents_are_not_known(
    engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "colours_of", lambda *_: None)
    drawn = engine.draw(make_task(entry=entries["sd"], film=True), Viewer())
    assert [note for note in drawn.notes if "film" in note or "previews" in note] == [
        "There is no film: what the latents of tiny-sd look like is not known."
    ]


def test_they_are_seldom(look: Looks) -> None:
    assert len(look("sdxl", steps=3)[1]) <= 1, "it takes much less than a second"


@pytest.mark.usefixtures("always")
def test_the_small_model_looks_like_what_comes_of_it(look: Looks) -> None:
    fields = {"prompt": "an otter in a cowboy hat on a beach", "steps": 12, "width": 128, "height": 128, "seed": 3}
    pixels, shown, _ = look("mini", **fields)
    assert len(shown) == 12
    final = np.frombuffer(pixels, np.uint8).reshape(16, 8, 16, 8, 3).mean(axis=(1, 3))

    def alike(picture: Image.Image) -> float:
        seen = np.asarray(picture.resize((16, 16), Image.Resampling.BOX), np.float64)
        return float(np.corrcoef(seen.ravel(), final.ravel())[0, 1])

    assert alike(shown[-1]) > 0.9
    assert alike(shown[0]) < alike(shown[5]) < alike(shown[-1])


@pytest.mark.usefixtures("always")
def test_none_where_the_checker_has_to_look_or_nothing_is_known(
    look: Looks, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.setattr(engine.residency.safety, "load", lambda *_, **__: None)
    monkeypatch.setattr(engine.residency.safety, "look", lambda *_: None)
    assert look("sd", checker=CheckerFiles(folder="/nowhere", features="/nowhere", hub=None))[1] == []
    monkeypatch.setattr(previews, "colours_of", lambda *_: None)
    _, shown, notes = look("sd")
    assert shown == []
    assert any("no previews" in note for note in notes)


def test_a_map_of_its_own_lies_beside_the_autoencoder(tmp_path: Path) -> None:
    family = FAMILIES["sd"]
    vae = AutoencoderKL(latent_channels=4)
    assert previews.colours_of(family, vae) is family.preview
    vae.register_to_config(_name_or_path=str(tmp_path))
    good = {"factors": [[0.5, 0, -0.5]] * 4, "bias": [0, 0.1, 0]}
    bad = ["", "[]", "null", "{", json.dumps({**good, "bias": [0, "x", 0]}), json.dumps({**good, "bias": [0]}),
           json.dumps({**good, "bias": [0, float("nan"), 0]}), "[" * 100_000]  # fmt: skip
    for text in bad:
        (tmp_path / "preview.json").write_text(text)
        assert previews.colours_of(family, vae) is family.preview
    (tmp_path / "preview.json").write_text(json.dumps(good))
    assert previews.colours_of(family, vae) == Preview(factors=((0.5, 0.0, -0.5),) * 4, bias=(0.0, 0.1, 0.0))
    assert previews.colours_of(FAMILIES["sd3"], AutoencoderKL(latent_channels=16)) is None
    assert previews.colours_of(family, AutoencoderKL(latent_channels=8)) is None, "a map for four channels"


def test_their_way_out_of_the_process() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as lines:
        Task(Channel(theirs), "task-1").preview(b"\xff\xd8\x00")
        Task(Channel(theirs), "task-1").preview(b"\xff\xd8\x01", 7)
        told = [messages.for_parent(lines.readline()) for _ in range(2)]
    seen = [(one.task_id, base64.b64decode(one.jpeg), one.frame) for one in told if isinstance(one, messages.Preview)]
    assert seen == [("task-1", b"\xff\xd8\x00", 0), ("task-1", b"\xff\xd8\x01", 7)]


def test_any_latents_give_a_picture(always: None) -> None:
    viewer = Viewer()
    making = previews.Previews(Preview(factors=((1.0, 0.0, 0.0),) * 4), viewer, torch.device("cpu"))
    for latents in (torch.zeros(1, 4, 8, 8), torch.full((1, 4, 300, 8), torch.nan), 1e30 * torch.ones(1, 4, 8, 9)):
        making.look(latents)
        making.look(latents.half())
    assert [picture.size for picture in viewer.pictures[::2]] == [(128, 128), (7, 256), (128, 114)]
    making.look(torch.zeros(1, 64, 16))  # packed: where each of them lies is not known here
    assert len(viewer.pictures) == 6


def test_a_step_does_not_wait_for_what_has_not_arrived(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived, taken = False, 0

    class Event:
        def query(self) -> bool:
            return arrived

    def take(latents: torch.Tensor) -> tuple[torch.Tensor, Event]:
        nonlocal taken
        taken += 1
        return torch.zeros(8, 8, 3, dtype=torch.uint8), Event()

    viewer = Viewer()
    making = previews.Previews(Preview(factors=((1.0, 0.0, 0.0),) * 4), viewer, torch.device("cpu"))
    monkeypatch.setattr(making, "_take", take)
    for _ in range(5):
        making.look(torch.zeros(1, 4, 8, 8))
    assert (taken, viewer.pictures) == (1, []), "one is on its way, and no other is begun"
    arrived = True
    making.look(torch.zeros(1, 4, 8, 8))
    assert (taken, len(viewer.pictures)) == (2, 1)


def test_the_last_one_of_a_film_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = False

    class Event:
        def query(self) -> bool:
            return waited

        def synchronize(self) -> None:
            nonlocal waited
            waited = True

    class Steps:
        done, share = 4, 1.0

    viewer = Viewer()
    colours = Preview(factors=((1.0, 0.0, 0.0),) * 4)
    film = previews.Film(Steps())
    making = previews.Previews(colours, viewer, torch.device("cpu"), live=False, film=film)
    monkeypatch.setattr(making, "_take", lambda _: (torch.zeros(8, 8, 3, dtype=torch.uint8), Event()))
    making.look(torch.zeros(1, 4, 8, 8))
    assert viewer.frames == []
    making.finish()
    assert (waited, viewer.frames) == (True, [4])


def test_nothing_is_sent_to_the_card_behind_a_step(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which would wait for the step."""
    viewer, made = Viewer(), torch.tensor
    making = previews.Previews(FAMILIES["sd"].preview or Preview(factors=()), viewer, torch.device("cpu"))
    sent: list[Any] = []
    monkeypatch.setattr(torch, "tensor", lambda *values, **named: (sent.append(values), made(*values, **named))[1])
    making.look(torch.zeros(1, 4, 8, 8))
    assert (len(viewer.pictures), sent) == (1, [])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a card")
def test_a_card_shows_what_a_processor_shows(always: None) -> None:
    latents = torch.randn(1, 4, 32, 48, generator=torch.Generator().manual_seed(1)).half()
    shown = []
    for device in ("cpu", "cuda"):
        viewer = Viewer()
        making = previews.Previews(FAMILIES["sdxl"].preview or Preview(factors=()), viewer, torch.device(device))
        making.look(latents.to(device))
        if device == "cuda":
            torch.cuda.synchronize()
        making.look(latents.to(device))
        shown.append(np.asarray(viewer.pictures[0], np.int16))
    assert np.abs(shown[0] - shown[1]).max() <= 8
