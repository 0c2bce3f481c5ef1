"""The table of plans in docs/models.md is what the command prints, and the page knows every shipped model."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otterbot_worker import cli
from otterbot_worker.memory import placement_table
from otterbot_worker.memory.placement import PLANS
from otterbot_worker.models.catalogue import Catalogue, load_catalogue

PAGE = Path(__file__).resolve().parents[3] / "docs" / "models.md"
MADE = re.compile(r"<!-- made by: otterbot-worker models --plans -->\n(.*)\n<!-- end -->", re.DOTALL)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))  # what is here is counted, else what is published
    return load_catalogue(data_dir=tmp_path)


def test_the_table_in_the_documentation_is_what_the_command_prints(
    shipped: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OTTERBOT_DATA_DIR", str(tmp_path))
    assert cli.main(["models", "--plans"]) == 0
    printed = capsys.readouterr().out.strip()
    assert printed == placement_table.page(shipped.images.values())
    found = MADE.search(PAGE.read_text("utf-8"))
    assert found is not None
    assert found[1].strip() == printed, "put what `otterbot-worker models --plans` prints into docs/models.md"


def test_every_shipped_model_stands_there_with_its_usual_settings(shipped: Catalogue) -> None:
    page = PAGE.read_text("utf-8")
    for name, entry in shipped.images.items():
        usual = entry.defaults
        assert re.search(
            rf"\| `{name}` \| .+ \| {usual.steps}, {usual.width}×{usual.height} \| {re.escape(entry.licence)} \|", page
        ), name


def test_only_cards_that_compute_in_bf16_are_counted_so() -> None:
    """None before compute capability 8.0, which the RTX 20 has not."""
    for title, facts in placement_table.CARDS.items():
        assert facts.bf16 is (facts.capability >= (8, 0)), title
    generations = {"RTX 30": (8, 6), "RTX 20": (7, 5), "GTX 16": (7, 5), "GTX 10": (6, 1)}
    for generation, capability in generations.items():
        cards = placement_table.CARDS.items()
        assert [facts.capability for title, facts in cards if generation in title] == [capability]


def test_more_memory_never_means_a_later_plan_and_a_reserve_means_no_earlier_one(shipped: Catalogue) -> None:
    order = {plan.name: number for number, plan in enumerate(PLANS)}

    def plans(**reserves: int) -> list[list[int]]:
        lines = placement_table.page(shipped.images.values(), **reserves).splitlines()
        rows = [line.split("|")[3:-1] for line in lines if "×" in line]
        return [[order[cell.strip(" (").split()[0]] for cell in row] for row in rows]

    usual, careful = plans(), plans(reserve=2 * placement_table.GB)
    assert len(usual) == len(placement_table.CARDS) * len(shipped.images)
    assert all(row == sorted(row, reverse=True) for row in usual)
    pairs = [
        (one, other) for row, least in zip(usual, careful, strict=True) for one, other in zip(row, least, strict=True)
    ]
    assert all(one <= other for one, other in pairs)
    assert any(one < other for one, other in pairs)
    assert "(quantised" in placement_table.page([shipped.images["z-image-turbo"]]), "too much for the smallest card"
