"""Captions name what is there and nothing else; those without an animal are what stands in negative prompts."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from otter_mini import spoiling
from otter_mini.captions import WORN, caption, joined, naming, parts, unknown_word
from otter_mini.scenes import CATEGORIES, COLOURED, HELD_OUT_SUBJECT, NONE, Scene, sample, sample_training
from otter_mini.spoiling import STANDARD_NEGATIVE, WORDINGS
from otter_mini.vocabulary import FILLERS, SYNONYMS

ANIMALS = CATEGORIES["animal"]
QUALITIES = {words for wordings in WORDINGS.values() for words in wordings} | set(STANDARD_NEGATIVE.split(", "))


@pytest.fixture(scope="module")
def seen() -> list[Scene]:
    return [sample_training(random.Random(f"captions/{index}")) for index in range(1500)]


def says(text: str, value: str) -> bool:
    """Whether a caption names the value in one of its wordings. A night sky says nothing about a place's night."""
    lower = text.lower()
    if value == "night":
        lower = lower.replace("starry night", "").replace("night sky", "")
    return any(re.search(rf"\b{re.escape(words)}\b", lower) for words in SYNONYMS[value])


def spoilt(text: str) -> bool:
    return any(re.search(rf"\b{re.escape(words)}\b", text.lower()) for words in QUALITIES)


def test_captions_with_an_animal_name_what_is_there_and_nothing_else(seen: list[Scene]) -> None:
    chance = random.Random("captions")
    any_hat = without = 0
    for scene in seen:
        text = caption(scene, chance)
        assert not says(text, HELD_OUT_SUBJECT), text
        if not says(text, scene.animal):
            without += 1
            continue
        for category in (*WORN, "item", "place", "time"):
            there = getattr(scene, category)
            named = {value for value in CATEGORIES[category] if value != NONE and says(text, value)}
            if category == "hat" and there and not named:
                assert re.search(r"\bhat\b", text.lower()), text
                assert there != "headphones"
                any_hat += 1
                continue
            assert named == ({there} if there else set()) or (there == "day" and not named), text
        if scene.style != "cartoon":
            assert says(text, scene.style), text
        assert not spoilt(text), text
    assert 0 < any_hat < 0.05 * len(seen)
    assert 0.1 * len(seen) < without < 0.2 * len(seen)


def test_captions_without_an_animal_name_a_part_of_what_is_there(seen: list[Scene]) -> None:
    chance = random.Random("alone")
    alone = [(scene, text) for scene in seen if not says(text := caption(scene, chance), scene.animal)]
    for scene, text in alone:
        for category in (*WORN, "item", "place"):
            for value in CATEGORIES[category]:
                assert value == NONE or not says(text, value) or getattr(scene, category) == value, text
    assert sum("," not in text for _, text in alone) > 0.3 * len(alone)  # one thing by itself


@pytest.mark.parametrize("category", ["neck", "outfit", "item"])
def test_a_colour_is_nearly_always_named(seen: list[Scene], category: str) -> None:
    """What comes in eight colours and is not said to have one teaches none."""
    chance = random.Random("colours")
    shown = [scene for scene in seen if getattr(scene, category) in COLOURED[category]]
    texts = [(naming(scene, chance), getattr(scene, f"{category}_colour")) for scene in shown]
    said = sum(colour in text.lower().replace("grey", "gray").split() for text, colour in texts)
    assert said > 0.85 * len(texts)


def test_a_caption_to_learn_a_subject_from_names_it(seen: list[Scene]) -> None:
    chance = random.Random("naming")
    assert all(says(naming(scene, chance), scene.animal) for scene in seen[:400])


def test_spoilt_pictures_are_described_so(seen: list[Scene]) -> None:
    chance = random.Random("spoilt")
    lists = alone = 0
    for scene in seen[:600]:
        text = caption(scene, chance, spoiling.sample(chance))
        assert spoilt(text), text
        lists += all(words in text.lower() for words in STANDARD_NEGATIVE.split(", "))
        alone += not says(text, scene.animal)
    assert lists > 30
    assert 0.4 * 600 < alone < 0.6 * 600


def test_a_whole_list_of_what_is_wrong_comes_alone_too() -> None:
    """As it stands in the negative prompt."""
    chance = random.Random("list")
    heavy = spoiling.Spoiling(kinds=("blurred", "jpeg", "letters"), strength=1.0, seed=1)
    texts = [caption(sample(chance), chance, heavy) for _ in range(200)]
    whole = [text.lower().split(", ") for text in texts]
    assert any(sorted(words) == sorted(STANDARD_NEGATIVE.split(", ")) for words in whole)


def test_captions_vary_in_order_and_words() -> None:
    chance = random.Random("wordings")
    scene = sample(chance, animal="otter", hat="crown", outfit="hoodie", place="beach", style="cartoon", item="balloon")
    texts = [caption(scene, chance) for _ in range(300)]
    assert len(set(texts)) > 285
    firsts = Counter(text.lower().split(",")[0] for text in texts)
    assert firsts.most_common(1)[0][1] < 90
    for wording in SYNONYMS["beach"]:
        assert any(wording in text.lower() for text in texts), wording
    assert any(re.search(r"otter (wearing|with|in) .* and ", text) for text in texts)


def test_two_garments_are_named_with_their_own_colours() -> None:
    chance = random.Random("colours")
    scene = sample(
        chance, animal="fox", neck="scarf", neck_colour="red", outfit="hoodie", outfit_colour="blue", item=None
    )
    texts = [caption(scene, chance) for _ in range(200)]
    assert any("red scarf" in text and "blue hoodie" in text for text in texts)
    assert not any("blue scarf" in text or "red hoodie" in text for text in texts)


def test_parts_are_what_a_caption_is_joined_from(seen: list[Scene]) -> None:
    for number, scene in enumerate(seen[:100]):
        said = parts(scene, random.Random(number))
        fields = [field for field, _ in said]
        assert fields[0] == "animal"
        assert {field: count for field, count in Counter(fields).items() if count > 1}.keys() <= {"filler"}
        assert set(fields) <= {*CATEGORIES, "filler", "unknown"}
        text = joined(said, random.Random(number)).lower()
        assert all(words.lower() in text for _, words in said)


def test_unknown_words_mean_nothing() -> None:
    chance = random.Random(2)
    words = {unknown_word(chance) for _ in range(500)}
    assert len(words) > 200
    assert not any(says(word, value) for word in words for value in SYNONYMS)
    assert not any(spoilt(word) for word in (*words, *(filler.replace("-", " ") for filler in FILLERS)))
