"""What a log costs: one line a minute for what anybody could bring about, and nothing where it cannot be written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from core_lab import Process, image

from otterbot_worker.logs import Seldom


def test_a_flood_is_one_line_with_its_number(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("otterbot_worker.logs.time.monotonic", lambda: now[0])
    seldom = Seldom("otterbot_worker.flood", "it rained")
    for _ in range(10_000):
        seldom.warning(errno=24)
    now[0] += Seldom.SECONDS
    seldom.error(errno=23)
    assert [(record.levelno, vars(record)["count"], vars(record)["errno"]) for record in caplog.records] == [
        (logging.WARNING, 1, 24),
        (logging.ERROR, 10_000, 23),
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
async def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    """Standard error lies on a full disk: the worker draws, and its end is a good one."""
    process = Process(
        tmp_path / "data", under="unset PYTHONUNBUFFERED; exec 2>/dev/full >/dev/full", OTTERBOT_LOG__LEVEL="debug"
    )
    async with process.running() as api:
        assert (await api.done((await api.submit(image()))["id"]))["state"] == "succeeded"
    assert process.process is not None
    assert process.process.returncode == 0
