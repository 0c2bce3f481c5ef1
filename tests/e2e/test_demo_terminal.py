"""The demo's terminal: printing and typing share one, and it may be slow."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
import tty
from pathlib import Path

from lab.places import REPOSITORY

PICTURES = 40
PROGRAM = f"""
import asyncio, sys
from otterdemo.keyboard import Keyboard
from otterdemo.screen import Screen

async def main():
    with Screen() as screen:
        async with Keyboard(sys.stdin.fileno()) as keyboard:
            screen.prompt("> ")
            async for line in keyboard:
                if line == "end":
                    return
                for number in range({PICTURES}):
                    screen.say(f"\\x1b[38;2;1;2;3m{{line}} {{number}} " + "▀" * 4000)
                screen.prompt("> ")

asyncio.run(main())
"""


def _start(stdin: int, stdout: int, **environment: str) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(str(REPOSITORY / name) for name in ("scripts", "tests"))
    env = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "", "TERM": "xterm-256color", **environment}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, env=env)


def test_a_slow_terminal_gets_all_that_is_printed() -> None:
    """Terminal and shell are one open file; nobody makes it non-blocking, so a full one is waited for."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    program = _start(theirs, theirs, COLORTERM="truecolor")
    os.write(ours, b"otter\n")
    seen = b""
    while b"otter %d " % (PICTURES - 1) not in seen and program.poll() is None:
        seen += _read(ours, 1000)
        time.sleep(0.002)  # slower than it prints
    os.write(ours, b"end\n")
    while program.poll() is None:
        seen += _read(ours, 100_000)
    while more := _read(ours, 100_000):
        seen += more
    assert program.stderr is not None
    assert (program.wait(), program.stderr.read()) == (0, b"")
    assert seen.count("▀".encode()) == PICTURES * 4000
    assert os.get_blocking(theirs), "the shell goes on with this terminal"
    program.stderr.close()
    os.close(ours)
    os.close(theirs)


def _read(file: int, at_most: int) -> bytes:
    """What is there; nothing where nothing comes."""
    return os.read(file, at_most) if select.select([file], [], [], 0.1)[0] else b""


def test_lines_come_through_a_pipe_too(tmp_path: Path) -> None:
    read, write = os.pipe()
    with (tmp_path / "out").open("wb") as out:
        program = _start(read, out.fileno())
        os.close(read)
        os.write(write, "ß otter\nunfinished".encode())
        os.close(write)
        assert program.stderr is not None
        assert (program.wait(timeout=60), program.stderr.read()) == (0, b"")
        program.stderr.close()
    printed = (tmp_path / "out").read_text()
    assert f"ß otter {PICTURES - 1} " in printed
    assert f"unfinished {PICTURES - 1} " in printed


def test_nobody_types_into_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("otter\n")
    with (tmp_path / "in").open("rb") as text, (tmp_path / "out").open("wb") as out:
        program = _start(text.fileno(), out.fileno())
        assert program.wait(timeout=60) == 0
        assert program.stderr is not None
        program.stderr.close()
    assert "otter 0" not in (tmp_path / "out").read_text()
