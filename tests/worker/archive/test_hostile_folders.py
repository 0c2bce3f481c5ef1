"""What somebody put into the archive's folders beside its pictures stops neither a look nor a sweep."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "otter_20240121132050"
LOOK = """
import asyncio, sys, time
from pathlib import Path
from otterbot_worker.archive import Archive, ArchiveSettings, Known
archive = Archive(Path(sys.argv[1]), ArchiveSettings(keep_days=1))
later = time.time() + 7 * 86_400
async def main():
    strays = await archive.strays([])
    print([one.owner.image_id for one in strays])
    print(await archive.sweep([], now=later))
    await archive.delete(sys.argv[2])
asyncio.run(main())
archive.close()
"""


def looked(folder: Path, deleted: str = "2024-01-21/gone_20240121132050.png") -> list[str]:
    """In a process of its own, which ends the test where it stands still."""
    command = [sys.executable, "-W", "error", "-c", LOOK, str(folder), deleted]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode("utf-8", "replace").splitlines()


@pytest.fixture
def day(tmp_path: Path) -> Path:
    folder = tmp_path / "2024-01-21"
    folder.mkdir()
    (folder / f"{NAME}.png").write_bytes(b"x")
    return folder


def put_hostile(day: Path, case: str) -> None:
    other = day / "other_20240121132050.png"
    if case == "a sidecar that is a pipe":
        os.mkfifo(day / f"{NAME}.yml")
    elif case == "a sidecar without end":
        (day / f"{NAME}.yml").symlink_to("/dev/zero")
    elif case == "a sidecar of a gigabyte":
        with (day / f"{NAME}.yml").open("wb") as file:
            file.truncate(4 * 1024**3)
    elif case == "a link to itself":
        other.symlink_to(other.name)
    elif case == "a picture that is a folder":
        other.mkdir()
        (other / "kept").touch()
    elif case == "a picture that is a pipe":
        os.mkfifo(other)
    elif case == "sidecar and thumbnail that are folders":
        (day / f"{NAME}.yml").mkdir()
        (day / f"{NAME}.thumb.jpg").mkdir()
        (day / "lone_20240121132050.yml").mkdir()
        (day / ".lone_20240121132050.png.tmp").mkdir()
    elif case == "a name as long as names may be":
        (day / f"{'a' * 236}_20240121132050.png").touch()
    elif case == "a name that is no text":
        (day / os.fsdecode(b"caf\xe9_20240121132050.png")).touch()


CASES = [
    "a sidecar that is a pipe",
    "a sidecar without end",
    "a sidecar of a gigabyte",
    "a link to itself",
    "a picture that is a folder",
    "a picture that is a pipe",
    "sidecar and thumbnail that are folders",
    "a name as long as names may be",
    "a name that is no text",
]


@pytest.mark.parametrize("case", CASES)
def test_the_archives_limits_are_kept_all_the_same(day: Path, case: str) -> None:
    put_hostile(day, case)
    strays, swept = looked(day.parent)
    assert strays == "[]"
    assert f"2024-01-21/{NAME}.png" in swept
    assert not (day / f"{NAME}.png").exists()


@pytest.mark.parametrize("case", CASES)
def test_a_picture_beside_it_can_be_deleted(day: Path, case: str) -> None:
    put_hostile(day, case)
    looked(day.parent, f"2024-01-21/{NAME}.png")
    assert not (day / f"{NAME}.png").exists()


def test_a_link_is_no_picture_of_ours(day: Path) -> None:
    """Taken for one that the database has lost, whatever it leads to would be handed out."""
    secret = day.parent / "secret"
    secret.write_text("a token")
    link = day / "link_20240121132050.png"
    link.symlink_to(secret)
    says = f"file: {{}}\nprivate: false\nimage_id: {'a' * 32}\nclient: otterbot\n"
    link.with_suffix(".yml").write_text(says.format(link.name))
    (day / f"{NAME}.yml").write_text(says.format(f"{NAME}.png").replace("a" * 32, "b" * 32))
    strays, swept = looked(day.parent)
    assert strays == f"['{'b' * 32}']"
    assert link.name not in swept
    assert secret.exists()
