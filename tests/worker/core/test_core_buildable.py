"""Settings by which building a model would take all of the machine are refused before anything is built."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from otterbot_worker.models import configs, part_settings

CONFIG = "unet/config.json"
SHIPPED = [
    path
    for root in (configs.HERE, configs.HERE.parent / "otter-mini")
    for path in sorted(root.rglob("*.json"))
    if path.name in ("config.json", "scheduler_config.json")
]


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: "/".join(path.parts[-3:]))
def test_what_is_shipped_can_be_built(path: Path) -> None:
    folder = path.parent.parent
    assert part_settings.unbuildable(folder, f"{path.parent.name}/{path.name}") is None


@pytest.mark.parametrize(
    "settings",
    [
        {"num_train_timesteps": 10**9},
        {"num_train_timesteps": 10**400},
        {"num_train_timesteps": -(10**9)},
        {"trained_betas": [0.5] * 100_000},
    ],
    ids=str,
)
def test_a_schedule_of_too_many_moments(tmp_path: Path, settings: dict[str, Any]) -> None:
    put(tmp_path, part_settings.SCHEDULER, json.dumps(settings))
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER, CONFIG) == part_settings.SCHEDULER


@pytest.mark.parametrize(
    "text",
    [
        '{"num_hidden_layers": 1000000000}',
        '{"layers_per_block": [2, 1000000]}',
        '{"transformer_layers_per_block": [[1], [100000]]}',
        '{"num_attention_heads": 1000000}',
        '{"vocab_size": 1000000000000}',
        '{"text_config": {"num_hidden_layers": 1000000}}',
        '{"down_block_types": [%s""]}' % ('"DownBlock2D", ' * 10_000),
        '{"a": ' + "[" * 100 + "]" * 100 + "}",
        "[" * 100_000,
        '{"a": "%s"}' % ("x" * 2_000_000),
        "",
    ],
    ids=lambda text: text[:40],
)
def test_a_part_that_takes_too_much(tmp_path: Path, text: str) -> None:
    put(tmp_path, CONFIG, text)
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER, CONFIG) == CONFIG


def test_what_is_no_file_and_what_is_not_there(tmp_path: Path) -> None:
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER, CONFIG) is None
    (tmp_path / "unet").mkdir()
    os.mkfifo(tmp_path / CONFIG)
    assert part_settings.unbuildable(tmp_path, CONFIG) == CONFIG
