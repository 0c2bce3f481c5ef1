"""Schedules, ``[from:to:when]``: the words that the last step of a picture has are drawn in all of them, and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hollow_loras import put, tensors

from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.loras import Library
from otterbot_worker.prompts import StepCount, clean_text, explain, read
from otterbot_worker.prompts.lora_tags import embedding_words
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.requests.input_images import Sources
from otterbot_worker.requests.resolve import resolve_image
from otterbot_worker.schemas.requests import ImageRequest
from otterbot_worker.schemas.resolved import ResolvedRequest

START = Input(client="c", id="0" * 64, width=512, height=512, size=1, private=False, used_at=0.0)


def drawn(prompt: str, steps: int, of: int | None = None) -> tuple[str, tuple[str, ...]]:
    found = read(prompt, StepCount(of or steps, steps))
    return found.clean, tuple(mark for mark in found.marks if mark in ("schedule", "unreached", "leaving", "late"))


@pytest.mark.parametrize(
    ("prompt", "words", "mark"),
    [
        ("[cat:dog:40]", "cat", "unreached"),
        ("[cat:dog:30]", "cat", "unreached"),
        ("[cat:dog:29]", "dog", "schedule"),
        ("[cat:dog:1.0]", "cat", "unreached"),
        ("[cat:dog:1.5]", "cat", "unreached"),
        ("[cat:dog:1e400]", "cat", "unreached"),
        ("[cat:dog:1]", "dog", "schedule"),
        ("[cat:dog:0.99]", "dog", "schedule"),
        ("[cat:dog:-3]", "dog", "schedule"),
        ("[cat::40]", "cat", "unreached"),
        ("[cat::12]", "cat", "leaving"),
        ("[cat::0]", "", "schedule"),
        ("[cat::0.01]", "", "schedule"),
        ("[:dog:40]", "", "unreached"),
        ("[dog:40]", "", "unreached"),
        ("[dog:12]", "dog", "schedule"),
    ],
)
def test_at_thirty_steps(prompt: str, words: str, mark: str) -> None:
    assert drawn(prompt, 30) == (words, (mark,))
    assert drawn(f"a {prompt} b", 30)[0].split() == ["a", *words.split(), "b"]


def test_the_brackets_are_no_weight_and_those_inside_are() -> None:
    parts = read("([a (king)++:queen:40]:1.2), [[x:y:50]] z", StepCount(30, 30)).fragments
    assert [(text, round(weight, 4)) for text, weight in parts] == [
        ("a ", 1.2), ("king", 1.452), (", ", 1.0), ("x", 0.9091), (" z", 1.0),
    ]  # fmt: skip


def test_of_a_picture_that_is_drawn_from_another_one_only_some_steps_are_drawn() -> None:
    assert drawn("[cat:dog:25]", 30)[0] == "dog"
    assert drawn("[cat:dog:25]", 18, of=30)[0] == "cat"
    assert drawn("[cat:dog:0.7]", 18, of=30)[0] == "cat"
    assert drawn("[cat:dog:0.5]", 18, of=30)[0] == "dog"


def test_where_nobody_knows_the_steps_both_are_said() -> None:
    assert (clean_text("[cat:dog:40]"), clean_text("[cat:dog:1.5]")) == ("dog", "cat")
    [note] = explain("[cat:dog:40]").notes
    assert "no more steps than that" in note
    assert len(explain("[cat:dog:1.5]").notes) == 1


def test_what_is_not_reached_says_so_in_one_sentence() -> None:
    [note] = read("[cat:dog:40], [fox::50], [:wolf:60]", StepCount(30, 30)).notes
    assert "was not reached" in note
    assert "cat" not in note


def test_deep_ones_are_taken_apart_in_linear_time() -> None:
    deep = "[" * 2000 + "x" + ":y:40]" * 2000
    assert drawn(deep, 30)[0] == "x"


def wanted(
    tmp_path: Path, prompt: str, *, steps: int, sources: Sources | None = None, **fields: Any
) -> ResolvedRequest:
    library, catalogue = Library(tmp_path), load_catalogue(data_dir=tmp_path, downloads_allowed=True)
    request = ImageRequest.model_validate({"prompt": prompt, "seed": 1, "steps": steps, **fields})
    return resolve_image(request, catalogue, "sd15", sources, library)


def test_an_embedding_counts_where_its_words_are_drawn(tmp_path: Path) -> None:
    for name in ("furball", "scale"):
        put(tmp_path / "embeddings" / f"{name}.safetensors", tensors({"emb_params": [2, 768]}))
    prompt = "[furball:scale:25]"

    def tokens(steps: int, **fields: Any) -> list[str]:
        return [one.token for one in wanted(tmp_path, prompt, steps=steps, **fields).embeddings]

    assert (tokens(20), tokens(30)) == (["furball"], ["scale"])
    sources = Sources(start=START)
    assert tokens(30, init_image={"id": START.id}, strength=0.6, sources=sources) == ["furball"]
    assert embedding_words(prompt, {"furball", "scale"}, StepCount(20, 20)) == ("furball",)


def test_the_usual_cfg_goes_by_what_is_drawn(tmp_path: Path) -> None:
    for steps, expected in ((20, 7.5), (30, 13.0)):
        resolved = wanted(tmp_path, "[cat:(dog)++:25]", steps=steps, model="sdxl")
        assert resolved.guidance_scale == expected
