"""``python -m otterbot_worker.doctor.card``: PyTorch and the cards.

A process of its own: it imports torch and touches the cards, and may die of either. It prints each finding as one line
of JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..gpu import attention, probe
from ..memory.device_info import MATH_DANGER
from .report import Report

PASCAL_HINT = (
    "GTX 10-series cards need PyTorch's wheels for CUDA 12.6 (index cu126) in a version before 2.15; "
    "newer ones do not compute on them"
)
PCI = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY = "0x10de", "0x03"


def check_card(report: Report, devices: Sequence[str]) -> None:
    """Cards, driver, and whether this torch has code for them. ``devices``: as ``gpu.device`` or ``gpu.devices``."""
    import torch

    if set(devices) == {"cpu"}:
        report.note("card.off", "gpu.device is cpu: pictures are computed by the processor")
        return
    if not torch.cuda.is_available():
        _no_cuda(report, next(device for device in devices if device != "cpu"))
        return
    for device in devices:
        number = int(device.partition(":")[2] or 0) if device.startswith("cuda") else 0
        if number >= torch.cuda.device_count():
            report.fail("card.missing", f"gpu.device is {device}, and there are {torch.cuda.device_count()} cards")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        major, minor = properties.major, properties.minor
        name = f"cuda:{index} {properties.name}, compute capability {major}.{minor}"
        free, total = torch.cuda.mem_get_info(index)
        if not supported((major, minor), torch.cuda.get_arch_list()):
            hint = f"; {PASCAL_HINT}" if major == 6 else ""
            report.fail("card.unsupported", f"{name}: PyTorch {torch.__version__} has no code for it{hint}")
            continue
        report.ok("card.fits", f"{name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
        if major < 7:
            report.note("card.old", f"{PASCAL_HINT}; this installation suits the card")
        if major < 8:
            said = "it does not compute in bf16: models that need it are drawn in full precision, more slowly"
            report.note("card.no_bf16", said)
        check_attention(report, index, (major, minor))


def _no_cuda(report: Report, device: str) -> None:
    """Why torch sees no card. A card that is there and that it cannot use is a mistake of the installation."""
    built, driver = probe.torch_cuda_version(), _driver()
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        why, wrong = "CUDA_VISIBLE_DEVICES hides every card", False
    elif driver is not None:
        card, version = driver
        what = "is built without CUDA" if built is None else f"(CUDA {built}) cannot use it: it may need a newer driver"
        why, wrong = f"there is a {card} with driver {version}, and this PyTorch {what}", True
    elif _nvidia_inside():
        why, wrong = "there is an NVIDIA card without a driver that works: install NVIDIA's", False
    else:
        what = "is built without CUDA" if built is None else f"(CUDA {built}) sees no card or driver"
        why, wrong = f"this PyTorch {what}", False
    if wrong or device.startswith("cuda"):
        report.fail("card.unusable", f"no CUDA: {why}")
    else:
        report.note("card.none", f"no CUDA: {why}; pictures are computed by the processor")


def _driver() -> tuple[str, str] | None:
    """Name of the first card and version of the driver, as the driver says; ``None``: no driver, or no card."""
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
        if pynvml.nvmlDeviceGetCount() == 0:
            return None
        return str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))), str(
            pynvml.nvmlSystemGetDriverVersion()
        )
    except pynvml.NVMLError:
        return None


def _nvidia_inside(root: Path = PCI) -> bool:
    """Whether an NVIDIA card is in this machine, with or without a driver."""
    try:
        return any(
            (place / "vendor").read_text().strip() == NVIDIA and (place / "class").read_text().startswith(DISPLAY)
            for place in root.iterdir()
        )
    except OSError:
        return False


def check_attention(report: Report, index: int, capability: tuple[int, int]) -> None:
    """Which attention kernels run, and what "math" alone costs."""
    found = attention.kernels(f"cuda:{index}", attention.computed_in(capability))
    if found == ("math",):
        said = f"DANGER, cuda:{index}: {MATH_DANGER}. SD 1.5 at 1024x1024 takes 35 GB so; use another PyTorch"
        report.note("card.attention", said)
    else:
        report.ok("card.attention", f"cuda:{index} computes attention by {found[0]}")


def supported(card: tuple[int, int], built_for: list[str]) -> bool:
    """Whether a build for ``sm_61``, ``sm_90a``, ``compute_90``… runs on a card of that compute capability.

    Machine code (``sm``) runs on later minor versions of its major one, PTX (``compute``) on everything later.
    """
    for arch in built_for:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", arch)
        if found is None:
            continue
        major, minor = int(found[2]), int(found[3])
        if (major, minor) <= card and (found[1] == "compute" or major == card[0]):
            return True
    return False


def main() -> int:
    report = Report(quiet=True)
    check_card(report, sys.argv[1:])
    for finding in report.findings:
        print(json.dumps(asdict(finding)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
