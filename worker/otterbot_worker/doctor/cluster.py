"""The Ray cluster of the settings: whether it can be joined, and what its machines say of themselves."""

from __future__ import annotations

import subprocess

from .. import __version__
from ..cluster import places, watch
from ..cluster.wire import Node
from ..config import Config
from ..gpu import child_command
from .report import Report

LOOK_SECONDS = 90.0


def check(report: Report, config: Config) -> None:
    """Asks each machine once, from a process of its own: Ray may take it down."""
    if config.executor != "ray":
        return
    command = [*watch.command(config.ray), "--once"]
    try:
        done = subprocess.run(
            command, capture_output=True, env=child_command.environment(), timeout=LOOK_SECONDS, check=False
        )
        nodes, problem = watch.read(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        report.fail("cluster.none", f"the Ray cluster did not answer within {LOOK_SECONDS:.0f} s")
    except (ValueError, KeyError, TypeError, IndexError):
        report.fail("cluster.none", f"Ray ended the look at its cluster (exit code {done.returncode})")
    else:
        _told(report, config, nodes, problem)


def _told(report: Report, config: Config, nodes: list[Node], problem: str | None) -> None:
    if problem is not None:
        report.fail("cluster.none", problem)
        return
    found = places.places(nodes, here=config.ray.only, most=sum(node.lanes for node in nodes))
    if not found:
        report.note("cluster.empty", f"no machine of the Ray cluster has the resource {config.ray.resource}")
    for node in {place.node.id: place.node for place in found}.values():
        if node.problem is not None:
            report.fail("cluster.node", f"{node.name} in the Ray cluster: {node.problem}")
        elif node.version != __version__:
            versions = f"has otterbot-worker {node.version}, this is {__version__}"
            report.fail("cluster.node", f"{node.name} in the Ray cluster {versions}: install the same on both")
        else:
            what = "cards" if node.gpus else "lanes on its processor"
            report.ok("cluster.node", f"{node.name} in the Ray cluster: {node.lanes} {what}, {len(node.models)} models")
