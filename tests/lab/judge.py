"""What is to be seen in pictures, said by the judge of ``training/otter_mini`` in the worker's environment."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import places


@dataclass(frozen=True)
class Seen:
    """One picture. ``probabilities``: of each value in each category, ``none`` for a hat that is not there."""

    probabilities: dict[str, dict[str, float]]

    def __getitem__(self, category: str) -> str:
        """The likeliest value."""
        values = self.probabilities[category]
        return max(values, key=lambda value: values[value])

    def __str__(self) -> str:
        return ", ".join(
            f"{self[category]} {max(values.values()):.2f}" for category, values in self.probabilities.items()
        )


def look(pictures: Sequence[bytes]) -> list[Seen]:
    """Looks at all of them at once (it takes some seconds to begin). Image files of any kind that Pillow knows."""
    with tempfile.TemporaryDirectory(prefix="otterbot-judge-") as name:
        files = [Path(name) / f"{number}.png" for number in range(len(pictures))]
        for file, data in zip(files, pictures, strict=True):
            file.write_bytes(data)
        command = [places.python("worker"), "-m", "otter_mini", "look", *map(str, files)]
        environment = {**os.environ, "PYTHONPATH": str(places.REPOSITORY / "training"), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"the judge ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return [Seen(found) for found in json.loads(done.stdout)]
