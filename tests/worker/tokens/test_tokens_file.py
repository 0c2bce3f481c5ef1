"""The file of tokens: private, whole, and changed by one process at a time."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otterbot_worker import durable
from otterbot_worker.tokens import MOST, BadTokensFile, Entry, Stored, TokensFile, digest, entries, token_id

SHA = "0" * 64


def entry(name: str, **fields: object) -> Entry:
    return Entry.model_validate({"name": name, "kind": "program", "sha256": SHA, "made_at": 1, **fields})


@pytest.fixture
def file(tmp_path: Path) -> TokensFile:
    return TokensFile(tmp_path / "data" / "tokens.json")


def test_what_is_written_is_read_again_and_private(file: TokensFile) -> None:
    assert (file.stamp(), file.read()) == (None, Stored())
    file.change(lambda stored: stored.with_entry(entry("one", per_day=5)))
    before = file.stamp()
    file.change(lambda stored: stored.with_entry(entry("two", kind="operator")))
    assert file.stamp() != before
    assert [(one.name, one.kind, one.per_day) for one in file.read().tokens] == [
        ("one", "program", 5),
        ("two", "operator", None),
    ]
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_revoked_name_is_remembered_until_it_has_a_token_again() -> None:
    stored = Stored().with_entry(entry("one")).without("one", 7)
    assert (stored.tokens, stored.revoked) == ([], {"one": 7})
    assert stored.with_entry(entry("one")).revoked == {}
    for number in range(10 * MOST + 5):
        stored = stored.without(f"n{number}", 10 + number)
    assert len(stored.revoked) == 10 * MOST
    assert "one" not in stored.revoked, "the oldest go first"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{", b"\xff", b'{"version": 2, "tokens": []}', b'{"tokens": [{}]}', b"[" * 100_000,
        b'{"tokens": [{"name": "a", "kind": "king", "sha256": "%s", "made_at": 1}]}' % (b"0" * 64),
        b'{"tokens": [{"name": "a", "kind": "program", "sha256": "%s", "made_at": 1, "per_hour": 3}]}' % (b"0" * 64),
        b'{"tokens": [%s]}' % b",".join([b'{"name":"a","kind":"program","sha256":"%s","made_at":1}' % (b"0" * 64)] * 2),
        b" " * 1_000_001,
    ],
)  # fmt: skip
def test_a_damaged_or_newer_file_is_refused_with_its_name_and_left_alone(file: TokensFile, content: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(content)
    with pytest.raises(BadTokensFile, match=r"tokens\.json: damaged, or written by a newer worker; put a backup"):
        file.read()
    with pytest.raises(BadTokensFile):
        file.change(lambda stored: stored)
    assert file.path.read_bytes() == content


def test_processes_that_change_it_at_once_lose_nothing(file: TokensFile) -> None:
    def add(number: int) -> None:
        TokensFile(file.path).change(lambda stored: stored.with_entry(entry(f"n{number}")))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    assert {one.name for one in file.read().tokens} == {f"n{number}" for number in range(24)}


def test_a_full_disk_leaves_the_old_file(file: TokensFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.change(lambda stored: stored.with_entry(entry("one")))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(BadTokensFile, match=r"cannot be written \(No space left on device\)"):
        file.change(lambda stored: stored.with_entry(entry("two")))
    assert [one.name for one in file.read().tokens] == ["one"]
    assert sorted(path.name for path in file.path.parent.iterdir()) == ["tokens.json", "tokens.json.lock"]


def test_another_users_folder_is_refused(file: TokensFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.path.parent.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: file.path.parent.stat().st_uid + 1)
    with pytest.raises(BadTokensFile, match="belongs to another user; run this as the worker's user"):
        file.change(lambda stored: stored)


def test_a_token_is_long_random_and_known_by_its_hash() -> None:
    tokens = {entries.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {len("otter_") + 43}, "256 bits"
    token = tokens.pop()
    assert token_id(digest(token.encode())) == entry("one", sha256=digest(token.encode()).hex()).id
