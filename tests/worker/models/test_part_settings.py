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


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    """It was said that nobody could look at it, and the request waited for that to change."""
    (tmp_path / CONFIG).mkdir(parents=True)
    assert part_settings.unbuildable(tmp_path, CONFIG) == CONFIG


SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "prediction_type": "epsilon", "timestep_spacing": "leading"}


@pytest.mark.parametrize(
    "settings",
    [
        SCHEDULE,
        {},
        {"trained_betas": None, **SCHEDULE},
        {"trained_betas": [0.1, 0.2], "beta_start": None, "beta_end": None},
        {
            "prediction_type": "flow_prediction",
            "shift": 3.0,
            "shift_terminal": None,
            "base_shift": 0.5,
            "max_shift": 1.15,
        },
    ],
    ids=str,
)
def test_schedules(tmp_path: Path, settings: dict[str, Any]) -> None:
    put(tmp_path, part_settings.SCHEDULER, json.dumps(settings))
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER) is None


@pytest.mark.parametrize("key", ["beta_start", "beta_end"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 0, 1, 1e30, "0.012", None, [], True], ids=repr)
def test_betas_that_are_none(tmp_path: Path, key: str, value: Any) -> None:
    put(tmp_path, part_settings.SCHEDULER, json.dumps({**SCHEDULE, key: value}))
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER) == part_settings.SCHEDULER


@pytest.mark.parametrize("key", ["shift", "shift_terminal", "base_shift", "max_shift"])
@pytest.mark.parametrize("value", [float("nan"), 1e30, -1e30, "3", True], ids=repr)
def test_shifts_that_are_none(tmp_path: Path, key: str, value: Any) -> None:
    put(tmp_path, part_settings.SCHEDULER, json.dumps({key: value}))
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER) == part_settings.SCHEDULER


@pytest.mark.parametrize("key", ["prediction_type", "timestep_spacing"])
@pytest.mark.parametrize("value", ["text", "", None, 1, ["epsilon"], float("nan")], ids=repr)
def test_words_that_no_scheduler_knows(tmp_path: Path, key: str, value: Any) -> None:
    put(tmp_path, part_settings.SCHEDULER, json.dumps({**SCHEDULE, key: value}))
    assert part_settings.unbuildable(tmp_path, part_settings.SCHEDULER) == part_settings.SCHEDULER


@pytest.mark.parametrize(
    "settings",
    [
        {"anything": float("nan")},
        {"nested": [1.0, float("-inf")]},
        {"layer_norm_eps": None},
        {"layer_norm_eps": "1e-5"},
        {"norm_eps": 0.0, "rms_norm_eps": 1e30},
        {"layer_norm_epsilon": -1e-6},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": -1},
        {"num_attention_heads": -1},
        {"layers_per_block": -1},
        {"layers_per_block": 0},
        {"norm_num_groups": -1},
        {"scaling_factor": 0},
        {"scaling_factor": -1.0},
        {"scaling_factor": "0.18"},
        {"scaling_factor": 1e30},
        {"shift_factor": "0.1"},
        {"shift_factor": -1e30},
        {"model_type": "clip_text_model", "eos_token_id": None},
        {"model_type": "clip_text_model", "eos_token_id": []},
    ],
    ids=str,
)
def test_settings_that_fail_only_while_a_picture_is_drawn(tmp_path: Path, settings: dict[str, Any]) -> None:
    put(tmp_path, CONFIG, json.dumps(settings))
    assert part_settings.unbuildable(tmp_path, CONFIG) == CONFIG


@pytest.mark.parametrize(
    "settings",
    [
        {"num_inference_steps": 30, "steps": 20, "eps": 1e-6, "norm_eps": 0},
        {"scaling_factor": None, "shift_factor": None, "norm_num_groups": None},
        {"scaling_factor": 1.5305, "shift_factor": -0.0609},
        {"num_attention_heads": None, "transformer_layers_per_block": [0, 2, 10]},
        {"model_type": "qwen3", "eos_token_id": None, "pad_token_id": -1},
    ],
    ids=str,
)
def test_what_only_looks_like_that(tmp_path: Path, settings: dict[str, Any]) -> None:
    put(tmp_path, CONFIG, json.dumps(settings))
    assert part_settings.unbuildable(tmp_path, CONFIG) is None
