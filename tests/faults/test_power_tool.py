"""The power cut itself: it takes what was not synced, and nothing else. Else the other tests could be blind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.power import Disk, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

WRITER = """
import sqlite3, sys
path, synchronous = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute(f"PRAGMA synchronous = {synchronous}")
db.execute("INSERT INTO numbers VALUES (1)")
print("committed", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path / "disk", tmp_path / "image", mib=16) as disk:
        yield disk


async def test_what_was_synced_stays_and_the_rest_is_gone(disk: Disk) -> None:
    for name in ("synced", "not-synced"):
        with (disk.folder / name).open("wb") as file:
            file.write(b"otter")
            file.flush()
            if name == "synced":
                os.fsync(file.fileno())
    await disk.cut()
    assert (disk.folder / "synced").read_bytes() == b"otter"
    left = disk.folder / "not-synced"
    assert not left.exists() or left.read_bytes() == b""


@pytest.mark.parametrize(("synchronous", "kept"), [("NORMAL", 0), ("FULL", 1)])
def test_a_commit_survives_only_where_sqlite_syncs_it(disk: Disk, synchronous: str, kept: int) -> None:
    path = disk.folder / "numbers.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE numbers (number INTEGER)")
    os.sync()
    command = [sys.executable, "-c", WRITER, str(path), synchronous]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"committed\n"
        disk.shut_down()
        writer.kill()
    disk.come_back()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT COUNT(*) FROM numbers").fetchone() == (kept,)


def test_a_full_disk_is_full_and_has_space_again(disk: Disk) -> None:
    ballast = disk.fill()
    with pytest.raises(OSError), (disk.folder / "more").open("wb", buffering=0) as file:
        file.write(b"\0" * 8192)
    ballast.unlink()
    (disk.folder / "more").write_bytes(b"\0" * 8192)
