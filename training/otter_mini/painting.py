"""Draws the pictures of many prompts with one model, in as many processes as the machine has cores. Free of torch.

One thread in each of two processes draws faster than two threads in one.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .judge import Pixels


@dataclass(frozen=True, kw_only=True)
class Job:
    """One prompt with its negative prompt; a picture for each seed."""

    prompt: str
    negative: str = ""
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The model's folder, and how to draw; as in ``model_arguments``."""

    model: Path
    steps: int
    guidance: float
    batch: int
    bf16: bool


_painter: Any = None
"""Of a process in the pool."""


def painted(settings: Settings, jobs: Sequence[Job], *, processes: int) -> Iterator[Pixels]:
    """The pictures of each job, N×H×W×3, in the order of the jobs. The number of processes changes nothing that can be
    seen. :raises OSError: there is no whole model in the folder"""
    if processes == 1:
        _begin(settings, None)
        yield from map(_paint, jobs)
        return
    # Not forked: a child would inherit locks of torch's threads.
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_begin, initargs=(settings, 1)) as pool:
        yield from pool.imap(_paint, jobs)


def _begin(settings: Settings, threads: int | None) -> None:
    global _painter
    import torch

    from .pictures import Painter

    if threads is not None:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
    _painter = Painter(
        settings.model, steps=settings.steps, guidance=settings.guidance, batch=settings.batch, bf16=settings.bf16
    )


def _paint(job: Job) -> Pixels:
    pictures: Pixels = _painter.worded(job.prompt, job.seeds, negative=job.negative)
    return pictures
