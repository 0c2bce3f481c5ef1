"""The worker alone resolves: the plugin has no limit of a model, and no table that stands in the worker as well."""

from __future__ import annotations

import re

import pytest
from test_imports import PLUGIN, modules, part_of

LIMITS = re.compile(r"\b(size_multiple|size_min|size_max|pixels_max|steps_max|steps_min|guidance_scale_max)\b")
USUAL = re.compile(r"\bSTRENGTH\s*=\s*[0-9.]|\bguidance_scale_weighted\b")
SAMPLERS = re.compile(r"\b(plms|pndm|eulerdiscrete|unipcmultistep)\b", re.IGNORECASE)
"""Other names for them; which words of a line belong to one is grammar."""
PLACES = ("texts", "worker")
"""Where sentences are made, and where the worker's answers are read."""


def test_there_is_something_to_look_at() -> None:
    assert len(modules(PLUGIN)) > 100
    assert LIMITS.search("side % limits.size_multiple")
    assert USUAL.search("STRENGTH = 0.6")
    assert SAMPLERS.search('{"plms": "pndm"}')


@pytest.mark.parametrize("pattern", [LIMITS, USUAL, SAMPLERS], ids=["limits", "usual", "samplers"])
def test_the_plugin_resolves_nothing(pattern: re.Pattern[str]) -> None:
    found = {
        f"{path.relative_to(PLUGIN)}: {hit[0]}"
        for path in modules(PLUGIN)
        if part_of(path, PLUGIN) not in PLACES
        for hit in pattern.finditer(path.read_text("utf-8"))
    }
    assert not found


def test_limits_are_read_only_to_be_told() -> None:
    """`!models NAME` lists them. No other sentence needs them: a refusal brings the numbers that it speaks of."""
    read = {str(path.relative_to(PLUGIN)) for path in modules(PLUGIN) if LIMITS.search(path.read_text("utf-8"))}
    assert read == {"worker/info.py", "texts/catalogue.py"}
