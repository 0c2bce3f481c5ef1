"""The model that ships with the worker is all that these tests draw with."""

from __future__ import annotations

from pathlib import Path

import pytest

from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry


@pytest.fixture
def mini(tmp_path: Path) -> ModelEntry:
    return load_catalogue(data_dir=tmp_path).images["otter-mini"]
