"""What is taken out of a text because nobody sees it, and what only looks so."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterbot.language.typed import clean, folded

FAMILY = "👨\u200d👩\u200d👧"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "text",
    [
        "otter, cowboy hat", "Oregon 💚, „Möwe“, 水獭", "a\nb\tc", FAMILY, SCOTLAND, "❤️", "❤️\u200d🔥", "1️⃣ 9️⃣ #️⃣",
        "©️ ™️ ‼️",
        "🙂\u200d↔️", "🧑🏽\u200d🚀", "می\u200cخواهم", "क्\u200dष", "ශ්\u200dරී", "ه\u200d", "葛\U000e0100", "〰️",
        "猫　帽子", "a — b", "naïve e\u0301",
        "\u1820\u180b", "a\\!b",
    ],
)  # fmt: skip
def test_what_is_seen_or_acts_stays(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    "unseen",
    ["\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\u061c",
    "\u00ad", "\ufeff",
     "\ufe0f", "\ufe0e", "\u180e", "\x00", "\x07", "\x7f", "\x9f", "\u034f", "\U000e0041", "\u200d\u200d",
     "\u200b\ufe0f"],
)  # fmt: skip
def test_what_is_unseen_goes(unseen: str) -> None:
    assert clean(f"{unseen}ot{unseen}ter -{unseen}-{unseen}x{unseen}") == "otter --x"


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("a\u00a0b\u202fc\u2003d\u2800e\u3164f", "a b c d e f"),
        ("a\r\nb\rc\u2028d\u2029e\x85f\x0bg", "a\nb\nc\nd\ne\nf\ng"),
        ("a\ud800b", "a?b"),
        (f"{FAMILY}\u200d", FAMILY),
        ("❤\ufe0f\ufe0f", "❤\ufe0f"),
        ("\u2212\ufe0f\u2212\ufe0f", "\u2212\u2212"),
        ("می\u200c خواهم", "می خواهم"),
        ("Auf\u200clage", "Auflage"),
    ],
)
def test_what_becomes_something_plain(typed: str, plain: str) -> None:
    assert clean(typed) == plain


def test_folding() -> None:
    assert folded("！ＤＲＡＷ") == "!draw"


UNSEEN = st.sampled_from("\u200b\u200c\u200d\ufe0f\ufe0e\u2060\ufeff\u00ad\U000e0067\U000e007f\u180b\u202e\x00")
PIECES = st.sampled_from(
    ["👨", "❤", "م", "क", "्", "a", "-", "\u2212", "\U0001f3f4", "葛", "1", "\u20e3", " ", "\n", "\r", "\ud800"]
)
MIXED = st.lists(UNSEEN | PIECES | st.characters(), max_size=40).map("".join)


@settings(max_examples=500, deadline=None)
@given(MIXED)
def test_twice_is_once_and_nothing_else_goes(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    once.encode()
    seen = [one for one in text if one.isalnum() and one not in "\u115f\u1160\u3164\uffa0"]
    assert [one for one in once if one.isalnum()] == seen


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=60))
def test_words_of_any_script_stay(text: str) -> None:
    kept = clean(text)
    blank = "\u115f\u1160\u3164\uffa0\u2800"
    assert [one for one in kept if not one.isspace()] == [one for one in text if one not in blank and not one.isspace()]


@pytest.mark.parametrize(
    "unit", ["\u200b", "\u200d", "👨\u200d", "\ufe0f", "\r", "\ud800", "م\u200c", "\U0001f3f4\U000e0067"]
)
def test_64_kilobytes_are_cleaned_quickly(unit: str) -> None:
    begin = time.process_time()
    clean(unit * (64_000 // len(unit)))
    assert time.process_time() - begin < 5, "what is not linear takes minutes"
