"""Draws the pictures to learn from, and describes each in several ways.

Picture i and its captions come from (seed, i) alone, so any number of processes makes the same files:
``pictures.npy`` N×size×size×3 bytes, ``captions.json`` N lists of texts, the first half of each for the first part of
the training. Free of torch.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import spoiling
from .scenes import Scene, sample_training
from .spoiling import Spoiling

Pixels = npt.NDArray[np.uint8]
Example = tuple[Pixels, list[str]]
"""A picture, and what is said about it."""
CHUNK = 50


def scene_of(seed: int, index: int) -> Scene:
    """What the picture ``index`` shows."""
    return sample_training(random.Random(f"{seed}/scene/{index}"))


def spoiling_of(seed: int, index: int, share: float) -> Spoiling | None:
    """How the picture ``index`` is spoilt; ``share`` of them are."""
    chance = random.Random(f"{seed}/spoilt/{index}")
    return spoiling.sample(chance) if chance.random() < share else None


def example(seed: int, size: int, captions: int, index: int, spoilt: float = 0.0) -> Example:
    """The picture ``index``, size×size×3, and ``captions`` for each part of the training.

    :raises ValueError: drawings have no such size
    """
    from .captions import caption
    from .drawing import draw, spoil

    scene, how = scene_of(seed, index), spoiling_of(seed, index, spoilt)
    words = random.Random(f"{seed}/captions/{index}")
    picture = draw(scene, size=size)
    if how is not None:
        picture = spoil(picture, how)
    return np.asarray(picture, dtype=np.uint8), [
        caption(scene, words, how, late=late) for late in (False, True) for _ in range(captions)
    ]


def make(
    directory: Path,
    *,
    seed: int,
    size: int,
    pictures: int,
    captions: int,
    spoilt: float,
    processes: int,
    tell: Callable[[str], None],
) -> None:
    """Write both files to ``directory``, each whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    scratch = directory / f".pictures.{os.getpid()}.npy"
    texts: list[list[str]] = []
    try:
        pixels = np.lib.format.open_memmap(scratch, mode="w+", dtype=np.uint8, shape=(pictures, size, size, 3))
        job = functools.partial(example, seed, size, captions, spoilt=spoilt)
        with _workers(processes) as drawn:
            for index, (picture, described) in enumerate(drawn(job, range(pictures))):
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


@contextmanager
def _workers(processes: int) -> Iterator[Callable[[Callable[[int], Example], Iterable[int]], Iterator[Example]]]:
    """A ``map`` in so many processes; one is this one."""
    if processes == 1:
        yield map
        return
    # Not forked: a child would inherit locks of torch's threads.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield functools.partial(pool.imap, chunksize=CHUNK)


def load_pictures(directory: Path, first: int | None = None) -> Pixels:
    """N×size×size×3, mapped from the file; or the ``first`` so many, in memory."""
    pixels: Pixels = np.load(directory / "pictures.npy", mmap_mode="r")
    return pixels if first is None else np.array(pixels[:first])


def load_captions(directory: Path) -> list[list[str]]:
    texts: list[list[str]] = json.loads((directory / "captions.json").read_text(encoding="utf-8"))
    return texts
