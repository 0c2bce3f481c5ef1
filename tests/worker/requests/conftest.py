"""What requests become for the GPU process."""

from __future__ import annotations

from typing import Any

import pytest
from core_lab import DoubleGpu

from otterbot_worker.gpu.messages import Draw


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[Draw]:
    """What the GPU process is given."""
    seen: list[Draw] = []
    draw = DoubleGpu.draw

    async def keep(self: DoubleGpu, task: Draw, report: Any) -> Any:
        seen.append(task)
        return await draw(self, task, report)

    monkeypatch.setattr(DoubleGpu, "draw", keep)
    return seen
