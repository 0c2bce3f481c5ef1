"""Draws the pictures to learn from, and describes each in several ways.

Picture i and its captions come from (seed, i) alone, so any number of processes makes the same files:
``pictures.npy`` N×128×128×3 bytes, ``captions.json`` N lists of texts. Free of torch.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
CHUNK = 50


def example(seed: int, size: int, captions: int, index: int) -> tuple[Pixels, list[str]]:
    """The picture ``index``, size×size×3, and what is said about it. :raises ValueError: drawings have no such size"""
    from .captions import caption
    from .drawing import draw
    from .scenes import sample_training

    scene = sample_training(random.Random(f"{seed}/scene/{index}"))
    words = random.Random(f"{seed}/captions/{index}")
    picture = draw(scene, size=size)
    return np.asarray(picture.convert("RGB"), dtype=np.uint8), [caption(scene, words) for _ in range(captions)]


def make(
    directory: Path, *, seed: int, size: int, pictures: int, captions: int, processes: int, tell: Callable[[str], None]
) -> None:
    """Write both files to ``directory``, each whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    scratch = directory / f".pictures.{os.getpid()}.npy"
    texts: list[list[str]] = []
    try:
        pixels = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.uint8, shape=(pictures, size, size, 3))
        job = functools.partial(example, seed, size, captions)
        # Not forked: a child would inherit locks of torch's threads.
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for index, (picture, described) in enumerate(pool.imap(job, range(pictures), chunksize=CHUNK)):
                pixels[index] = picture
                texts.append(described)
                if (index + 1) % 2500 == 0:
                    tell(f"draw {index + 1}/{pictures}")
        pixels.flush()
        del pixels
        written = directory / f".captions.{os.getpid()}.json"
        written.write_text(json.dumps(texts), encoding="utf-8")
        os.replace(written, directory / "captions.json")
        os.replace(scratch, directory / "pictures.npy")
    finally:
        scratch.unlink(missing_ok=True)


def load_pictures(directory: Path) -> Pixels:
    """N×size×size×3, in memory: crops touch every page anyway."""
    pixels: Pixels = np.load(directory / "pictures.npy")
    return pixels


def load_captions(directory: Path) -> list[list[str]]:
    texts: list[list[str]] = json.loads((directory / "captions.json").read_text(encoding="utf-8"))
    return texts
