"""Which tokenizers can be made of what lies in their folders, and what is said of the others."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otterbot_worker.models import tokenizers

CLIP = {"model_type": "clip_text_model", "max_position_embeddings": 77}
T5 = {"model_type": "t5"}
Change = Callable[[Path], Any]
MISSING = ("tokenizer.json", "is missing")


def folder(root: Path, *, length: Any = 77, whole: bool = True, encoder: dict[str, Any] = CLIP) -> Path:
    made = root / "tokenizer"
    made.mkdir(parents=True)
    (made / "tokenizer_config.json").write_text(json.dumps({} if length is ... else {"model_max_length": length}))
    if whole:
        (made / "tokenizer.json").write_text("{}")
    else:
        (made / "vocab.json").write_text('{"a": 0}')
        (made / "merges.txt").write_text("#version: 0.2\na b\n")
    (root / "config.json").write_text(json.dumps(encoder))
    return made


def problem(made: Path) -> tokenizers.Problem | None:
    return tokenizers.problem(made, made.parent / "config.json")


@pytest.mark.parametrize("length", [77, 8, 76.0])
def test_a_length_that_clip_reads(tmp_path: Path, length: Any) -> None:
    assert problem(folder(tmp_path, length=length)) is None


@pytest.mark.parametrize(
    "length",
    [10**400, 10**30, 78, 7, 2, 1, 0, -1, 77.5, float("nan"), float("inf"), True, None, ..., "77", [77], {}],
    ids=lambda value: str(value)[:12],
)
def test_a_length_that_clip_does_not_read(tmp_path: Path, length: Any) -> None:
    found = problem(folder(tmp_path, length=length))
    assert found == ("tokenizer_config.json", "has a model_max_length that no prompt can be cut by")


@pytest.mark.parametrize("length", [512, 131_072, 10**30, 1e30, None, ...], ids=str)
def test_language_models_have_others(tmp_path: Path, length: Any) -> None:
    assert problem(folder(tmp_path, length=length, encoder=T5)) is None


@pytest.mark.parametrize(
    "length", [10**400, 0, -1, float("nan"), float("inf"), "512", True, []], ids=lambda v: repr(v)[:9]
)
def test_a_length_that_nothing_has(tmp_path: Path, length: Any) -> None:
    found = problem(folder(tmp_path, length=length, encoder=T5))
    assert found is not None
    assert found.name == "tokenizer_config.json"


def gone(name: str) -> Change:
    return lambda made: (made / name).unlink()


def emptied(name: str, text: str = "") -> Change:
    return lambda made: (made / name).write_text(text)


def piped(name: str) -> Change:
    return lambda made: ((made / name).unlink(missing_ok=True), os.mkfifo(made / name))


@pytest.mark.parametrize(
    ("whole", "change", "said"),
    [
        (True, gone("tokenizer.json"), MISSING),
        (True, emptied("tokenizer.json"), ("tokenizer.json", "is empty")),
        (True, emptied("tokenizer.json", " \n"), ("tokenizer.json", "is empty")),
        (True, piped("tokenizer.json"), ("tokenizer.json", "is a pipe, not a file")),
        (True, gone("tokenizer_config.json"), ("tokenizer_config.json", "is missing")),
        (True, emptied("tokenizer_config.json"), ("tokenizer_config.json", None)),
        (True, emptied("tokenizer_config.json", "[1]"), ("tokenizer_config.json", None)),
        (True, piped("tokenizer_config.json"), ("tokenizer_config.json", "is a pipe, not a file")),
        (False, gone("vocab.json"), ("vocab.json", "is missing")),
        (False, gone("merges.txt"), ("merges.txt", "is missing")),
        (False, emptied("merges.txt"), ("merges.txt", "is empty")),
        (False, emptied("merges.txt", "#version: 0.2\n"), ("merges.txt", "is empty")),
        (False, piped("merges.txt"), ("merges.txt", "is a pipe, not a file")),
        (False, emptied("tokenizer.json"), ("tokenizer.json", "is empty")),
        (False, piped("tokenizer.json"), None),
        (False, lambda made: (made / "tokenizer.json").mkdir(), None),
        (True, lambda made: (made / "tokenizer.json").rename(made / "spiece.model"), None),
        (True, lambda made: (made / "tokenizer.json").rename(made / "x.model").write_text(""), MISSING),
    ],
)  # fmt: skip
def test_its_files(tmp_path: Path, whole: bool, change: Change, said: tuple[str, str | None] | None) -> None:
    made = folder(tmp_path, whole=whole)
    assert problem(made) is None
    assert tokenizers.has_words(made)
    change(made)
    assert problem(made) == said
    read_later = said is not None and said[1] is None
    assert tokenizers.has_words(made) == (said is None or read_later)


def test_no_folder(tmp_path: Path) -> None:
    assert problem(tmp_path / "tokenizer") == ("tokenizer_config.json", "is missing")
    assert not tokenizers.has_words(tmp_path / "tokenizer")
