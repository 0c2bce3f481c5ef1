"""The experiments tell a control that acts from one that does not. The drawing program stands in for the model."""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from otter_mini import controls
from otter_mini.drawing import draw
from otter_mini.experiments import HAT, Laboratory
from otter_mini.judge import Judge, Pixels
from otter_mini.scenes import CATEGORIES, COLOURS, HELD_OUT_SUBJECT, OUTDOORS, sample


class Drawer:
    """Draws what a prompt names, as a model would that had learned everything. ``obeys``: the controls act."""

    def __init__(self, *, obeys: bool) -> None:
        self.obeys = obeys
        self.size = 128
        self._lora = 0.0
        self._token: str | None = None

    def worded(self, prompt: str, seeds: Sequence[int], *, negative: str = "", **_: Any) -> Pixels:
        return np.stack([self._one(prompt, seed, negative) for seed in seeds])

    def over(self, sources: Pixels, prompt: str, seeds: Sequence[int], *, strength: float) -> Pixels:
        keeps = strength < 0.5 or not self.obeys
        return sources if keeps else self.worded(prompt, seeds)

    def through_vae(self, sources: Pixels) -> Pixels:
        return sources

    @contextmanager
    def lora(self, _path: Path, weight: float) -> Iterator[None]:
        self._lora = weight
        yield
        self._lora = 0.0

    def learn(self, _path: Path, token: str) -> None:
        self._token = token

    def _one(self, prompt: str, seed: int, negative: str) -> Pixels:
        rng = random.Random(seed)
        words = re.sub(r"[()\[\]+:.\d]|--", "", prompt).split(", ")
        if self._token in words and self.obeys:
            words += ["otter", "crown", "robe"]
        unwanted = re.sub(r"[():.\d]", "", negative)
        fields: dict[str, Any] = dict.fromkeys(CATEGORIES) | {"animal": "cat", "style": "cartoon"}
        if "hat" in words and not (self.obeys and unwanted == HAT):
            fields["hat"] = HAT
        for word in words:
            colour, _, rest = word.partition(" ")
            thing = rest if colour in COLOURS else word
            for category, values in CATEGORIES.items():
                if thing in values and not (self.obeys and thing == unwanted):
                    fields[category] = thing
                    fields |= {f"{category}_colour": colour} if thing != word else {}
        if fields["animal"] == HELD_OUT_SUBJECT and not (self.obeys and rng.random() < self._lora):
            fields["animal"] = "bear"
        if self.obeys and f"({HAT})--" in prompt and rng.random() < 0.5:
            fields["hat"] = None
        if self.obeys and f"({HAT})++" in prompt:
            fields["hat"] = HAT  # over the crown, which else wins
        if fields["place"] in OUTDOORS and fields["time"] is None:
            fields["time"] = "day"
        return np.asarray(draw(sample(rng, **fields), size=self.size))


class Fog:
    """Draws nothing, whatever it is told."""

    size = 128

    def worded(self, _prompt: str, seeds: Sequence[int], **_: Any) -> Pixels:
        return np.stack([np.full((128, 128, 3), 60 + seed * 5, np.uint8) for seed in seeds])

    def over(self, sources: Pixels, prompt: str, seeds: Sequence[int], *, strength: float) -> Pixels:
        return self.worded(prompt, seeds)

    def through_vae(self, sources: Pixels) -> Pixels:
        return np.full_like(sources, 90)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


def laboratory(painter: Any, judge: Judge) -> Laboratory:
    return Laboratory(painter, judge, range(5))


@pytest.mark.parametrize("experiment", ["negative", "image_to_image"])
def test_a_control_holds_where_it_acts_and_only_there(judge: Judge, experiment: str) -> None:
    outcomes = [
        getattr(laboratory(painter, judge), experiment)()
        for painter in (Drawer(obeys=True), Drawer(obeys=False), Fog())
    ]
    assert [outcome.holds for outcome in outcomes] == [True, False, False]


def test_a_lora_holds_where_it_draws_and_scales(judge: Judge) -> None:
    path = Path("hedgehog.safetensors")
    good, bad = (laboratory(Drawer(obeys=obeys), judge).lora(path) for obeys in (True, False))
    assert good.holds
    assert not bad.holds
    shares = [float(row["to be seen, %"]) for row in good.rows[:6]]
    assert shares[0] == shares[1] == 0
    assert shares[-1] == 100
    assert good.rows[-1]["prompt"] == "otter, beach"
    assert good.rows[-1]["to be seen, %"] == 0


def test_weights_hold_where_they_move_the_hat(judge: Judge) -> None:
    assert not laboratory(Drawer(obeys=False), judge).weights().holds
    outcome = laboratory(Drawer(obeys=True), judge).weights()
    assert outcome.holds
    assert [row["against plain"] for row in outcome.rows if row["prompt"] == f"otter, {HAT}, beach"] == [0]


def test_a_settings_table_counts_what_was_named(judge: Judge) -> None:
    outcome = laboratory(Drawer(obeys=True), judge).guidance()
    assert outcome.holds
    # All of it is there; the present judge does not tell some colours (the table in test_judge.py).
    assert min(row["named attributes present, %"] for row in outcome.rows) >= 95
    assert not laboratory(Fog(), judge).steps().holds


def test_lines_say_whether_it_holds(judge: Judge) -> None:
    text = "\n".join(controls.lines(laboratory(Fog(), judge).steps()))
    assert "DOES NOT HOLD: 80 % of the named attributes with each" in text


def test_what_the_token_means_must_be_known(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    controls.add_parser(parser.add_subparsers())
    options = parser.parse_args(["controls", "--model", "nowhere", "--token-means", "animal=unicorn"])
    assert options.run(options) == 2
    assert "animal=unicorn" in capsys.readouterr().out


def test_figures_are_json(judge: Judge) -> None:
    rows = laboratory(Drawer(obeys=True), judge).guidance().rows
    assert json.loads(json.dumps(rows)) == rows
    assert set(CATEGORIES) >= {"animal", "hat"}
