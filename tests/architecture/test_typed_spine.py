"""What a picture's request passes through has types: no dictionary of anything between the resolved request, the row,
the task for the GPU process, the engine and the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

WORKER = Path(__file__).resolve().parents[2] / "worker" / "otterbot_worker"
SPINE = [
    *sorted(WORKER.glob("queue/*.py")),
    *sorted(WORKER.glob("runner/*.py")),
    *sorted(WORKER.glob("gpu/*.py")),
    *(WORKER / "images" / f"{name}.py" for name in ("child", "engine", "residency", "task_validation")),
    *(WORKER / "requests" / f"{name}.py" for name in ("resolve", "layers", "size", "hires", "controlnet", "loras")),
    *(WORKER / "archive" / f"{name}.py" for name in ("files", "stored", "pictures", "retention")),
    WORKER / "schemas" / "resolved.py",
    WORKER / "schemas" / "records.py",
    WORKER / "errors.py",
]


@pytest.mark.parametrize("path", SPINE, ids=lambda path: str(path.relative_to(WORKER)))
def test_no_dictionary_of_anything(path: Path) -> None:
    assert "dict[str, Any]" not in path.read_text("utf-8")
