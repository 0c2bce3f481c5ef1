"""Words of the captions are one token each, everything else falls into pieces, and nothing is lost on the way."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from otter_mini import tokenizer
from otter_mini.captions import WORDS, caption
from otter_mini.diffusion import tokens_of
from otter_mini.scenes import sample_training


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tokenizer.make(tmp_path_factory.mktemp("tokenizer"))


def numbers(words: Any, text: str) -> list[int]:
    """The tokens of ``text`` without start and end."""
    first, *middle, last = words(text)["input_ids"]
    assert (first, last) == (words.bos_token_id, words.eos_token_id)
    return middle


def test_keeps_every_word_of_the_captions_whole(words: Any) -> None:
    broken = {word: words.tokenize(word) for word in WORDS if words.tokenize(word) != [f"{word}</w>"]}
    assert broken == {}
    assert len({number for word in WORDS for number in numbers(words, word)}) == len(WORDS)


def test_keeps_words_whole_within_a_caption(words: Any) -> None:
    pieces = words.tokenize("An OTTER with a cowboy hat,watercolor painting,hoodie")
    words_in_order = ["an", "otter", "with", "a", "cowboy", "hat", ",", "watercolor", "painting", ",", "hoodie"]
    assert pieces == [f"{word}</w>" for word in words_in_order]


def test_captions_come_back_from_their_tokens(words: Any) -> None:
    chance = random.Random("captions")
    for _ in range(200):
        text = caption(sample_training(chance), chance)
        back = words.decode(numbers(words, text))
        # CLIP puts a space behind every token that ends a piece; "8k" are two pieces.
        assert back.replace(" ", "") == text.lower().replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "zyzzyva",
        "otterish",
        "čaj",
        "ночь",
        "カワウソ",
        "海獭",
        "🦦",
        "👩🏽‍🚀",
        "a\u0301",
        "ß",
        "\u200b",
        "\x00",
        "\ud7ff",
        "\U0010ffff",
    ],
)
def test_takes_any_unicode_and_gives_it_back(words: Any, text: str) -> None:
    found = numbers(words, text)
    assert found
    assert max(found) < words.bos_token_id  # pieces and bytes, no special token
    assert words.decode(found).strip() == unicodedata.normalize("NFC", text).lower()


def test_every_byte_has_two_tokens_of_its_own(words: Any) -> None:
    """Inside of a word and at its end: without them a text could fall into something unknown."""
    vocabulary = words.get_vocab()
    symbols = tokenizer.byte_symbols()
    assert len(set(symbols)) == 256
    assert all(symbol in vocabulary and f"{symbol}</w>" in vocabulary for symbol in symbols)


def test_special_tokens_come_last_as_the_text_encoder_expects(words: Any) -> None:
    assert (words.bos_token_id, words.eos_token_id, words.pad_token_id) == (
        len(words) - 2,
        len(words) - 1,
        len(words) - 1,
    )
    assert words.unk_token_id == words.eos_token_id
    assert len(words) < 2**15  # diffusion.tokens_of keeps them in 16 bits


def test_fills_up_and_cuts_off_to_77(words: Any) -> None:
    short, long = tokens_of([["otter"], ["otter " * 100]], words)[:, 0].tolist()
    otter = numbers(words, "otter")
    assert short == [words.bos_token_id, *otter, *[words.eos_token_id] * 75]
    assert long == [words.bos_token_id, *otter * 75, words.eos_token_id]


def test_the_same_words_in_any_order_give_the_same_files(tmp_path: Path) -> None:
    tokenizer.write(tmp_path / "one", WORDS)
    tokenizer.write(tmp_path / "two", [word.upper() for word in reversed(WORDS)] + list(WORDS[:9]))
    tokenizer.write(tmp_path / "fewer", WORDS[1:])
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "fewer" / name).read_bytes()


def test_learns_whole_words_of_other_alphabets_too(tmp_path: Path) -> None:
    tokenizer.write(tmp_path, ["vidra", "vydra", "выдра", "カワウソ"])
    learned = tokenizer.load(tmp_path)
    for word in ("vidra", "vydra", "выдра", "カワウソ"):
        assert len(learned.tokenize(word)) == 1, word
    assert len(learned.tokenize("otter")) == 5
