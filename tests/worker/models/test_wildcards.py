"""The folder of wildcards: whatever operators drop into it, and whatever people ask of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from otterbot_worker.errors import CannotLook
from otterbot_worker.models import plain_files, wildcards
from otterbot_worker.models.wildcards import Wildcards
from otterbot_worker.prompts import chance
from otterbot_worker.prompts.chance import Undrawable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "wildcards"
    made.mkdir()
    return made


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def outcomes(folder: Path, text: str, seeds: int = 60) -> set[str]:
    look = Wildcards(folder.parent).look()
    return {chance.draw(text, seed, "prompt", look).text for seed in range(seeds)}


def refused(folder: Path, text: str) -> str:
    with pytest.raises(Undrawable) as why:
        chance.draw(text, 0, "prompt", Wildcards(folder.parent).look())
    return str(why.value)


def problems(folder: Path) -> dict[str, str | None]:
    return {one.name: one.problem for one in Wildcards(folder.parent).listed()}


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    "text",
    [
        "otter\nfox\n",
        "\ufeffotter\r\n\r\n# a comment\r\n  fox  \r\n",
        "otter\n\n\n#fox hunt\n\tfox",
        "otter\x00\nfox\u200b".encode(),
        "\ufeffotter\nfox".encode("utf-16-le"),
        "otter\nfox\u2028",
    ],
)
def test_lines_comments_marks_and_blanks(folder: Path, text: str | bytes) -> None:
    put(folder, "animal.txt", text)
    assert outcomes(folder, "a __animal__") == {"a otter", "a fox"}


def test_folders_globs_and_capitals(folder: Path) -> None:
    put(folder, "animals/sea.txt", "cod")
    put(folder, "animals/land/cold.txt", "bear")
    put(folder, "animals/land/very hot.TXT", "camel")
    put(folder, "animals.txt", "otter")
    assert outcomes(folder, "__animals__") == {"otter"}
    assert outcomes(folder, "__Animals/Sea__") == {"cod"}
    assert outcomes(folder, "__animals/land/very hot__") == {"camel"}
    assert outcomes(folder, "__animals/*__") == {"cod"}
    assert outcomes(folder, "__animals/l*/*__") == {"bear", "camel"}
    assert outcomes(folder, "__animals/**__") == {"cod", "bear", "camel"}
    assert outcomes(folder, "__**__") == {"otter", "cod", "bear", "camel"}
    assert "no file of wildcards" in refused(folder, "__birds/*__")


def test_a_file_that_changes_is_read_again(folder: Path) -> None:
    path = put(folder, "a.txt", "x")
    here = Wildcards(folder.parent)
    assert chance.draw("__a__", 0, "prompt", here.look()).text == "x"
    path.write_text("longer")
    assert chance.draw("__a__", 0, "prompt", here.look()).text == "longer"
    path.unlink()
    with pytest.raises(Undrawable):
        chance.draw("__a__", 0, "prompt", here.look())


def test_what_is_kept_in_memory_has_an_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wildcards, "KEPT", 1_000)
    for number in range(20):
        put(folder, f"f{number}.txt", "x" * 300)
    here = Wildcards(folder.parent)
    assert len(here.listed()) == 20
    assert sum(stamp[0] for stamp, _ in here._read.values()) <= 1_000


def test_a_broken_line_is_left_out_and_named(folder: Path) -> None:
    put(folder, "a.txt", "one\n{red|green\n" + "y" * 5_000 + "\ntwo")
    assert outcomes(folder, "__a__") == {"one", "two"}
    look = Wildcards(folder.parent).look()
    [note] = look.notes(chance.draw("__a__", 0, "prompt", look).files)
    assert note.startswith("In `a.txt` line 2 was left out: a choice lacks its closing")
    assert "1 more line was" in note
    assert (problems(folder)["a"] or "").startswith("can be drawn, but line 2 was left out")


# ---------------------------------------------------------------- what is refused


def test_what_is_missing_is_told_with_the_nearest(folder: Path) -> None:
    assert "The worker has none" in refused(folder, "__animal__")
    put(folder, "animal.txt", "x")
    put(folder, "deep/sea.txt", "x")
    assert refused(folder, "__animals__").endswith(
        "The nearest is: `__animal__`. Words between such underscores are written `\\__so__`."
    )
    assert "The nearest is: `__deep/sea__`." in refused(folder, "__sea__")
    assert refused(folder, "{__animal__|__sea__}").startswith("Wildcard number 2: There is no file")
    assert "`__animal__`, `__deep/sea__`" in refused(folder, "__qqqqq__")
    assert "qqqqq" not in refused(folder, "__qqqqq__")


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "animals/../../secret", "..", ".", "./a", "a/", "//a", "../wildcards/a", "a.txt"],
)
def test_no_name_leads_out_of_the_folder(folder: Path, name: str) -> None:
    put(folder.parent, "secret.txt", "secret")
    put(folder, "a.txt", "x")
    assert "no file of wildcards" in refused(folder, f"__{name}__")


def test_no_link_leads_out_of_the_folder(folder: Path) -> None:
    secret = put(folder.parent, "secret.txt", "secret")
    put(folder.parent, "other/in.txt", "secret")
    inside = put(folder, "real.txt", "fine")
    os.symlink(secret, folder / "out.txt")
    os.symlink(folder.parent / "other", folder / "elsewhere")
    os.symlink(inside, folder / "again.txt")
    os.symlink(folder, folder / "round")
    os.symlink("loop.txt", folder / "loop.txt")
    assert "leads out of the folder" in refused(folder, "__out__")
    assert "no file" in refused(folder, "__elsewhere/in__")
    assert outcomes(folder, "__again__") == {"fine"}
    assert "leads to itself" in refused(folder, "__loop__")
    assert set(problems(folder)) == {"real", "again", "out", "loop"}
    assert outcomes(folder, "__again__ __r*__") == {"fine fine"}


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "webui", "a.txt", "x")
    os.symlink(tmp_path / "webui", tmp_path / "wildcards")
    assert outcomes(tmp_path / "wildcards", "__a__") == {"x"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        (b"caf\xe9", "is no text in UTF-8"),
        (b"", "has no line that can be drawn"),
        (b"# only this\n\n", "has no line that can be drawn"),
        (b"0::x", "has no line that can be drawn"),
        (b"{a|b", "has no line that can be drawn"),
        (b"x" * (wildcards.BYTES_MAX + 1), "is larger than 1 MB"),
        (b"x\n" * 20_001, "has more than 20,000 lines"),
    ],
)
def test_what_cannot_be_used_is_named(folder: Path, raw: bytes, said: str) -> None:
    put(folder, "a.txt", raw)
    assert refused(folder, "__a__") == f"`a.txt` {said}."
    assert problems(folder) == {"a": said}


def test_pipes_and_folders_are_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    (folder / "folder.txt").mkdir()
    assert "is a pipe" in refused(folder, "__pipe__")
    assert list(problems(folder)) == ["pipe"]


def test_names_that_nobody_can_type_are_listed(folder: Path) -> None:
    put(folder, "it's.txt", "x")
    put(folder, "a`b.txt", "x")
    put(folder, ".hidden.txt", "x")
    put(folder, "notes.md", "x")
    listed = problems(folder)
    assert set(listed) == {"it's", "a'b"}
    assert all("rename it" in (one or "") for one in listed.values())


def test_what_is_endless_is_listed(folder: Path) -> None:
    put(folder, "a.txt", "x\n__a__")
    put(folder, "b.txt", "__c__")
    put(folder, "c.txt", "__b__")
    put(folder, "d.txt", "__gone__")
    put(folder, "e.txt", "fine")
    listed = problems(folder)
    assert "names itself" in (listed["a"] or "")
    assert "which names" in (listed["b"] or "")
    assert "line 1 of `d.txt`" in (listed["d"] or "")
    assert listed["e"] is None
    assert outcomes(folder, "__e__") == {"fine"}


def test_a_file_that_cannot_be_read_is_not_a_missing_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    put(folder, "a.txt", "x")
    monkeypatch.setattr(plain_files, "opened", broken)
    with pytest.raises(CannotLook):
        chance.draw("__a__", 0, "prompt", Wildcards(folder.parent).look())
    assert "could not be looked at: Permission denied" in (problems(folder)["a"] or "")


def test_a_folder_that_cannot_be_read_is_no_empty_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(CannotLook):
        Wildcards(folder.parent).look()


def test_many_files_and_hostile_globs_take_little_time(folder: Path) -> None:
    for number in range(300):
        put(folder, f"{'a' * 90}{number:03}.txt", "x\n" * 400)
    look = Wildcards(folder.parent).look()
    started = time.perf_counter()
    refused(folder, "__" + "a*" * 50 + "b__")
    refused(folder, "__" + "**" * 50 + "b__")
    with pytest.raises(Undrawable, match="at most 1,000 files of wildcards with 100,000 lines"):
        chance.draw("__*__", 0, "prompt", look)
    assert time.perf_counter() - started < 3
