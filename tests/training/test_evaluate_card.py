"""Sheets of a bounded size, and a model card that holds whatever figures there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from otter_mini.card import FIRST, card, foreign, parameters_of
from otter_mini.contact_sheet import GAP, SIDE, sheet_of, strips_of, write_png
from otter_mini.evaluate import answers_of, summary, weights_of
from otter_mini.scenes import HELD_OUT, QUESTIONS
from otter_mini.spoiling import STANDARD_NEGATIVE
from otter_mini.tables import aligned, markdown


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with nothing but a UNet's head, six parameters, and the two configurations."""
    head = json.dumps({"__metadata__": {}, "w": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}}).encode()
    (tmp_path / "unet").mkdir()
    content = len(head).to_bytes(8, "little") + head + bytes(12)
    (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(content)
    (tmp_path / "unet" / "config.json").write_text('{"sample_size": 16}')
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "config.json").write_text('{"block_out_channels": [32, 32, 48, 96, 96]}')
    return tmp_path


def test_a_card_without_figures_says_what_it_knows(model: Path) -> None:
    text = card(model, evaluation={}, controls={}, judge={}, minutes=None)
    assert text.startswith("---\nlicense: mit\n")
    assert "headphones" in text
    assert "How good" not in text
    assert "sheet.png" not in text
    assert parameters_of(model) == {"UNet": 6}
    assert "256×256 pixels" in text
    assert "- 256×256. Other sizes" in text


def test_a_card_holds_the_figures(model: Path) -> None:
    (model / "sheet.png").touch()
    rows = {category: np.eye(len(values), dtype=np.float32)[[0]] for category, values in QUESTIONS.items()}
    evaluation = {
        "seeds": 1,
        "steps": 20,
        "guidance": 5.0,
        "scheduler": "UniPC",
        **summary(answers_of(0, HELD_OUT[0], [0], rows)),
    }
    outcome = {"title": "Seeds", "wanted": "the same", "holds": False, "rows": [{"a": 0.25}, {"b": "x|y"}], "seeds": 1}
    text = card(
        model, evaluation=evaluation, controls={"weights": outcome}, judge={"clean": {"animal": 99.5}}, minutes=70
    )
    assert "(sheet.png)" in text
    assert "70 minutes" in text
    assert "| animal |" in text
    assert "This **does not hold**." in text
    assert "| 0.25 |  |" in text
    assert "x\\|y" in text
    assert "99.5 %" in text


def test_figures_of_other_weights_are_found(model: Path) -> None:
    figures = {"weights": weights_of(model)}
    assert foreign(model, figures, {"steps": figures}) == []
    assert foreign(model, {}, {}) == []
    (model / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"others")
    assert foreign(model, figures, {"steps": figures, "guidance": {"weights": weights_of(model)}}) == [
        "steps",
        "evaluation",
    ]


def test_a_card_shows_negative_prompts_beside_the_first_edition(model: Path) -> None:
    figures = {"style kept": 99.0, "sharpness": 1.02, "others kept": 97.5, "gone": None, "clean": 100.0}
    worse = {**figures, "style kept": 12.5, "sharpness": 0.3}
    report = {
        "seeds": 50, "steps": 12, "guidance": 5.0, "reached": True, **figures,
        "by negative": [{"negative": STANDARD_NEGATIVE, **figures}],
        "kept by question": {"animal": 99.5, "neck_colour": 98.0, "item": None},
    }  # fmt: skip
    first = {
        "negatives": {**report, "steps": 20, **worse, "by negative": [{"negative": STANDARD_NEGATIVE, **worse}]},
        "evaluation": {"named": {"animal": 99.7}, "unnamed": {}},
    }
    agreed = {"pictures": 200, "questions": {"spoilt": {"percent": 98.5, "answers": 190}}, "differ": []}
    text = card(
        model, evaluation={}, controls={}, judge={}, minutes=None, negatives=report, agreement=agreed, first=first
    )
    assert "| the standard list | 99 (12.5) | 1.02 (0.3) | 97.5 (97.5) |  | 100 (100) |" in text
    assert "This holds." in text
    assert "animal 99.5 %, neck colour 98.0 %." in text
    assert "| spoilt | 98.5 % | 190 |" in text
    assert "at 20 steps" in text
    assert "(negatives.png)" not in text
    (model / "negatives.png").touch()
    assert "(negatives.png)" in card(model, evaluation={}, controls={}, judge={}, minutes=None, negatives=report)


def test_the_first_edition_stands_beside(model: Path) -> None:
    rows = {question: np.eye(len(values), dtype=np.float32)[[0]] for question, values in QUESTIONS.items()}
    report = summary(answers_of(0, HELD_OUT[0], [0], rows))
    evaluation = {"seeds": 1, "steps": 12, "guidance": 5.0, "scheduler": "UniPC", **report}
    first = json.loads(FIRST.read_text(encoding="utf-8"))
    text = card(model, evaluation=evaluation, controls={}, judge={}, minutes=None, first=first)
    assert "first edition" in text
    assert "100.0 % / 99.8 %" in text  # its hats
    assert "256×256 pixels" in text


def test_tables_have_a_cell_for_each_head() -> None:
    rows: list[dict[str, Any]] = [{"a": 1.5, "b": "text"}, {"c": "more"}]
    assert markdown(rows).splitlines() == [
        "| a | b | c |",
        "| --- | --- | --- |",
        "| 1.5 | text |  |",
        "|  |  | more |",
    ]
    assert aligned(rows) == ["a    b     c", "1.5  text", "           more"]


def test_a_sheet_has_a_place_for_every_picture() -> None:
    cells = [(np.full((128, 128, 3), 9, np.uint8), f"picture {number}") for number in range(5)]
    sheet = sheet_of(cells, columns=3)
    assert sheet.width == 3 * (SIDE + GAP) + GAP
    assert sheet.getpixel((GAP + 1, GAP + 1)) == (9, 9, 9)
    assert strips_of([cells[:1], cells[1:]]).width == 4 * (SIDE + GAP) + GAP


def test_a_sheet_fits_its_limit(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (200, 200, 3)).astype(np.uint8))
    write_png(noise, tmp_path / "full.png", limit=200_000)
    write_png(noise, tmp_path / "small.png", limit=30_000)
    with Image.open(tmp_path / "full.png") as full:
        assert full.mode == "RGB"
    assert (tmp_path / "small.png").stat().st_size <= 30_000
    with pytest.raises(ValueError, match="does not fit"):
        write_png(noise, tmp_path / "no.png", limit=1_000)
