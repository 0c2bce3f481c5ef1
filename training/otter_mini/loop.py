# mypy: disallow-untyped-calls=False
"""The loop that both trainings share: learning rate, moving average, checkpoints, lines of progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from . import checkpoints

REPORT_EVERY = 50


class Interrupted(Exception):
    """Raised by ``stop_at``, which tests use to end a training in its middle."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one training goes; ``path`` is its checkpoint."""

    name: str
    path: Path
    fingerprint: str
    steps: int
    learning_rate: float
    last_rate: float
    warm_up: int
    weight_decay: float
    ema: float
    check_every: int
    restart: int | None = None
    """At this step the rate, by then all the way down, begins a second cycle with ``restart_rate``."""
    restart_rate: float = 0.0
    stop_at: int | None = None


def rate(plan: Plan, step: int) -> float:
    """Linear warm-up, then half a cosine down to ``last_rate`` of the peak; once more after a restart (SGDR, Loshchilov
    and Hutter 2017)."""
    peak, last = plan.learning_rate, plan.restart or plan.steps
    if plan.restart is not None and step >= plan.restart:
        peak, step, last = plan.restart_rate, step - plan.restart, plan.steps - plan.restart
    if step < plan.warm_up:
        return peak * (step + 1) / plan.warm_up
    along = (step - plan.warm_up) / max(1, last - plan.warm_up)
    return peak * (plan.last_rate + (1 - plan.last_rate) * 0.5 * (1 + math.cos(math.pi * along)))


def run(plan: Plan, module: torch.nn.Module, loss_of: Callable[[int], tuple[Any, str]], log: checkpoints.Log) -> None:
    """Train ``module`` to the end of ``plan`` and leave its moving average in it.

    ``loss_of(step)`` gives the loss and a few words about it. Goes on from the checkpoint if
    there is one; the last checkpoint stays for whoever wants to look.
    """
    parameters = list(module.parameters())
    average = [parameter.detach().clone() for parameter in parameters]
    optimiser = torch.optim.AdamW(
        parameters, lr=plan.learning_rate, betas=(0.9, 0.99), weight_decay=plan.weight_decay, fused=True
    )
    first = 0
    if (saved := checkpoints.load(plan.path, plan.fingerprint)) is not None:
        module.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        for mine, its in zip(average, saved["average"], strict=True):
            mine.copy_(its)
        first = saved["step"]
        log(f"{plan.name}: goes on at step {first}")

    def save(step: int) -> None:
        content = {"fingerprint": plan.fingerprint, "step": step, "average": average}
        checkpoints.save(plan.path, content | {"model": module.state_dict(), "optimiser": optimiser.state_dict()})

    module.train()
    total, counted, began = 0.0, 0, time.monotonic()
    for step in range(first, plan.steps):
        if step == plan.stop_at:
            raise Interrupted(f"{plan.name} at step {step}")
        for group in optimiser.param_groups:
            group["lr"] = rate(plan, step)
        loss, words = loss_of(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        # A young average would remember the random start for too long.
        keep = min(plan.ema, (1 + step) / (10 + step))
        torch._foreach_lerp_(average, [parameter.detach() for parameter in parameters], 1 - keep)
        total, counted = total + float(loss.detach()), counted + 1
        done = step + 1
        if done % REPORT_EVERY == 0 or done == plan.steps:
            seconds = (time.monotonic() - began) / counted
            left = seconds * (plan.steps - done) / 60
            log(
                f"{plan.name} {done}/{plan.steps} loss {total / counted:.4f} {words}"
                f" {seconds:.3f} s a step, {left:.1f} min left"
            )
            total, counted, began = 0.0, 0, time.monotonic()
        if done % plan.check_every == 0 or done == plan.steps:
            save(done)
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)
    module.eval()


def load_average(module: torch.nn.Module, path: Path, fingerprint: str) -> int:
    """Put the moving average of a checkpoint into ``module``; returns its step.

    ``FileNotFoundError`` if there is no checkpoint yet.
    """
    saved = checkpoints.load(path, fingerprint)
    if saved is None:
        raise FileNotFoundError(path)
    with torch.no_grad():
        for parameter, mean in zip(module.parameters(), saved["average"], strict=True):
            parameter.copy_(mean)
    step: int = saved["step"]
    module.eval()
    return step
