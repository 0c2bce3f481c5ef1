"""Many prompts drawn side by side: in their order, and the same pictures however many processes draw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_model import write_model

from otter_mini.painting import Job, Settings, painted

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # numpy in UniPC


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    model = write_model(tmp_path_factory.mktemp("painting") / "model")
    return Settings(model=model, steps=2, guidance=5.0, batch=2, bf16=False)


def test_as_many_pictures_as_seeds_whoever_draws_them(settings: Settings) -> None:
    jobs = [
        Job(prompt="otter", seeds=(1, 2, 3)),
        Job(prompt="otter", negative="snow", seeds=(1, 2)),
        Job(prompt="cat, beach", seeds=(1,)),
    ]
    alone, together = (list(painted(settings, jobs, processes=processes)) for processes in (1, 2))
    assert [len(pictures) for pictures in alone] == [3, 2, 1]
    assert not np.array_equal(alone[0][:2], alone[1])
    assert not np.array_equal(alone[0][0], alone[0][1])
    for one, other in zip(alone, together, strict=True):
        # Another number of threads may round differently.
        assert np.abs(one.astype(np.int64) - other).max() <= 1


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    settings = Settings(model=tmp_path, steps=1, guidance=5.0, batch=1, bf16=False)
    with pytest.raises(OSError):
        next(painted(settings, [Job(prompt="otter", seeds=(1,))], processes=1))
