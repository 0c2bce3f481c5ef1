"""The parser of LoRA tags and embedding words: a table, hostile texts, properties, time."""

from __future__ import annotations

import gc
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otterbot_worker.prompts.lora_tags import LORAS_MAX, embedding_words, lora_tags, split_words

TAGS = [
    ("otter", "otter", {}),
    ("otter <lora:penguin>", "otter ", {"penguin": 1.0}),
    ("<lora:penguin:0.8> otter", " otter", {"penguin": 0.8}),
    ("a<lora:x:-.5>b<LORA:y: 2 >c", "abc", {"x": -0.5, "y": 2.0}),
    ("<lora: Pixel Art XL (v1.1) :1>", "", {"Pixel Art XL (v1.1)": 1.0}),
    ("<lora:x:0.5><lora:x:0.25>", "", {"x": 0.75}),
    ("<lyco:x:1>", "", {"x": 1.0}),
    ("(<lora:x:1> hat)++", "( hat)++", {"x": 1.0}),
    ("a < b > c <3 <b>bold</b> <lor:x>", "a < b > c <3 <b>bold</b> <lor:x>", {}),
    ("<lora:../../etc/passwd:1>", "", {"../../etc/passwd": 1.0}),
    ("<lora:0>", "", {"0": 1.0}),
    ("日本 <lora:日本:0>", "日本 ", {"日本": 0.0}),
]

MISTAKES = [
    ("<lora:>", "form"),
    ("<lora: :1>", "form"),
    ("<lora:x:1:2>", "two"),
    ("<lora:x:te=1:unet=2>", "two"),
    ("<lora:x:abc>", "weight"),
    ("<lora:x:nan>", "weight"),
    ("<lora:x:inf>", "weight"),
    ("<lora:x:1e9>", "weight"),
    ("<lora:x:99999>", "weight"),
    ("<lora:x:4.01>", "weight"),
    ("<lora:x:3><lora:x:3>", "weight"),
    ("<lora:x:１>", "weight"),
    ("<lora:x:>", "weight"),
    ("otter <lora:x:1", "unclosed"),
    ("<lora:x <lora:y:1>", "unclosed"),
    ("<hypernet:x:1>", "hypernet"),
    ("".join(f"<lora:x{n}:1>" for n in range(LORAS_MAX + 1)), "many"),
]


@pytest.mark.parametrize(("prompt", "text", "loras"), TAGS)
def test_tags(prompt: str, text: str, loras: dict[str, float]) -> None:
    tags = lora_tags(prompt)
    assert (tags.text, {tag.name: tag.weight for tag in tags.loras}, tags.mistakes) == (text, loras, ())


@pytest.mark.parametrize(("prompt", "mistake"), MISTAKES)
def test_mistakes(prompt: str, mistake: str) -> None:
    assert lora_tags(prompt).mistakes == (mistake,)


WORDS = [
    ("otter", []),
    ("easynegative, otter", ["easynegative"]),
    ("EasyNegative", ["easynegative"]),
    ("<easynegative> <bad-hands-5>", ["easynegative", "bad-hands-5"]),
    ("(easynegative:1.2), [bad-hands-5], easynegative++", ["easynegative", "bad-hands-5"]),
    ("bad-hands-5--", ["bad-hands-5"]),
    ("bad-hands-5.", ["bad-hands-5"]),
    ("easynegatives uneasynegative easynegative-x my_easynegative", []),
    ("easy(negative)", []),
    ("水彩、otter", ["水彩"]),
    ("cat-toy, a <Cat-Toy>", ["<cat-toy>"]),
    ("(<cat-toy>:1.2), <cat-toy>--", ["<cat-toy>"]),
    ("cat-toy", []),
]
NAMES = {"easynegative", "bad-hands-5", "水彩", "<cat-toy>"}


@pytest.mark.parametrize(("prompt", "found"), WORDS)
def test_words(prompt: str, found: list[str]) -> None:
    assert list(embedding_words(prompt, NAMES)) == found


def test_pieces_are_the_text() -> None:
    text = "a <easynegative>, bad-hands-5 b"
    pieces = list(split_words(text, NAMES))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.name for piece in pieces] == [None, "easynegative", None, "bad-hands-5", None]


ALPHABET = st.text(alphabet="<>lora:yc hypernt.-+()[]\\0123x水 ,", max_size=200)


@given(ALPHABET)
def test_nothing_raises_and_every_number_is_finite(prompt: str) -> None:
    tags = lora_tags(prompt)
    assert all(math.isfinite(tag.weight) for tag in tags.loras)
    assert len(tags.text) <= len(prompt)
    assert "".join(piece.text for piece in split_words(prompt, {"x", "水", "ora"})) == prompt
    embedding_words(prompt, {"x", "水"})


@given(st.text(max_size=200).filter(lambda text: "<" not in text))
def test_plain_text_goes_through(prompt: str) -> None:
    assert lora_tags(prompt) == (prompt, (), ())


@pytest.mark.parametrize(
    "piece", ["<lora:", "<lora:x", "<lora:x:1>", "<a.", "a-", "<", "a.-", "<lora:<", "(((", "<x>", "hypernet:"]
)
def test_time_is_linear(piece: str) -> None:
    """Twenty times as much takes about twenty times as long; quadratic, it would take four hundred times."""

    def seconds(count: int) -> float:
        prompt = piece * count
        best = math.inf
        for _ in range(3):
            gc.disable()  # what it looks through is everything that other tests have left
            try:
                started = time.process_time()
                lora_tags(prompt)
                embedding_words(prompt, {"x", "y"})
                best = min(best, time.process_time() - started)
            finally:
                gc.enable()
        return best

    small, large = seconds(2_000), seconds(40_000)
    assert large < 0.1 + small * 100
