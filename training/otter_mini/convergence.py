# mypy: disallow-untyped-calls=False
"""How many steps are enough: pictures of fewer steps against those of fifty, by SSIM.

Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004) of the brightness, with Gaussian windows of 1.5 pixels:
1 for the same picture, about 0.98 where a difference has to be searched for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from . import flaws
from .captions import prompt_of
from .outcome import Outcome, Row
from .scenes import HELD_OUT

if TYPE_CHECKING:
    from .judge import Floats, Pixels
    from .pictures import Painter

COUNTS = (6, 8, 10, 12, 15, 20, 30)
DONE = 50
"""Steps after which nothing changes any more."""
WANTED = 0.97
WINDOW = 1.5
FIRST, SECOND = 0.01**2, 0.03**2
"""The paper's constants, for brightness in 0 … 1."""


def ssim(left: Pixels, right: Pixels) -> Floats:
    """N similarities, each of a pair of pictures N×H×W×3.

    :raises ValueError: the pictures are not of one shape
    """
    if left.shape != right.shape:
        raise ValueError(f"pictures of {left.shape} and {right.shape} cannot be compared")
    one, other = (torch.from_numpy(each.astype(np.float32).mean(axis=3) / 255)[:, None] for each in (left, right))

    def around(values: torch.Tensor) -> torch.Tensor:
        return flaws.blurred(values, WINDOW)

    mean, mean_other = around(one), around(other)
    spread, spread_other = around(one.square()) - mean.square(), around(other.square()) - mean_other.square()
    common = around(one * other) - mean * mean_other
    alike = (2 * mean * mean_other + FIRST) * (2 * common + SECOND)
    most = (mean.square() + mean_other.square() + FIRST) * (spread + spread_other + SECOND)
    found: Floats = (alike / most).mean(dim=(1, 2, 3)).numpy()
    return found


def measure(painter: Painter, seeds: Sequence[int], *, prompts: int = 8) -> Outcome:
    """Of every fifth held-out prompt; times are of this machine, against the painter's own number of steps."""
    wordings = [prompt_of(HELD_OUT[number]) for number in range(0, len(HELD_OUT), max(1, len(HELD_OUT) // prompts))]
    counts = sorted({*COUNTS, painter.steps, DONE}, reverse=True)
    rows: list[Row] = []
    pictures: dict[int, Pixels] = {}
    seconds: dict[int, float] = {}
    for steps in counts:
        began = time.process_time()
        pictures[steps] = np.concatenate([painter.worded(prompt, seeds, steps=steps) for prompt in wordings])
        seconds[steps] = time.process_time() - began
    for steps in reversed(counts):
        alike = ssim(pictures[steps], pictures[DONE])
        rows.append(
            {
                "steps": steps,
                "SSIM": round(float(alike.mean()), 4),
                "of the worst twentieth": round(float(np.quantile(alike, 0.05)), 4),
                "times as fast": round(seconds[painter.steps] / seconds[steps], 2),
            }
        )
    own = next(row for row in rows if row["steps"] == painter.steps)
    return Outcome(
        title="Steps that are enough",
        wanted=f"against {DONE} steps an SSIM of {WANTED} with {painter.steps}, the default",
        holds=float(own["SSIM"]) >= WANTED,
        rows=rows,
    )
