"""What training sees: drawings that follow from their scene alone, and nothing that it must not see."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from otter_mini import dataset
from otter_mini.captions import SYNONYMS, caption, prompt_of
from otter_mini.drawing import draw
from otter_mini.scenes import (
    ANIMALS,
    CATEGORIES,
    HELD_OUT,
    NONE,
    PENGUIN,
    Scene,
    labels,
    plain,
    sample,
    sample_training,
)

HELD_OUT_TRIPLES = {(combination.animal, combination.hat, combination.outfit) for combination in HELD_OUT}
SCENE = sample(
    random.Random("base"),
    animal="otter",
    hat="crown",
    outfit="hoodie",
    place="beach",
    style="cartoon",
    item="balloon",
    outfit_colour="red",
    item_colour="blue",
    dx=0.0,
    dy=0.0,
    scale=1.0,
    lightness=0.0,
    warmth=0.0,
    detail=1,
)
OTHERWISE = {
    "outfit_colour": "green",
    "item_colour": "yellow",
    "dx": 4.0,
    "dy": 2.0,
    "scale": 0.92,
    "lightness": 0.8,
    "warmth": 0.8,
    "detail": 2,
}


@pytest.fixture(scope="module")
def seen() -> list[Scene]:
    """What a training of this size would draw."""
    return [sample_training(random.Random(f"tests/{index}")) for index in range(6000)]


def says(text: str, value: str) -> bool:
    """Whether a caption names the value in one of its wordings."""
    return any(re.search(rf"\b{re.escape(words)}\b", text.lower()) for words in SYNONYMS[value])


@pytest.mark.parametrize("style", CATEGORIES["style"])
def test_the_same_scene_gives_the_same_bytes(style: str) -> None:
    scene = replace(SCENE, style=style, place="night sky")
    picture = draw(scene)
    assert (picture.size, picture.mode) == ((256, 256), "RGB")
    random.seed(5)  # whatever else happened meanwhile
    assert draw(replace(scene)).tobytes() == picture.tobytes()


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_value_is_drawn_differently(category: str) -> None:
    values = [None if value == NONE else value for value in CATEGORIES[category]]
    pictures = {draw(replace(SCENE, **{category: value})).tobytes() for value in values}
    assert len(pictures) == len(values)


@pytest.mark.parametrize("field", [field.name for field in fields(Scene) if field.name not in CATEGORIES])
def test_everything_that_varies_can_be_seen(field: str) -> None:
    assert draw(replace(SCENE, **{field: OTHERWISE[field]})).tobytes() != draw(SCENE).tobytes()


def test_example_follows_from_its_seed_and_number() -> None:
    def made(seed: int, index: int) -> tuple[bytes, list[str]]:
        pixels, texts = dataset.example(seed, 128, 4, index)
        assert pixels.shape == (128, 128, 3)
        assert len(texts) == 4
        return pixels.tobytes(), texts

    assert made(1, 7) == made(1, 7)
    for other in (made(2, 7), made(1, 8)):
        assert other[0] != made(1, 7)[0]
        assert other[1] != made(1, 7)[1]


@pytest.mark.parametrize("style", CATEGORIES["style"])
def test_the_larger_size_shows_the_same_picture_with_more_detail(style: str) -> None:
    scene = replace(SCENE, style=style)
    large, small = (np.asarray(draw(scene, size=size), dtype=np.float64) for size in (256, 128))
    halved = large.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 6
    if style != "pixel art":  # its squares are as large as before
        doubled = small.repeat(2, axis=0).repeat(2, axis=1)
        assert np.abs(large - doubled).mean() > np.abs(halved - small).mean()


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="drawings have 128 or 256 pixels on a side, not 64"):
        dataset.example(1, 64, 1, 0)


def test_training_sees_no_held_out_combination_and_no_penguin(seen: list[Scene]) -> None:
    assert {(scene.animal, scene.hat, scene.outfit) for scene in seen}.isdisjoint(HELD_OUT_TRIPLES)
    assert {scene.animal for scene in seen} == set(ANIMALS)
    unfiltered = [sample(random.Random(f"tests/{index}")) for index in range(6000)]
    kept_back = {(scene.animal, scene.hat, scene.outfit) for scene in unfiltered} & HELD_OUT_TRIPLES
    assert len(kept_back) == 40  # it is not for want of chances


def test_training_sees_every_value_and_most_pairs(seen: list[Scene]) -> None:
    """What is held out is new as a combination only: each animal is still seen with each hat, and with each outfit."""
    for category, values in CATEGORIES.items():
        found = {getattr(scene, category) or NONE for scene in seen}
        assert found == set(values) - {PENGUIN}
    for category in ("hat", "outfit"):
        pairs = {(scene.animal, getattr(scene, category) or NONE) for scene in seen}
        assert pairs == {(animal, value) for animal in ANIMALS for value in CATEGORIES[category]}


def test_held_out_are_forty_and_every_animal_five_times() -> None:
    assert len(HELD_OUT_TRIPLES) == len(HELD_OUT) == 40
    assert Counter(combination.animal for combination in HELD_OUT) == dict.fromkeys(ANIMALS, 5)
    dressed = Counter((combination.hat is not None, combination.outfit is not None) for combination in HELD_OUT)
    assert dressed == {(True, True): 24, (True, False): 8, (False, True): 8}
    assert sum(combination.place is not None for combination in HELD_OUT) == 30
    assert sum(combination.style is not None for combination in HELD_OUT) >= 24
    assert ("otter", "cowboy hat", None) not in HELD_OUT_TRIPLES
    for combination in HELD_OUT:
        assert combination.item is None
        for category, values in CATEGORIES.items():
            assert getattr(combination, category) in (None, *values)


def test_what_is_fixed_leaves_the_rest_to_the_same_chance() -> None:
    free, fixed = sample(random.Random(3)), sample(random.Random(3), animal=PENGUIN, hat=None)
    assert (fixed.animal, fixed.hat) == (PENGUIN, None)
    assert replace(fixed, animal=free.animal, hat=free.hat) == free


def test_labels_point_at_the_values(seen: list[Scene]) -> None:
    for scene in seen[:200]:
        for category, index in labels(scene).items():
            assert CATEGORIES[category][index] == (getattr(scene, category) or NONE)
    assert set(labels(plain(SCENE)).items()) == {
        (category, CATEGORIES[category].index({"animal": "otter", "style": "cartoon"}.get(category, NONE)))
        for category in CATEGORIES
    }


def test_captions_name_what_is_there_and_nothing_else(seen: list[Scene]) -> None:
    chance = random.Random("captions")
    any_hat = 0
    for scene in seen[:3000]:
        text = caption(scene, chance)
        assert says(text, scene.animal), text
        assert not says(text, PENGUIN), text
        for category in ("hat", "outfit", "item", "place"):
            there = getattr(scene, category)
            named = {value for value in CATEGORIES[category] if value != NONE and says(text, value)}
            if category == "hat" and there and not named:
                assert re.search(r"\bhat\b", text.lower()), text
                assert there != "headphones"
                any_hat += 1
                continue
            assert named == ({there} if there else set()), text
        if scene.style != "cartoon":
            assert says(text, scene.style), text
    assert 0 < any_hat < 0.05 * 3000


def test_captions_vary_in_order_and_words() -> None:
    chance = random.Random("wordings")
    texts = [caption(SCENE, chance) for _ in range(200)]
    assert len(set(texts)) > 190
    firsts = Counter(text.lower().split(",")[0] for text in texts)
    assert firsts.most_common(1)[0][1] < 60
    for wording in SYNONYMS["beach"]:
        assert any(wording in text.lower() for text in texts), wording


def test_prompts_are_as_people_type_them() -> None:
    scene = replace(SCENE, hat="cowboy hat", item=None, style="watercolor")
    assert prompt_of(scene) == "otter, cowboy hat, hoodie, beach, watercolor"
    assert len({prompt_of(combination) for combination in HELD_OUT}) == 40
    assert prompt_of(HELD_OUT[-1]).startswith(HELD_OUT[-1].animal)
