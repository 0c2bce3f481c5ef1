"""What kind of device the GPU process will find, guessed without importing torch.

The truth is the process's hello; this answers in milliseconds, before there is a process.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Literal


def torch_cuda_version() -> str | None:
    """Which CUDA the installed torch was built for; ``None`` for a CPU build or no torch."""
    spec = importlib.util.find_spec("torch")  # finds, does not import
    if spec is None or spec.origin is None:
        return None
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^cuda\b[^=]*=\s*['\"]([\d.]+)['\"]", text, re.MULTILINE)
    return found[1] if found else None


def device_kind(configured: str = "auto") -> Literal["cuda", "cpu"]:
    """``cuda`` where torch is a CUDA build and the driver sees a card (or ``configured`` says so)."""
    if configured != "auto":
        return "cuda" if configured.startswith("cuda") else "cpu"
    if torch_cuda_version() is None:
        return "cpu"
    import pynvml  # type: ignore[import-untyped]

    try:
        pynvml.nvmlInit()
        return "cuda" if pynvml.nvmlDeviceGetCount() > 0 else "cpu"
    except pynvml.NVMLError:
        return "cpu"
