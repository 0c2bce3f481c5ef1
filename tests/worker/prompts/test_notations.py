"""Notations that people bring from other programs: done, or named under the picture, never silently words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_lab import settings as worker_settings
from core_lab import worker_here

from otterbot_worker.prompts import explain, parse, read
from otterbot_worker.prompts.lora_tags import embedding_words, lora_tags, split_words, unknown_embeddings

DONE: list[tuple[str, list[tuple[str, float]]]] = [
    ("hat+", [("hat", 1.1)]),
    ("a red hat+ and scarf", [("a red ", 1), ("hat", 1.1), (" and scarf", 1)]),
    ("hat＋, scarf++", [("hat", 1.1), (", ", 1), ("scarf", 1.21)]),
    ("猫+，帽子", [("猫", 1.1), ("，帽子", 1)]),
    ("('a', 'b').and()", [("a", 1), ("b", 1)]),
    ("('a', \"b\").blend(1, 1)", [("a", 1), ("b", 1)]),
    (r"('it\'s', 'b').and()", [("it's", 1), ("b", 1)]),
    ("(‘a’, ‘b’).and()", [("a", 1), ("b", 1)]),
    (r"\m/ metal, a\_b \, x", [("m/ metal, a_b , x", 1)]),
    ("trailing\\", [("trailing", 1)]),
    ("\\", [("", 1)]),
    ("a BREAK: b", [("a", 1), (": b", 1)]),
    ("a BREAK. b", [("a", 1), (". b", 1)]),
    ("a BREAK; (b)", [("a", 1), ("; ", 1), ("b", 1.1)]),
]
WORDS = ["C+ code", "18+", "R+", "a+b", "5 + 3", "hat +", "+hat", "1+1", "(x) + y".replace("(x)", "x")]
NAMED: list[tuple[str, str]] = [
    ("a cat.swap(dog)", ".swap()"),
    ('("a cat").swap("a dog")', ".swap()"),
    ('a "cat" .swap("dog", s_start=0.3)', ".swap()"),
    ("('a', 'b').and(1)", ".and()"),
    ("('it's', 'b').and()", ".and()"),
    ("x ('a', 'b').blend(1, 1)", ".blend()"),
    ("(a cat, a dog).and()", ".and()"),
    ("(«a», «b»).blend(1, 1)", ".blend()"),
    ('("a", "b").AND()', ".and()"),
    ('("a", "b") . and ()', ".and()"),
    ('"a".and("b")', ".and()"),
    ('"tall man"++', "++"),
    ('"tall man"+', "++"),
    ("“tall man”++", "++"),
    ("'tall man'--", "++"),
    ("«tall man»++", "++"),
    ("「背の高い男」++", "++"),
    ("[cat]++", "++"),
    ("[cat]+", "++"),
    ("[cat]-", "++"),
    ("hat- and scarf", "a single - only"),
    ("[cat:dog:40]", "no more steps"),
    ("[smile:10]", "no more steps"),
    ("[cat::0.5]", "in all steps"),
    ("[cat::12]", "in all steps"),
    ("[cat:dog:0.5]", "come last"),
    ("[cat:dog:1]", "come last"),
    ("embedding:nobody", "embedding:name"),
    ("(embedding:nobody.pt:1.2)", "embedding:name"),
    ("<lora:x:0.8:0.5>", "has two"),
    ("<lora:x:te=1:unet=0.5>", "has two"),
    ("<lora:x:0.8:lbw=OUTALL>", "lbw="),
    ("<lora:x:lbw=1,0,0,1>", "lbw="),
    ("<lora:x:1:1:start=3:stop=20>", "lbw="),
    ("<lora:x:1:1:16>", "lbw="),
    ("<lora:x:unet=0.5>", "has two"),
]


@pytest.mark.parametrize(("prompt", "expected"), DONE)
def test_it_is_done(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert [(text, pytest.approx(weight, abs=1e-4)) for text, weight in parse(prompt)] == expected
    assert read(prompt).notes == ()


@pytest.mark.parametrize("prompt", WORDS)
def test_a_plus_that_is_no_weight(prompt: str) -> None:
    assert parse(prompt) == [(prompt, 1.0)]


@pytest.mark.parametrize(("prompt", "word"), NAMED)
def test_it_is_named(prompt: str, word: str) -> None:
    assert any(word in note for note in explain(prompt).notes)


def test_one_weight_said_twice_is_one() -> None:
    for tag in ("<lora:x:0.8:0.8>", "<lora:x:te=0.8:unet=0.8>", "<lora:x:te=0.8>", "<lora:x:0.8:unet=0.8>"):
        found = lora_tags(tag)
        assert (found.mistakes, [(lora.name, lora.weight) for lora in found.loras]) == ((), [("x", 0.8)])


@pytest.mark.parametrize(
    "prompt",
    ["embedding:EasyNegative, cat", "(embedding:easynegative:1.2) cat", "cat embedding:easynegative.pt",
     "Embedding:easynegative.safetensors", "easynegative"],
)  # fmt: skip
def test_an_embedding_as_comfyui_names_it(prompt: str) -> None:
    names = {"easynegative"}
    assert embedding_words(prompt, names) == ("easynegative",)
    assert not unknown_embeddings(prompt, names)
    pieces = [piece for fragment in parse(prompt) for piece in split_words(fragment.text, names)]
    assert "embedding" not in "".join(piece.text for piece in pieces if piece.name is None).lower()


def test_one_that_is_not_there_stays_words() -> None:
    assert unknown_embeddings("a (embedding:other:1.2)", {"easynegative"})
    assert not unknown_embeddings("embedding, noembedding:x", {"easynegative"})
    assert embedding_words("embedding:other", {"easynegative"}) == ()


async def test_the_worker_says_it(tmp_path: Path) -> None:
    async with worker_here(worker_settings(tmp_path), paused=True) as here:
        body: dict[str, Any] = {"prompt": "a cat", "negative_prompt": "<lora:x:1:0.5>"}
        status, answer = await here.api.call("POST", "/v1/prompts/explain", body | {"prompt": "<lora:x:1:0.5> hat+"})
        assert status == 200
        assert "has two" in answer["prompt"]["notes"][0]
        assert answer["prompt"]["fragments"][-1]["weight"] == 1.1
