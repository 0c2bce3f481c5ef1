"""What the doctor says of a Ray cluster. The scout is a small program that prints what the real one would."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from otterbot_worker import __version__
from otterbot_worker.cluster import watch
from otterbot_worker.cluster.wire import Node
from otterbot_worker.config import Config, RayConfig
from otterbot_worker.doctor import cluster
from otterbot_worker.doctor.report import Report


def looked(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> list[tuple[str, str, str]]:
    monkeypatch.setattr(watch, "command", lambda ray: [sys.executable, "-c", program])
    report = Report(quiet=True)
    cluster.check(report, Config(data_dir=folder, executor="ray", ray=RayConfig(resource="otter_lane")))
    return [(one.code, one.level, one.text) for one in report.findings]


def prints(*nodes: Node, problem: str | None = None) -> str:
    return f"print({json.dumps({'problem': problem, 'nodes': [asdict(node) for node in nodes]})!r})"


def test_each_machine_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = Node(id="1", name="attic", lanes=2, gpus=True, here=False, version=__version__, models={"sd15": ""})
    old = Node(id="2", name="cellar", lanes=1, gpus=True, here=False, version="0.0.1")
    bare = Node(id="3", name="den", lanes=1, gpus=True, here=False, problem="It does not answer.")
    found = looked(monkeypatch, tmp_path, prints(one, old, bare))
    assert [(code, level) for code, level, _ in found] == [("cluster.node", level) for level in ("ok", "fail", "fail")]
    assert "2 cards, 1 models" in found[0][2]
    assert "0.0.1" in found[1][2]
    assert "It does not answer." in found[2][2]


def test_there_is_no_machine_with_the_resource(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ((code, level, text),) = looked(monkeypatch, tmp_path, prints())
    assert (code, level) == ("cluster.empty", "note")
    assert "otter_lane" in text


@pytest.mark.parametrize(
    "program", [prints(problem="Ray is not installed."), "import os; os._exit(134)", "print('no JSON')"]
)
def test_it_cannot_be_joined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str) -> None:
    ((code, level, _),) = looked(monkeypatch, tmp_path, program)
    assert (code, level) == ("cluster.none", "fail")


def test_without_a_cluster_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(watch, "command", lambda ray: pytest.fail("it was asked"))
    report = Report(quiet=True)
    cluster.check(report, Config(data_dir=tmp_path))
    assert report.findings == []
