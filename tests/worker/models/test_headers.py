"""What pickled and quantised models hold is found without running or loading them."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from otterbot_worker.models import gguf, pickle_header
from otterbot_worker.models.headers import BadFile

WEIGHTS = OrderedDict(a=torch.zeros(2, 3), b=torch.nn.Parameter(torch.zeros(4).half()))


def test_names_and_shapes_of_a_pickled_model(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    torch.save({"state_dict": WEIGHTS, "global_step": 5, "epoch": 1.5}, file)
    assert pickle_header.read(file).shapes == {"a": (2, 3), "b": (4,)}
    torch.save(torch.nn.Linear(2, 3).state_dict(), file)
    assert pickle_header.read(file).shapes == {"weight": (3, 2), "bias": (3,)}


class Evil:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place),)


def test_a_pickle_that_wants_to_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    file, trace = tmp_path / "a.ckpt", tmp_path / "trace"
    torch.save({"state_dict": WEIGHTS, "more": Evil(trace)}, file)
    with pytest.raises(BadFile, match=r"holds more than weights .*convert it to \.safetensors"):
        pickle_header.read(file)
    assert not trace.exists()


def test_an_old_pickle_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.ckpt"
    torch.save(WEIGHTS, file, _use_new_zipfile_serialization=False)
    with pytest.raises(BadFile, match=r"old pickle.*convert it to \.safetensors"):
        pickle_header.read(file)


@pytest.mark.parametrize("kept", [0, 3, 100, 0.5, 0.999])
def test_a_pickled_model_that_is_cut_off(tmp_path: Path, kept: float) -> None:
    file = tmp_path / "a.ckpt"
    torch.save(WEIGHTS, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(BadFile):
        pickle_header.read(file)


DOUBLED = b"".join(b"0h%ch%c\x86q%c" % (n, n, n + 1) for n in range(80))
"""From the empty tuple in memory 0 to one in memory 80 that holds it 2**80 times: its hash would take for ever."""


@pytest.mark.parametrize(
    "program",
    [
        b"}q\x00X\x0a\x00\x00\x00state_dicth\x00s.",
        b")q\x00" + DOUBLED + b"0}h\x50K\x01s.",
        b")q\x00" + DOUBLED + b"0(h\x50K\x01d.",
        b")q\x00" + DOUBLED + b"h\x50\x93.",
    ],
    ids=["a dictionary in itself", "a key without end", "the same, at once", "a name without end"],
)
def test_a_pickle_without_end(tmp_path: Path, program: bytes) -> None:
    """In a process of its own: what counts in C cannot be interrupted."""
    file = tmp_path / "a.ckpt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + program)
    code = (
        "import sys, pathlib; from otterbot_worker.models import pickle_header;"
        "pickle_header.read(pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 or "BadFile: " in done.stderr.splitlines()[-1]


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()


def quantised() -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 2)
    header += text("general.architecture") + struct.pack("<I", 8) + text("flux")
    header += text("general.file_type") + struct.pack("<II", 4, 7)
    header += text("w") + struct.pack("<IQQIQ", 2, 32, 4, 8, 0)
    return header + bytes(-len(header) % 32) + bytes(34 * 4)


def test_a_quantised_model(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(quantised())
    found = gguf.read(file)
    assert found.shapes == {"w": (4, 32)}
    assert found.metadata == {"general.architecture": "flux"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (quantised()[:-1], "cut off"),
        (quantised()[:50], "cut off"),
        (b"", "cut off"),
        (b"nothing of the kind", "no GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "no GGUF file"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 1, 1, 2**60), "no GGUF file"),
    ],
)
def test_a_quantised_model_that_is_broken(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(content)
    with pytest.raises(BadFile, match=said):
        gguf.read(file)
