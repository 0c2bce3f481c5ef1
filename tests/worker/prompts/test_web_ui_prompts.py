"""Prompts as people write them for A1111's web UI are read as it reads them, but for what the docs say is different.

``web_ui_prompts.json`` holds prompts of our own in the manner of real ones, each with what the web UI made of it:
``modules/prompt_parser.py`` of its version 1.10.1 (commit 82a973c04367123ae98bd9abdf80d9eda9b910e2), with lark 1.1.2.
Of its schedules the text at the last of 30 steps was taken (``get_learned_conditioning_prompt_schedules``), and read by
``parse_prompt_attention``: chunks between its ``["BREAK", -1]``, of texts with their weights. ``AND``, which the web UI
takes apart before, is in none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from otterbot_worker.prompts import StepCount, read

Chunks = list[list[tuple[str, float]]]
CASES: list[tuple[str, Chunks]] = json.loads((Path(__file__).parent / "web_ui_prompts.json").read_text("utf-8"))
DIFFERENT: list[tuple[str, str]] = [
    # What the docs say is read otherwise, and the text that must not have the web UI's weight.
    ("(16:9)", "16:9"),
    ("(1990:1)", "1990:1"),
    ("(16 : 9) wide", "16 : 9"),
    ("(at 12:30)", "at 12:30"),
    ("(a [b) c] d", "b) c"),
    ("(cat)++", "cat"),
    ("(cat)1.3", "cat"),
    ("cat+", "cat"),
    ("a :( b", "a :( b"),
    ("[cat::0.5] on a sofa", "cat on a sofa"),
]


def plain(chunks: Iterable[Iterable[Any]]) -> list[list[tuple[str, float]]]:
    """Neighbours of equal weight joined; without what the text encoder does not see, spaces and empty chunks."""
    made = []
    for chunk in chunks:
        joined: list[tuple[str, float]] = []
        for text, weight in chunk:
            if joined and (joined[-1][1] == pytest.approx(weight, abs=1e-3) or not text.strip()):
                joined[-1] = (joined[-1][0] + text, joined[-1][1])
            else:
                joined.append((text, weight))
        joined = [(" ".join(text.split()), weight) for text, weight in joined if text.strip()]
        if joined:
            made.append(joined)
    return made


def ours(prompt: str) -> list[list[tuple[str, float]]]:
    return plain(chunk for part in read(prompt, StepCount(30, 30)).parts for chunk in part.chunks)


@pytest.mark.parametrize(("prompt", "expected"), CASES, ids=[prompt[:40] for prompt, _ in CASES])
def test_it_is_read_as_the_web_ui_reads_it(prompt: str, expected: Chunks) -> None:
    wanted, found = plain(expected), ours(prompt)
    assert [[text for text, _ in chunk] for chunk in found] == [[text for text, _ in chunk] for chunk in wanted]
    for chunk, other in zip(found, wanted, strict=True):
        assert [weight for _, weight in chunk] == pytest.approx([weight for _, weight in other], abs=1e-3)


@pytest.mark.parametrize(("prompt", "text"), DIFFERENT)
def test_what_the_docs_say_is_different(prompt: str, text: str) -> None:
    assert text in [found for chunk in ours(prompt) for found, _ in chunk]


def test_a_break_in_brackets_divides() -> None:
    """To the web UI it is a word there, of a weight below 0."""
    assert ours("(one BREAK two:1.2) three") == [[("one", 1.2)], [("two", 1.2), ("three", 1.0)]]


def test_nothing_of_them_needs_a_note_but_schedules_and_wildcards() -> None:
    noted = [prompt for prompt, _ in CASES if read(prompt).notes and "__wildcard__" not in prompt]
    assert all("[" in prompt and ":" in prompt for prompt in noted), noted
