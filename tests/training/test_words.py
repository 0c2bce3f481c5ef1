"""Words that a model has not learned are found by what they move."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_model import write_model

from otter_mini import export, words
from otter_mini.__main__ import main
from otter_mini.scenes import CATEGORIES

SECOND = Path(__file__).resolve().parents[2] / "training/second_edition/otter-mini"


def test_every_value_that_can_be_named_is_asked_for() -> None:
    asked = {value for value, _, _ in words.prompts()}
    assert asked == {value for values in CATEGORIES.values() for value in values} - set(words.USUAL)
    assert ("glasses", "spectacles", "otter, spectacles") in list(words.prompts())


def test_a_word_that_is_not_read_moves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = export.read(write_model(tmp_path / "model"))
    ids, rows = pipe.tokenizer.get_vocab(), pipe.text_encoder.get_input_embeddings().weight
    with torch.no_grad():
        rows.zero_()
        rows[ids["crown</w>"]] = 10 * torch.randn(rows.shape[1], generator=torch.Generator().manual_seed(1))
    found = words.moved(pipe)
    assert found["crown"]["crown"] > 3 * found["top hat"]["top hat"], "which only makes the prompt longer"
    export.write(pipe, tmp_path / "dead")
    assert main(["words", "--model", str(tmp_path / "dead")]) == 1
    assert "words move nothing." in capsys.readouterr().out


def test_the_second_edition_knows_every_word() -> None:
    """The first one was never told most of them."""
    found = words.moved(export.read(SECOND))
    assert {word for figures in found.values() for word, moved in figures.items() if moved < words.DEAD} == set()
