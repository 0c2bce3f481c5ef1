"""What the doctor says of PyTorch and the card."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from otterbot_worker.doctor import card, machine
from otterbot_worker.doctor.card import check_card, supported
from otterbot_worker.doctor.report import Report
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
    check_card(report, ["auto"])
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


@pytest.mark.parametrize(
    ("driver", "built", "device", "code", "level", "said"),
    [
        (None, None, "auto", "card.none", "note", "this PyTorch is built without CUDA"),
        (None, "12.6", "auto", "card.none", "note", "sees no card or driver"),
        (None, None, "cuda", "card.unusable", "fail", "this PyTorch is built without CUDA"),
        (("GTX 1070", "580.1"), None, "auto", "card.unusable", "fail", "there is a GTX 1070 with driver 580.1"),
        (("GTX 1070", "470.1"), "13.0", "auto", "card.unusable", "fail", "it may need a newer driver"),
        (("GTX 1070", "580.1"), None, "cpu", "card.off", "note", "gpu.device is cpu"),
    ],
)
def test_a_card_that_pytorch_cannot_use_is_a_mistake_and_no_card_is_none(
    monkeypatch: pytest.MonkeyPatch,
    driver: tuple[str, str] | None,
    built: str | None,
    device: str,
    code: str,
    level: str,
    said: str,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(card, "_driver", lambda: driver)
    monkeypatch.setattr(card, "_nvidia_inside", lambda: False)
    monkeypatch.setattr(card.probe, "torch_cuda_version", lambda: built)
    report = Report(quiet=True)
    check_card(report, [device])
    (finding,) = report.findings
    assert (finding.code, finding.level) == (code, level)
    assert said in finding.text


def test_a_card_without_a_driver_is_seen_on_the_bus(tmp_path: Path) -> None:
    for name, vendor, kind in (("0000:00:02.0", "0x8086", "0x030000"), ("0000:01:00.1", "0x10de", "0x040300")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(vendor + "\n")
        (tmp_path / name / "class").write_text(kind + "\n")
    assert not card._nvidia_inside(tmp_path), "its sound device is no card"
    (tmp_path / "0000:01:00.1" / "class").write_text("0x030000\n")
    assert card._nvidia_inside(tmp_path)
    assert not card._nvidia_inside(tmp_path / "nothing")


def test_a_look_that_dies_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a driver that takes the process down."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho \'{"code": "card.fits", "level": "ok", "text": "a card"}\'\nkill -SEGV $$\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    report = Report(quiet=True)
    machine.check_card(report, ["auto"])
    assert [(one.code, one.level) for one in report.findings] == [("card.fits", "ok"), ("card.died", "fail")]
    assert report.findings[1].text.endswith("signal 11")
