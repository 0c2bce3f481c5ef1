"""The doctor, run as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otterbot_worker.gpu.doctor import supported

PASCAL, AMPERE, ADA, HOPPER, BLACKWELL = (6, 1), (8, 6), (8, 9), (9, 0), (12, 0)
CU126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
CU130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.mark.parametrize(
    ("card", "built_for", "works"),
    [
        (PASCAL, CU126, True),
        (PASCAL, CU130, False),
        (AMPERE, CU126, True),
        (ADA, CU130, True),
        (HOPPER, ["sm_90a"], True),
        (BLACKWELL, CU126, False),
        (BLACKWELL, ["sm_90", "compute_90"], True),
        (BLACKWELL, CU130, True),
        (PASCAL, ["nonsense", "sm_"], False),
    ],
)
def test_which_builds_run_on_which_cards(card: tuple[int, int], built_for: list[str], works: bool) -> None:
    assert supported(card, built_for) is works


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otterbot_worker.gpu.doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_machine_that_works(data_dir: Path) -> None:
    done = doctor("--data-dir", str(data_dir), "--device", "cpu")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drew a small picture on cpu" in done.stdout
    assert "model otter-mini is here" in done.stdout
    assert done.stdout.endswith("All is well.\n")


def test_a_machine_that_does_not(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("models: {x: {}}")
    done = doctor("--data-dir", str(tmp_path), "--models", str(own))
    assert done.returncode == 1
    assert "FAIL" in done.stdout
    assert "own.yaml: x:" in done.stdout
