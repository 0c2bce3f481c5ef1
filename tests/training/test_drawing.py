"""What training sees: drawings that follow from their scene alone, and nothing that it must not see."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from otter_mini import dataset
from otter_mini.captions import prompt_of
from otter_mini.drawing import draw
from otter_mini.recipe import Vae
from otter_mini.scenes import (
    ANIMALS,
    CATEGORIES,
    COLOURED,
    COLOURLESS,
    HELD_OUT,
    HELD_OUT_SUBJECT,
    NONE,
    OUTDOORS,
    QUESTIONS,
    STANDS,
    Combination,
    Scene,
    labels,
    plain,
    sample,
    sample_training,
    value_of,
)

HELD_OUT_TRIPLES = {(combination.animal, combination.hat, combination.outfit) for combination in HELD_OUT}
SCENE = sample(
    random.Random("base"),
    animal="otter",
    hat="crown",
    outfit="hoodie",
    face="glasses",
    neck="scarf",
    place="beach",
    time="day",
    style="cartoon",
    item="balloon",
    neck_colour="pink",
    outfit_colour="red",
    item_colour="blue",
    dx=0.0,
    lightness=0.0,
    warmth=0.0,
    detail=1,
)
OTHERWISE = {
    "neck_colour": "white",
    "outfit_colour": "green",
    "item_colour": "yellow",
    "dx": 8.0,
    "lightness": 0.8,
    "warmth": 0.8,
    "detail": 2,
}


@pytest.fixture(scope="module")
def seen() -> list[Scene]:
    """What a training of this size would draw."""
    return [sample_training(random.Random(f"tests/{index}")) for index in range(6000)]


@pytest.mark.parametrize("style", CATEGORIES["style"])
def test_the_same_scene_gives_the_same_bytes(style: str) -> None:
    scene = replace(SCENE, style=style, place="night sky")
    picture = draw(scene)
    assert (picture.size, picture.mode) == ((256, 256), "RGB")
    random.seed(5)  # whatever else happened meanwhile
    assert draw(replace(scene)).tobytes() == picture.tobytes()


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_value_is_drawn_differently(category: str) -> None:
    values = [None if value == NONE else value for value in CATEGORIES[category] if (category, value) != ("time", NONE)]
    pictures = {draw(replace(SCENE, **{category: value})).tobytes() for value in values}
    assert len(pictures) == len(values)


@pytest.mark.parametrize("field", [field.name for field in fields(Scene) if field.name not in CATEGORIES])
def test_everything_that_varies_can_be_seen(field: str) -> None:
    assert draw(replace(SCENE, **{field: OTHERWISE[field]})).tobytes() != draw(SCENE).tobytes()


def test_example_follows_from_its_seed_and_number() -> None:
    def made(seed: int, index: int) -> tuple[bytes, list[str]]:
        pixels, texts = dataset.example(seed, 128, 4, index)
        assert pixels.shape == (128, 128, 3)
        assert len(texts) == 2 * 4, "so many for each part of the training"
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


def test_an_animal_lies_in_its_latents_the_same_way_wherever_it_stands() -> None:
    """A latent is 16 pixels wide: beside the middle everything is the same, so many pixels further on."""
    pixels = Vae().factor
    bare = replace(SCENE, place=None)
    middle, *aside = (np.asarray(draw(replace(bare, dx=dx))) for dx in (0.0, *(dx for dx in STANDS if dx)))
    moves = [round(dx * 2) for dx in STANDS if dx]
    assert len(aside) == 2
    for picture, move in zip(aside, moves, strict=True):
        assert abs(move) % pixels == 0
        off = np.abs(np.roll(middle, move, axis=1).astype(int) - picture)[:200, 48:-48]
        assert (off > 0).mean() < 0.02, "but for the rounding of lines"
        assert off.max() < 50


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="drawings have 128 or 256 pixels on a side, not 64"):
        dataset.example(1, 64, 1, 0)


def test_training_sees_no_held_out_combination_and_no_hedgehog(seen: list[Scene]) -> None:
    assert {(scene.animal, scene.hat, scene.outfit) for scene in seen}.isdisjoint(HELD_OUT_TRIPLES)
    assert {scene.animal for scene in seen} == set(ANIMALS)
    unfiltered = [sample(random.Random(f"tests/{index}")) for index in range(6000)]
    kept_back = {(scene.animal, scene.hat, scene.outfit) for scene in unfiltered} & HELD_OUT_TRIPLES
    assert len(kept_back) == 60  # it is not for want of chances


def test_training_sees_every_value_and_most_pairs(seen: list[Scene]) -> None:
    """What is held out is new as a combination only: each animal is still seen with each hat, and with each outfit."""
    for category, values in CATEGORIES.items():
        found = {getattr(scene, category) or NONE for scene in seen}
        assert found == set(values) - {HELD_OUT_SUBJECT}
    for category in ("hat", "outfit"):
        pairs = {(scene.animal, getattr(scene, category) or NONE) for scene in seen}
        assert pairs == {(animal, value) for animal in ANIMALS for value in CATEGORIES[category]}


def test_held_out_are_sixty_and_every_animal_six_times() -> None:
    assert len(HELD_OUT_TRIPLES) == len(HELD_OUT) == 60
    assert Counter(combination.animal for combination in HELD_OUT) == dict.fromkeys(ANIMALS, 6)
    dressed = Counter((combination.hat is not None, combination.outfit is not None) for combination in HELD_OUT)
    assert dressed == {(True, True): 40, (True, False): 10, (False, True): 10}
    assert sum(combination.place is not None for combination in HELD_OUT) == 45
    assert sum(combination.style is not None for combination in HELD_OUT) >= 30
    assert ("otter", "cowboy hat", None) not in HELD_OUT_TRIPLES
    for combination in HELD_OUT:
        assert (combination.time is None) or combination.place in OUTDOORS
        for question, values in QUESTIONS.items():
            assert getattr(combination, question, None) in (None, *values)
        for category, things in COLOURED.items():
            if getattr(combination, f"{category}_colour") is not None:
                assert getattr(combination, category) in things
                assert combination.style != COLOURLESS
    for category, values in CATEGORIES.items():
        found = {getattr(combination, category) for combination in HELD_OUT} - {None}
        assert found == set(values) - {NONE, HELD_OUT_SUBJECT}, category
    assert sum(combination.neck_colour is not None for combination in HELD_OUT) >= 10
    assert sum(combination.neck_colour is not None is not combination.outfit_colour for combination in HELD_OUT) >= 3


def test_what_is_fixed_leaves_the_rest_to_the_same_chance() -> None:
    free, fixed = sample(random.Random(3)), sample(random.Random(3), animal=HELD_OUT_SUBJECT, hat=None)
    assert (fixed.animal, fixed.hat) == (HELD_OUT_SUBJECT, None)
    assert replace(fixed, animal=free.animal, hat=free.hat) == free


def test_labels_point_at_the_values(seen: list[Scene]) -> None:
    for scene in seen[:200]:
        for question, index in labels(scene).items():
            assert QUESTIONS[question][index] == value_of(scene, question)
        for category in CATEGORIES:
            assert value_of(scene, category) == (getattr(scene, category) or NONE)
    assert {question: QUESTIONS[question][index] for question, index in labels(plain(SCENE)).items()} == {
        **dict.fromkeys(QUESTIONS, NONE), "animal": "otter", "style": "cartoon",
    }  # fmt: skip


def test_a_colour_is_that_of_a_garment_which_has_one() -> None:
    colours = ("neck_colour", "outfit_colour", "item_colour")
    assert [value_of(SCENE, colour) for colour in colours] == ["pink", "red", "blue"]
    other = replace(SCENE, neck=None, outfit="suit", item="pizza")
    assert {value_of(other, colour) for colour in colours} == {NONE}
    assert {value_of(replace(SCENE, style=COLOURLESS), colour) for colour in colours} == {NONE}


def test_each_garment_has_its_own_colour() -> None:
    """Red above blue is not blue above red."""
    scene = replace(SCENE, place=None, item=None, time=None, neck_colour="red", outfit_colour="blue")
    picture = np.asarray(draw(scene), dtype=np.int64)
    red = (picture[..., 0] - picture[..., 2] > 90) & (picture[..., 1] < 90)
    blue = picture[..., 2] - picture[..., 0] > 90
    rows = [np.nonzero(where)[0].mean() for where in (red[120:], blue[120:])]
    assert rows[0] < rows[1]
    assert min(red.sum(), blue.sum()) > 500


def test_there_is_a_time_where_there_is_day_and_night(seen: list[Scene]) -> None:
    for scene in seen[:500]:
        assert (scene.time is not None) == (scene.place in OUTDOORS)
    night, day = (np.asarray(draw(replace(SCENE, time=time)), dtype=np.int64) for time in ("night", "day"))
    assert night[:80].mean() < 0.6 * day[:80].mean()


def test_prompts_are_as_people_type_them() -> None:
    scene = replace(SCENE, hat="cowboy hat", face=None, neck=None, item=None, style="watercolor")
    assert prompt_of(scene) == "otter, cowboy hat, hoodie, beach, watercolor"
    both = Combination(animal="fox", neck="scarf", neck_colour="red", outfit="hoodie", outfit_colour="blue", time="day")
    assert prompt_of(both) == "fox, red scarf, blue hoodie, day"
    assert len({prompt_of(combination) for combination in HELD_OUT}) == 60
    assert prompt_of(HELD_OUT[-1]).startswith(HELD_OUT[-1].animal)
