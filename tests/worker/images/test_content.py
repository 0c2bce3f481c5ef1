"""What pictures show: the engine on the shipped model, looked at by the judge. Random weights could not tell.

Seeds are fixed, so that the same pictures come every time; means over several of them say what a control does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from draw_tasks import draw_task
from PIL import Image

from otter_mini.drawing import draw
from otter_mini.edges import edge_correlation
from otter_mini.judge import Judge
from otter_mini.scenes import sample
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.loras import SHIPPED, Kind, Library
from otterbot_worker.sampling import samplers

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, which the GPU process ignores as well

SEEDS = range(1, 5)
STEPS = 8
PROMPT = "otter, cowboy hat"
Pictures = np.ndarray[Any, np.dtype[np.uint8]]
Paint = Callable[..., Pictures]


class Nobody:
    """Is told of progress and never cancels."""

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        pass

    def check(self) -> None:
        pass


@pytest.fixture(scope="module")
def paint(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Paint:
    """Pictures N×H×W×3 of one request, with a seed each. What was asked before is not drawn again."""
    folder = tmp_path_factory.mktemp("content")
    entry = load_catalogue(data_dir=folder).images["otter-mini"]
    output = folder / "picture.rgb"
    kept: dict[str, Pictures] = {}

    def one(**changes: Any) -> Pictures:
        fields: dict[str, Any] = {
            "task_id": "content",
            "entry": entry,
            "negative_prompt": "",
            "steps": STEPS,
            "guidance_scale": entry.defaults.guidance_scale,
            "width": entry.defaults.width,
            "height": entry.defaults.height,
            "sampler": entry.defaults.sampler,
            "output": str(output),
        }
        drawn = engine.draw(draw_task(**{**fields, **changes}), Nobody())
        assert drawn.notes == []
        return np.frombuffer(output.read_bytes(), np.uint8).reshape(drawn.height, drawn.width, 3)

    def paint(prompt: str = PROMPT, *, seeds: range = SEEDS, again: bool = False, **changes: Any) -> Pictures:
        key = repr((prompt, seeds, sorted(changes.items())))
        if again or key not in kept:
            kept[key] = np.stack([one(prompt=prompt, seed=seed, **changes) for seed in seeds])
        return kept[key]

    return paint


def test_it_is_computed_in_full_precision_where_there_is_no_card(engine: Engine, paint: Paint) -> None:
    """Its files hold half the digits: processors are slow with these."""
    paint(seeds=range(1, 2), steps=1)
    assert engine.residency.loaded is not None
    pipe = engine.residency.loaded.pipe
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {torch.float32}


def test_the_prompt_is_what_is_to_be_seen(paint: Paint, judge: Judge) -> None:
    for prompt, animal, hat in (
        (PROMPT, "otter", "cowboy hat"),
        ("cat, wizard hat", "cat", "wizard hat"),
        ("a cute owl, 4k, snorgelfrump, 💚", "owl", "none"),
    ):
        pictures = paint(prompt)
        assert judge.score(pictures, "animal", animal).mean() > 0.8
        assert judge.score(pictures, "hat", hat).mean() > 0.8


def test_weights_take_away(paint: Paint, judge: Judge) -> None:
    """At a low CFG, which leaves the judge a doubt; further down the hat is gone at any."""
    less, plain, more = (
        judge.logit(paint(f"otter, {hat}", guidance_scale=1.5), "hat", "cowboy hat").mean()
        for hat in ("(cowboy hat)--", "cowboy hat", "(cowboy hat)++")
    )
    assert less < plain
    assert less < more
    for gone in ("(cowboy hat)------", "(cowboy hat:0.1)"):
        assert judge.score(paint(f"otter, {gone}"), "hat", "cowboy hat").mean() < 0.1


def test_the_negative_prompt_takes_away_what_it_names_and_nothing_else(paint: Paint, judge: Judge) -> None:
    """Any hat will do, but not that one. (What the prompt itself names cannot be taken away: both sides ask for it.)"""
    without = paint("otter, hat", negative_prompt="cowboy hat")
    assert judge.score(without, "hat", "cowboy hat").mean() < 0.1
    only = paint("otter, hat", negative_prompt="wizard hat, top hat, crown")
    assert judge.score(only, "hat", "cowboy hat").mean() > judge.score(without, "hat", "cowboy hat").mean()
    assert judge.score(without, "animal", "otter").mean() > 0.7


def test_seeds_are_other_pictures_of_the_same(paint: Paint, judge: Judge) -> None:
    first = paint()
    assert (first[1] == paint(seeds=SEEDS[1:2], again=True)[0]).all(), "the same bytes again"
    pairs = [(a, b) for a in range(len(first)) for b in range(a)]
    distances = [np.abs(first[a].astype(int) - first[b].astype(int)).mean() for a, b in pairs]
    assert min(distances) > 5, "out of 255, in the mean over all pixels"
    assert (judge.score(first, "animal", "otter") > 0.5).all()


def test_a_picture_to_start_from_keeps_its_layout_as_far_as_it_is_told(paint: Paint, tmp_path: Path) -> None:
    scene = sample(random.Random(1), animal="otter", hat="cowboy hat", outfit=None, place="beach", style="cartoon")
    source = draw(scene)
    source.save(tmp_path / "start.png")
    little, much = (
        edge_correlation(
            np.stack([np.asarray(source)] * len(SEEDS)),
            paint(f"{PROMPT}, beach", init_image=str(tmp_path / "start.png"), strength=strength),
        ).mean()
        for strength in (0.4, 0.95)
    )
    assert little > 0.9
    assert much < little - 0.1, "all otters on a beach look somewhat alike"


def test_what_a_mask_covers_is_another_thing_and_the_rest_the_same(paint: Paint, judge: Judge, tmp_path: Path) -> None:
    """Another hat on the same otter: its upper part is drawn anew, with all steps."""
    scene = sample(
        random.Random(1), animal="otter", hat="cowboy hat", outfit=None, place="beach", style="cartoon", item=None
    )
    source = draw(scene)
    source.save(tmp_path / "start.png")
    mask = Image.new("L", source.size)
    mask.paste(255, (0, 0, source.width, source.height * 7 // 16))
    mask.save(tmp_path / "mask.png")
    files = {"init_image": str(tmp_path / "start.png"), "mask": str(tmp_path / "mask.png"), "strength": 1.0}
    shown = np.asarray(source)
    assert judge.score(shown[None], "hat", "cowboy hat").mean() > 0.8
    for hat in ("wizard hat", "cowboy hat"):
        pictures = paint(f"otter, {hat}, beach", **files)
        assert judge.score(pictures, "hat", hat).mean() > 0.7
        assert judge.score(pictures, "animal", "otter").mean() > 0.7
        kept = np.asarray(mask) == 0
        assert (pictures[:, kept] == shown[kept]).all()


def test_larger_pictures_show_the_same_once(paint: Paint, judge: Judge) -> None:
    """In tiles: what is seen at a glance is the picture that it was before, and no tile has an otter of its own."""
    prompt = f"{PROMPT}, beach"
    before = paint(prompt, seeds=SEEDS[:2])
    hires = {"scale": 2.0, "strength": 0.35, "steps": 12, "upscaler": "lanczos", "width": 256, "height": 256}
    after = paint(prompt, seeds=SEEDS[:2], hires={**hires, "tile": [128, 128]})
    small = np.stack([np.asarray(Image.fromarray(one).resize((128, 128), Image.Resampling.BOX)) for one in after])
    assert (judge.score(small, "animal", "otter") > 0.5).all()
    assert judge.score(small, "hat", "cowboy hat").mean() > 0.8
    assert edge_correlation(before, small).mean() > 0.8
    enlarged = np.stack(
        [np.asarray(Image.fromarray(one).resize((256, 256), Image.Resampling.LANCZOS)) for one in before]
    )
    edges = [63, 64, 127, 128, 191, 192]  # of tiles, in pixels; what the picture itself has there, the enlarged one has
    for axis in (1, 2):
        jumps = np.abs(np.diff(after.astype(int), axis=axis)).mean((0, 3 - axis, 3))
        own = np.abs(np.diff(enlarged.astype(int), axis=axis)).mean((0, 3 - axis, 3))
        assert (jumps - own)[edges].mean() < np.quantile(jumps - own, 0.95), "no seam"


def test_a_lora_draws_what_the_model_never_saw_and_scales(paint: Paint, judge: Judge) -> None:
    lora = shipped("lora", "penguin")
    scores = [
        judge.score(paint("penguin, beach", loras=[{**lora, "weight": weight}]), "animal", "penguin").mean()
        for weight in (0.0, 0.5, 1.0)
    ]
    assert scores[0] < 0.1
    assert scores[0] < scores[2]
    assert scores[1] <= scores[2]
    assert scores[2] > 0.8
    assert judge.score(paint(), "animal", "otter").mean() > 0.8, "nothing of it is left afterwards"


def test_an_embedding_is_a_word_for_what_the_model_can_draw(paint: Paint, judge: Judge) -> None:
    """Ottoline is an otter with a crown and a robe."""
    word = {**shipped("embedding", "ottoline"), "token": "ottoline"}
    known, unknown = paint("ottoline, beach", embeddings=[word]), paint("ottoline, beach")
    for category, value in (("animal", "otter"), ("hat", "crown"), ("outfit", "robe")):
        assert judge.score(known, category, value).mean() > 0.7
    assert judge.score(unknown, "hat", "crown").mean() < 0.3


def shipped(kind: Kind, name: str) -> dict[str, str]:
    """A file that ships with the worker, as it stands in a task."""
    library = Library(SHIPPED)
    extra = library.find(kind, name)
    assert extra is not None
    assert extra.problem is None
    assert extra.size <= 1e6
    return {"name": name, "path": str(extra.path), "hash": library.hashes(extra).file}


@pytest.mark.parametrize("sampler", samplers.names())
def test_every_sampler_draws_it(paint: Paint, judge: Judge, sampler: str) -> None:
    pictures = paint(sampler=sampler, steps=20, seeds=SEEDS[:1])
    assert judge.score(pictures, "animal", "otter")[0] > 0.5
    assert judge.score(pictures, "hat", "cowboy hat")[0] > 0.5
