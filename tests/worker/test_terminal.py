"""Texts of other people's making act on no terminal, and no log."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from core_lab import WORKER
from PIL import Image, PngImagePlugin

from otterbot_worker import terminal
from otterbot_worker.archive import reading, showing
from otterbot_worker.logs import JsonFormatter, TextFormatter

TURNED = "gpj.\u202eexe"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("an otter", "an otter"),
        ("Größe 5×5 \N{OTTER}", "Größe 5×5 \N{OTTER}"),
        ("\N{WOMAN}\u200d\N{ROCKET}", "\N{WOMAN}\u200d\N{ROCKET}"),
        (TURNED, "gpj.\\u202eexe"),
        ("\x1b[31mred\x07", "\\u001b[31mred\\u0007"),
        ("a\nb\tc\u2028d", "a\\u000ab\\u0009c\\u2028d"),
        (os.fsdecode(b"caf\xe9"), "caf\\udce9"),
    ],
)
def test_what_acts_on_a_terminal_is_shown_as_its_number(text: str, shown: str) -> None:
    assert terminal.visible(text) == shown
    assert terminal.visible(shown) == shown
    shown.encode("utf-8")


def picture(path: Path, parameters: str) -> Path:
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("parameters", parameters)
    Image.new("RGB", (16, 16)).save(path, "PNG", pnginfo=notes)
    return path


def test_what_show_prints(tmp_path: Path) -> None:
    """In the line that is to be typed they are left out, and that is said; in what is only read they are numbers."""
    text = f"an {TURNED} otter\nSteps: 20, Sampler: Euler a, Seed: 5, Ext{TURNED}ra: 1, Extra: \u2066{TURNED}\x1b[2J"
    page = showing.page(reading.read(picture(tmp_path / "a.png", text)))
    assert page.startswith("!draw an gpj.exe otter --no ")
    assert "\\u2066gpj.\\u202eexe" in page
    assert "turned directions in its words are left out of the line" in page
    assert not any(terminal.hidden(c) and c != "\n" for c in page)


def test_names_of_files_in_what_show_says(tmp_path: Path) -> None:
    """Also in a terminal that writes nothing but ASCII."""
    for name in (f"{TURNED}.png", "a\x1b[2J\n.png", os.fsdecode(b"caf\xe9.png")):
        (tmp_path / name).write_bytes(b"no picture")
        done = subprocess.run(
            [sys.executable, "-m", "otterbot_worker.cli", "show", str(tmp_path / name)],
            capture_output=True, check=False,
            env={**os.environ, "PYTHONPATH": str(WORKER), "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        )  # fmt: skip
        said = done.stderr.decode("ascii")
        assert said.startswith("otterbot-worker: ")
        assert said.endswith("is not a PNG, JPEG or WebP picture\n")
        assert said.count("\n") == 1
        assert "\x1b" not in said


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_names_of_files_in_logs(formatter: logging.Formatter) -> None:
    record = logging.LogRecord("otterbot_worker.x", logging.INFO, "x.py", 1, "a file", (), None)
    record.file = f"a {TURNED}\x1b[2J\n{os.fsdecode(b'caf')}\udce9"
    line = formatter.format(record)
    assert not any(terminal.hidden(c) for c in line)
    io.TextIOWrapper(io.BytesIO(), "utf-8").write(line)
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["file"] == record.file


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """As in ``otterbot-worker models | head -1``."""
    command = [sys.executable, "-m", "otterbot_worker.cli", "models"]
    env = {**os.environ, "PYTHONPATH": str(WORKER)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
