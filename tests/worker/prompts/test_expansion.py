"""A prompt that a language model writes: whatever it answers, what the person wrote stays, and only words are added."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from otterbot_worker.families import FAMILIES
from otterbot_worker.models.entries import PHRASES, SENTENCES
from otterbot_worker.prompts import read
from otterbot_worker.prompts.expansion import question, read_answers, take_apart, weave
from otterbot_worker.prompts.expansion.asking import EXAMPLES
from otterbot_worker.prompts.expansion.length import tokens
from otterbot_worker.prompts.expansion.named import words_of
from otterbot_worker.prompts.expansion.weaving import faithful
from otterbot_worker.prompts.lora_tags import lora_tags

GOOD = "cute otter wearing a cowboy hat, desert at sunset, golden light, watercolor"


def expanded(prompt: str, answer: str = GOOD, embeddings: Iterable[str] = ()) -> str | None:
    calls = frozenset(embeddings)
    plain = read_answers(answer, 1)
    return weave(take_apart(prompt, calls), plain[0], PHRASES, calls) if plain else None


# ---------------------------------------------------------------- what was named stays


def test_what_the_model_kept_stands_where_it_put_it() -> None:
    assert expanded("otter, cowboy hat") == GOOD


def test_what_it_dropped_comes_first_as_it_was_written() -> None:
    assert expanded("Otter, red Scarf, 💚") == f"red Scarf, 💚, {GOOD}"


def test_words_of_a_piece_belong_together() -> None:
    """It says "red" and "hat", and no red hat."""
    said = "otter with a cowboy hat, red barn"
    assert expanded("otter, red hat", said) == f"red hat, {said}"
    assert expanded("a blue hat and red shoes", "a red hat and blue shoes") == (
        "a blue hat and red shoes, a red hat and blue shoes"
    )
    assert expanded("an otter in a hat", "an old otter in a very large hat") == "an old otter in a very large hat"


@pytest.mark.parametrize(
    ("prompt", "becomes"),
    [
        ("otter, (cowboy hat)++", "cute otter wearing a (cowboy hat)++, desert at sunset, golden light, watercolor"),
        (
            "otter, (cowboy hat:1.3)",
            "cute otter wearing a (cowboy hat:1.3), desert at sunset, golden light, watercolor",
        ),
        ("otter, [[blurry]]", f"[[blurry]], {GOOD}"),
        ("otter, <lora:cereal_box:0.8>", f"{GOOD} <lora:cereal_box:0.8>"),
        ("<lora:a:1> otter <lora:b:-.5>", f"{GOOD} <lora:a:1> <lora:b:-.5>"),
        ("otter BREAK barren rocks", f"otter BREAK barren rocks, {GOOD}"),
        ("\\(otter\\)", "cute \\(otter\\) wearing a cowboy hat, desert at sunset, golden light, watercolor"),
        ("otter, (old hat", f"{GOOD}, otter, (old hat"),
        ("otter in EasyNegative style", f"otter in EasyNegative style, {GOOD}"),
        ("<cat-toy>, otter", f"<cat-toy>, {GOOD}"),
    ],
)
def test_marks_stay_as_they_were_written(prompt: str, becomes: str) -> None:
    assert expanded(prompt, embeddings=("easynegative", "cat-toy")) == becomes


def test_an_open_bracket_holds_nothing_of_the_models() -> None:
    whole = expanded("otter, (old hat")
    assert whole is not None
    weights = {word: fragment.weight for fragment in read(whole).fragments for word in words_of(fragment.text)}
    assert (weights["sunset"], weights["old"]) == (1.0, 1.1)


@pytest.mark.parametrize("prompt", ['("a hat", "a fox").and()', '("a", "b").blend(0.7, 0.3)', "", "<lora:a:1>", ", ,"])
def test_what_takes_the_whole_prompt_or_has_no_words_stays_alone(prompt: str) -> None:
    assert not take_apart(prompt).possible
    assert expanded(prompt) is None


def test_the_model_sees_words_alone() -> None:
    named = take_apart(
        "Otter, (cowboy hat)++, [a|b], <lora:secret:0.8>, easynegative, <cat-toy>", ("easynegative", "cat-toy")
    )
    assert named.words == "Otter, cowboy hat, a, b"
    said = question(named, PHRASES, 1)
    assert [one.role for one in said] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert said[-1].content == "Otter, cowboy hat, a, b"
    assert all("Otter" not in one.content for one in said[:-1]), "what people say is in a message of its own"


def test_the_form_is_the_familys() -> None:
    readers = {name: family.sentences_by for name, family in FAMILIES.items()}
    assert readers["sd"] is readers["sdxl"] is None
    assert all(reader in FAMILIES[name].modules for name, reader in readers.items() if reader is not None)
    assert "short phrases" in question(take_apart("otter"), PHRASES, 1)[0].content
    assert "sentences" in question(take_apart("otter"), SENTENCES, 1)[0].content
    assert "Write 4 prompts" in question(take_apart("otter"), SENTENCES, 4)[0].content


# ---------------------------------------------------------------- lengths


def test_what_is_too_long_is_cut_behind_a_phrase_and_what_was_named_never() -> None:
    long = ", ".join(f"word{chr(97 + number % 26)}{number}" for number in range(200))
    whole = expanded("otter, cowboy hat", long)
    assert whole is not None
    assert tokens(whole) <= PHRASES.tokens
    assert whole.startswith("otter, cowboy hat, worda0, wordb1, ")
    assert long.startswith(whole.removeprefix("otter, cowboy hat, "))
    own = ", ".join(["a very long list of things"] * 20)
    assert expanded(own, GOOD) is None, "there is no room for anything"


def test_one_endless_sentence_is_cut_between_words() -> None:
    whole = weave(take_apart("otter"), "otter " + "swims on and " * 300, SENTENCES)
    assert whole is not None
    assert 100 < tokens(whole) <= SENTENCES.tokens
    assert set(words_of(whole)) == {"otter", "swims", "on", "and"}


# ---------------------------------------------------------------- whatever it answers


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('Sure! Here is your prompt:\n\n"otter in a hat, sunset"', "otter in a hat, sunset"),
        ("**Prompt:** otter in a hat, *sunset*", "otter in a hat, sunset"),
        ("```\notter in a hat,\nsunset\n```", "otter in a hat, sunset"),
        ("otter in a hat, sunset\n\nLet me know if you want more!", "otter in a hat, sunset"),
        ("1. otter in a hat, sunset", "otter in a hat, sunset"),
        ("otter in a (hat:1.4), ((sunset))++, [red|blue]", "otter in a hat, sunset, red blue"),
        ("otter --ar 16:9 --v 5, sunset --no rain —steps 30", "otter, sunset rain"),
        ("otter <lora:evil:2> <img src=x onerror=alert(1)>, sunset", "otter, sunset"),
        ("otter, @room @ann:here, https://evil.example/x?y=1 sunset", "otter, room ann, here, sunset"),
        (
            "otter BREAK sunset AND rain, {a|b}, __animal__, embedding:bad",
            "otter break sunset and rain, a b, animal, embedding, bad",
        ),
        ("![otter](mxc://here/secret), sunset", "otter, sunset"),
        ("otter, sunset, otter, sunset, otter", "otter, sunset"),
        ("otter\u202e, \x1b[31msunset\x00\u2066", "otter, 31msunset"),
        ("otter — sunset -- rain - sea", "otter, sunset, rain, sea"),
        ("close-up of an otter's paw", "close-up of an otter's paw"),
    ],
)
def test_only_words_come_out(answer: str, said: str) -> None:
    assert read_answers(answer, 1) == [said]


@pytest.mark.parametrize(
    "answer",
    ["", "   ", "***", "…", "I'm sorry, I cannot help with that.", "As an AI language model, I do not draw.", "(((",
     "💥", "I can't draw otters.", sorted(EXAMPLES)[0]],
)  # fmt: skip
def test_nonsense_is_nothing(answer: str) -> None:
    assert read_answers(answer, 1) == []


@pytest.mark.parametrize(
    "answer",
    [
        "otter a\notter b\notter c\notter d",
        "Here are four prompts:\n\n1. otter a\n2. otter b\n3. otter c\n4. otter d\n\nHave fun!",
        "1) otter a 2) otter b 3) otter c 4) otter d",
        "**1.** otter a\n**2.** otter b\n**3.** otter c\n**4.** otter d",
        "- otter a\n- otter b\n* otter c\n• otter d",
        "Prompt 1: otter a\nPrompt 2: otter b\nPrompt 3: otter c\nPrompt 4: otter d",
        '["otter a", "otter b", "otter c", "otter d"]',
        '```json\n{"prompts": [{"prompt": "otter a", "note": 1}, {"prompt": "otter b"}, "otter c", "otter d"]}\n```',
        "1.\n2. otter a\n3. otter b\n4. otter c\n5. otter d\n6. otter e",
    ],
)
def test_four_come_in_whatever_form(answer: str) -> None:
    assert read_answers(answer, 4) == ["otter a", "otter b", "otter c", "otter d"]


def test_the_same_twice_is_one_and_fewer_are_fewer() -> None:
    assert read_answers("otter a\nOtter A\notter b", 4) == ["otter a", "otter b"]
    assert read_answers("[" * 50_000, 4) == []
    assert read_answers('{"a": ' * 5_000, 1) in ([], ["a"]), "nothing is raised"


ALPHABET = (
    *"otter hat, ()[]{}<>:+-—|\\/\"'*_`#@!.\n", "BREAK", " AND ", "<lora:x:1>", "++", "--steps 5", "1.3", "💚", "水獭",
    "\u202e", "easynegative", "word--",
)  # fmt: skip


def test_whatever_both_say_the_persons_part_means_the_same() -> None:
    """No pair of texts makes a prompt that draws something of the person's otherwise."""
    dice = random.Random(7)
    made = 0
    for _ in range(1_500):
        prompt, answer = ("".join(dice.choices(ALPHABET, k=dice.randrange(1, 25))) for _ in range(2))
        calls = frozenset(("easynegative",))
        named = take_apart(prompt, calls)
        for said in read_answers(answer, 1):
            assert not lora_tags(said).loras
            assert all(fragment.weight == 1.0 for fragment in read(said).fragments), said
            assert "--" not in said
            whole = weave(named, said, PHRASES, calls)
            if whole is not None:
                made += 1
                assert faithful(named, whole, calls)
                assert lora_tags(whole).loras == lora_tags(prompt).loras
                assert not set(words_of(read(lora_tags(prompt).text).clean)) - set(
                    words_of(read(lora_tags(whole).text).clean)
                )
    assert made > 200


def test_long_texts_take_no_time() -> None:
    hostile = "(" * 4_000, "a, " * 1_300, "[a:b:0.5]" * 400, "<lora:a:1>" * 400, "\\" * 4_000, "a" * 4_000
    for prompt in hostile:
        for answer in (*hostile, GOOD * 100, "-" * 12_000, "1. " * 4_000, "# " * 6_000, "{" * 12_000):
            expanded(prompt, answer)
