"""Tokens of clients: made where there are none, private, and refused where they are none."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

from otterbot_worker.api.auth import BadToken, load_tokens


def test_tokens_are_made_once_and_private(tmp_path: Path) -> None:
    files = {"otterbot": tmp_path / "a" / "token", "other": tmp_path / "other"}
    tokens = load_tokens(files)
    assert len(set(tokens.values())) == 2
    for path in files.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_tokens(files) == tokens


@pytest.mark.parametrize("content", ["", "short", "two words that are long enough", "ä" * 30])
def test_bad_tokens_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(BadToken, match="token"):
        load_tokens({"otterbot": tmp_path / "token"})


def test_two_clients_with_one_token_are_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("x" * 30)
    with pytest.raises(BadToken, match="same token"):
        load_tokens({"a": tmp_path / "token", "b": tmp_path / "token"})


def test_a_readable_token_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "token").write_text("x" * 30)
    (tmp_path / "token").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        load_tokens({"a": tmp_path / "token"})
    assert "0600" in caplog.text
