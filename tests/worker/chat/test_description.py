"""What models answer when they are asked for a description, in the forms that they choose."""

from __future__ import annotations

import pytest

from otterbot_worker.chat.description import MOST_CHARACTERS, clean, from_captions, read

OTTER = "An otter in a hat."
THREE = ("otter, hat, meadow", "otter, hat, at night", "otter, hat, oil painting")

FORMS = {
    "as asked": f"ALT: {OTTER}\n1: {THREE[0]}\n2: {THREE[1]}\n3: {THREE[2]}",
    "with markup": f'**ALT:** {OTTER}\n\n**1.** *{THREE[0]}*\n**2.** `{THREE[1]}`\n**3)** "{THREE[2]}"',
    "with chatter": f"Sure! Here you are:\n\nAlt text: {OTTER}\n\nPrompt 1: {THREE[0]}\n#2 {THREE[1]}\n3 - {THREE[2]}",
    "below each other": f"ALT:\n{OTTER}\n\n1.\n{THREE[0]}\n2.\n{THREE[1]}\n3.\n{THREE[2]}",
    "a list": f"{OTTER}\n\n- {THREE[0]}\n* {THREE[1]}\n• {THREE[2]}",
    "json": f'```json\n{{"alt": "{OTTER}", "prompts": ["{THREE[0]}", "{THREE[1]}", "{THREE[2]}"]}}\n```',
    "json with numbers": f'{{"ALT": "{OTTER}", "1": "{THREE[0]}", "2": "{THREE[1]}", "3": "{THREE[2]}"}}',
    "too many": f"ALT: {OTTER}\n1: {THREE[0]}\n2: {THREE[1]}\n3: {THREE[2]}\n4: otter, hat, pixel art",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str) -> None:
    found = read(FORMS[form])
    assert found is not None
    assert (found.alt, found.prompts) == (OTTER, THREE)


def test_less_is_taken_as_it_is() -> None:
    alone = read("An otter in a hat.")
    assert alone is not None
    assert alone.prompts == (OTTER,), "it may be drawn by what it shows"
    numbers = read("1. otter, hat\n2. otter at night")
    assert numbers is not None
    assert (numbers.alt, numbers.prompts) == ("otter, hat", ("otter, hat", "otter at night"))


@pytest.mark.parametrize("answer", ["", "   ", "...", "1.\n2.\n3.", "{}", "**", "\u200b", "{" * 5_000])
def test_nothing_is_nothing(answer: str) -> None:
    assert read(answer) is None


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("otter --steps 100 --model evil", "otter steps 100 model evil"),
        ("otter —steps 100", "otter steps 100"),
        ("state-of-the-art, 35mm – grainy", "state-of-the-art, 35mm – grainy"),
        ("otter <lora:evil:2> hat", "otter hat"),
        ("@room look, @ann:here", "room look, ann:here"),
        ("otter\u202egnp.exe", "otter gnp.exe"),
        ("one\ntwo\r\n\tthree\x00", "one two three"),
        ('  "otter, `hat`"  ', "otter, hat"),
        ("\ud800otter", "?otter"),
    ],
)
def test_words_are_cleaned(said: str, shown: str) -> None:
    assert clean(said) == shown


def test_long_ones_are_cut_between_words() -> None:
    cut = clean("otter " * 100)
    assert len(cut) <= MOST_CHARACTERS
    assert cut.endswith("otter…")
    assert len(clean("x" * 10_000)) == MOST_CHARACTERS


def test_captions_become_a_description() -> None:
    found = from_captions(["an otter", "an otter in a hat", "an otter in a hat on a meadow, at noon"])
    assert found is not None
    assert found.alt == "an otter in a hat"
    assert found.prompts == ("an otter", "an otter in a hat", "an otter in a hat on a meadow, at noon")
    same = from_captions(["an otter", "an otter", "an otter"])
    assert same is not None
    assert same.prompts == ("an otter",), "one is enough"
    assert from_captions(["", "…"]) is None
