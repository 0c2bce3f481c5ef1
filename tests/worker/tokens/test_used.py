"""When tokens were used: to the hour, and seldom written."""

from __future__ import annotations

from pathlib import Path

import pytest

from otterbot_worker import durable
from otterbot_worker.tokens import Used, used


class Clock:
    now = 7_200_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(used, "time", made)
    return made


async def test_it_is_written_once_an_hour(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    path, written = tmp_path / "used.json", []
    write = durable.write
    monkeypatch.setattr(durable, "write", lambda *args: (written.append(args), write(*args)))
    made = Used(path)
    for _ in range(3_000):
        made.note("a")
        clock.now += 1
        await made.write({"a", "b"})
    assert len(written) == 1
    assert used.read(path) == {"a": 7_200_000}
    clock.now += 3_600
    made.note("b")
    await made.write({"b"})
    assert used.read(path) == {"b": 7_203_600}, "a token that is gone is forgotten"
    assert Used(path)._hours == {"b": 7_203_600}, "as after a restart"


async def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Used(tmp_path / "used.json")
    made.note("a")
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(durable, "write", full)
        with pytest.raises(OSError, match="No space"):
            await made.write({"a"})
    await made.write({"a"})
    assert used.read(tmp_path / "used.json") == {"a": 7_200_000}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"[" * 100_000, b'{"a": "x", "b": -1, "c": 1e99}', b"\xff"])
def test_nobody_knows_from_a_broken_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "used.json").write_bytes(content)
    assert used.read(tmp_path / "used.json") == {}
