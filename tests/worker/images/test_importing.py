"""Imports without garbage collection."""

from __future__ import annotations

import gc

import pytest

from otterbot_worker.images.importing import without_collecting


def test_collecting_waits_and_leaves_alone_what_came() -> None:
    frozen = gc.get_freeze_count()
    with without_collecting():
        assert not gc.isenabled()
        came: list[list[object]] = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(came)


def test_an_import_that_fails_does_not_end_collecting() -> None:
    with pytest.raises(ImportError):
        with without_collecting():
            raise ImportError
    assert gc.isenabled()
