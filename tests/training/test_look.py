"""What the judge says to programs without torch."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from otter_mini.drawing import draw
from otter_mini.scenes import QUESTIONS, sample

TRAINING = Path(__file__).resolve().parents[2] / "training"


def test_files_become_probabilities_in_their_order(tmp_path: Path) -> None:
    animals = ("otter", "owl")
    for animal in animals:
        scene = sample(random.Random(1), animal=animal, hat="cowboy hat", style="cartoon")
        draw(scene).save(tmp_path / f"{animal}.png")
    command = [sys.executable, "-m", "otter_mini", "look", *(str(tmp_path / f"{animal}.png") for animal in animals)]
    environment = {**os.environ, "PYTHONPATH": str(TRAINING), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert [max(one["animal"], key=one["animal"].get) for one in seen] == list(animals)
    for one in seen:
        assert {category: tuple(values) for category, values in one.items()} == QUESTIONS
        assert all(abs(sum(values.values()) - 1) < 0.01 for values in one.values())
        assert one["hat"]["cowboy hat"] > 0.5
