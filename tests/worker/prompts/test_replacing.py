"""Words that others take the place of, as a table."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from otterbot_worker.prompts.replacing import replaced

SHARED = json.loads((Path(__file__).parents[2] / "words_taken_out.json").read_text("utf-8"))
CASES = {
    "a phrase": ("otter, cowboy hat, sea", "cowboy hat", "crown", "otter, crown, sea"),
    "in a longer phrase": ("an otter in a cowboy hat", "cowboy hat", "crown", "an otter in a crown"),
    "capitals and spaces": ("Otter, Cowboy   Hat", "cowboy hat", "crown", "Otter, crown"),
    "weighted": ("otter, (cowboy hat:1.3)", "cowboy hat", "crown", "otter, (crown:1.3)"),
    "plus signs": ("(cowboy hat)++, sea", "cowboy hat", "crown", "(crown)++, sea"),
    "plus signs of a word": ("otter, hat++", "hat", "crown", "otter, crown++"),
    "square and double brackets": ("[[hat]], ((hat))", "hat", "crown", "[[crown]], ((crown))"),
    "typed with its weight": ("otter, (hat:1.3)", "(hat:1.3)", "crown", "otter, crown"),
    "typed with another one": ("otter, (hat:1.3)", "(hat:1.1)", "crown", "otter, (crown:1.3)"),
    "everywhere": ("hat, otter, hat", "hat", "crown", "crown, otter, crown"),
    "what stands alone first": ("hat, cowboy hat", "hat", "crown", "crown, cowboy hat"),
    "only whole words": ("that hat-trick", "hat", "crown", None),
    "no name of a LoRA": ("otter <lora:hat:0.5>", "hat", "crown", None),
    "not there": ("otter", "hat", "crown", None),
    "nothing is nowhere": ("otter", "", "crown", None),
    "taken out": ("otter, cowboy hat, sea", "cowboy hat", "", "otter, sea"),
    "taken out with its weight": ("otter, (cowboy hat:1.3), sea", "cowboy hat", " ", "otter, sea"),
    "taken out of a bracket": ("(cowboy hat, boots:1.3)", "cowboy hat", "", "(boots:1.3)"),
    "taken out at the end": ("otter, hat", "hat", "", "otter"),
    "all of it": ("hat", "hat", "", ""),
    "in choices": ("{hat|crown} otter", "hat", "cap", "{cap|crown} otter"),
    "scripts without spaces": ("カワウソと帽子", "帽子", "冠", "カワウソと冠"),
    "backslashes in the new words": ("otter, hat", "hat", r"a \1 (b)", r"otter, a \1 (b)"),
}  # fmt: skip


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case["prompt"])
def test_taken_out_as_the_plugin_does(case: dict[str, str | None]) -> None:
    assert replaced(case["prompt"] or "", case["words"] or "", "") == case["left"]


@pytest.mark.parametrize("case", CASES)
def test_replaced(case: str) -> None:
    prompt, words, by, expected = CASES[case]
    assert replaced(prompt, words, by) == expected


@pytest.mark.parametrize("prompt", ["(" * 4_000, "hat," * 1_000, "<" * 4_000, "((hat" + ")" * 3_900, "hat-" * 1_000])
def test_hostile_prompts_take_no_time(prompt: str) -> None:
    begun = time.perf_counter()
    replaced(prompt, "hat", "")
    replaced(prompt, "(((", "x" * 900)
    assert time.perf_counter() - begun < 1.0
