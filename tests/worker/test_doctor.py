"""The doctor, run as an operator runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from otterbot_worker.doctor import Report, check_card, supported
from otterbot_worker.gpu import attention

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


@pytest.mark.parametrize(
    ("capability", "kernels", "said"),
    [
        (AMPERE, ("flash", "efficient", "math"), ["ok    cuda:0 computes attention by flash"]),
        (
            PASCAL,
            ("efficient", "math"),
            ["ok    cuda:0 computes attention by efficient", "note  it does not compute in bf16"],
        ),
        (
            AMPERE,
            ("math",),
            ["note  DANGER, cuda:0: no kernel for attention", "grows with the square of a picture's pixels"],
        ),
    ],
)
def test_what_a_card_can_is_said_and_the_fallback_named_as_the_danger_it_is(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    capability: tuple[int, int],
    kernels: tuple[str, ...],
    said: list[str],
) -> None:
    properties = SimpleNamespace(name="A card", major=capability[0], minor=capability[1])
    for name, answer in (
        ("is_available", True),
        ("device_count", 1),
        ("get_device_properties", properties),
        ("mem_get_info", (7 * 10**9, 8 * 10**9)),
        ("get_arch_list", CU126),
    ):
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)
    monkeypatch.setattr(attention, "kernels", lambda *_: kernels)
    report = Report()
    check_card(report, "auto")
    printed = capsys.readouterr().out
    assert not report.failed
    assert "ok    cuda:0 A card, compute capability" in printed
    for line in said:
        assert line in printed
    assert ("DANGER" in printed) == (kernels == ("math",))


def test_the_kernels_are_asked_of_this_torch() -> None:
    """Without a card: on the processor its own answer is that only the fallback is one of CUDA's."""
    assert attention.kernels("cpu", "float16") == ("math",)
    assert [attention.computed_in(card) for card in (PASCAL, AMPERE)] == ["float32", "float16"]


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otterbot_worker.doctor", *arguments]
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
