"""Looks which machines a Ray cluster has: keeps the scout running, and tells what it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence

from ..config import RayConfig
from ..gpu import child_command
from .process import cluster
from .wire import CONNECT_SECONDS, Node

log = logging.getLogger(__name__)

PROGRAM = "otterbot_worker.cluster.scout"
AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0)
SILENT_SECONDS = CONNECT_SECONDS + 30
LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of a line: all machines with all their models."""
STARTING = "The Ray cluster has not been looked at yet."
ENDED = "The Ray cluster is gone, or cannot be reached."

OnNodes = Callable[[Sequence[Node], str | None], None]
"""The machines; or none, and a sentence that says why."""


async def follow(ray: RayConfig, told: OnNodes) -> None:
    """For ever."""
    failures = 0
    while True:
        if await _one(ray, told):
            failures = 0
        await asyncio.sleep(AGAIN_SECONDS[min(failures, len(AGAIN_SECONDS) - 1)])
        failures += 1


async def _one(ray: RayConfig, told: OnNodes) -> bool:
    """One scout, until its end. Whether it has seen the cluster."""
    process = await _start(ray)
    assert process.stdout is not None
    seen, why = False, ENDED
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), SILENT_SECONDS):
            nodes, problem = read(line)
            if problem is None:
                told(nodes, None)
                seen = True
            else:
                why = problem
    except (TimeoutError, ValueError, KeyError, TypeError) as error:
        log.warning("what the scout says cannot be read", extra={"error": type(error).__name__})
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    told((), why)
    return seen


def read(line: bytes) -> tuple[list[Node], str | None]:
    """:raises ValueError: :raises KeyError: :raises TypeError: it is no line of the scout's"""
    said = json.loads(line)
    return [Node(**one) for one in said["nodes"]], said["problem"]


def command(ray: RayConfig) -> list[str]:
    return [sys.executable, "-m", PROGRAM, "--parent", str(os.getpid()), *cluster(ray)]


async def _start(ray: RayConfig) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(ray),
        env=child_command.environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE_LIMIT,
    )
