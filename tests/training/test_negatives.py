"""What a negative prompt takes away is decided by words, and a model learns to draw what is left."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from otter_mini import diffusion, negatives, negatives_training, tokenizer
from otter_mini.few_shot import same_bytes
from otter_mini.negatives import Case, cases
from otter_mini.recipe import Recipe
from otter_mini.scenes import ANIMALS, CATEGORIES, sample_training
from otter_mini.spoiling import STANDARD_NEGATIVE, sample
from otter_mini.vocabulary import LINKS, PHRASES, SYNONYMS

MANY = 3000


@pytest.fixture(scope="module", autouse=True)
def reproducible() -> Iterator[None]:
    with same_bytes(1):
        yield


def every() -> list[Case]:
    rng = random.Random(1)
    return [
        case
        for number in range(MANY)
        for case in cases(sample_training(rng), sample(rng) if number % 8 == 0 else None, rng, 1)
    ]


@pytest.fixture(scope="module")
def many() -> list[Case]:
    return every()


def words(text: str) -> list[str]:
    return sorted(text.lower().replace(",", " ").split())


def named(text: str, category: str) -> bool:
    """Whether a value of the category is called by one of its names."""
    parts = {part.strip() for part in text.lower().split(",")}
    return any(name in parts for value in CATEGORIES[category] for name in SYNONYMS.get(value, ()))


def test_the_same_chance_gives_the_same_cases(many: list[Case]) -> None:
    assert every() == many
    assert len(set(many)) > 0.99 * MANY


def test_what_is_left_is_the_prompt_without_some_words(many: list[Case]) -> None:
    """Apart from the small words of a sentence."""
    small = {word for text in (*LINKS, *PHRASES["opening"]) for word in words(text)}
    for case in many:
        assert not set(words(case.kept)) - set(words(case.prompt)) - small, case
    same = sum(case.kept == case.prompt for case in many)
    assert 0.3 * MANY < same < 0.6 * MANY


def test_what_the_negative_names_is_not_left(many: list[Case]) -> None:
    """Where it could be told: written as a part of its own."""
    gone = 0
    for case in many:
        for category in negatives.REMOVABLE:
            if named(case.negative, category) and not named(case.prompt, category):
                assert not named(case.kept, category), case
            gone += named(case.negative, category) and named(case.prompt, category) and not named(case.kept, category)
    assert gone > 0.25 * MANY


def test_prompts_of_things_are_often_short(many: list[Case]) -> None:
    """As people write them; what is taken away is never what was left out."""
    lengths = [len(words(case.prompt)) for case in many if case.kept != case.prompt]
    assert sum(length <= 8 for length in lengths) > 0.4 * len(lengths)
    assert sum(length > 12 for length in lengths) > 0.1 * len(lengths)


def test_a_thing_is_taken_away_where_the_picture_shows_it() -> None:
    """Else it would be taken from every picture: the model sees the picture, and not the prompt."""
    rng = random.Random("shown")
    for _ in range(600):
        scene = sample_training(rng)
        (case,) = cases(scene, None, rng, 1)
        shown = {field for field in negatives.REMOVABLE if getattr(scene, field) not in (None, *negatives.USUAL)}
        alike = {name for field in shown for name in SYNONYMS[getattr(scene, field)]}
        asked = {part.strip() for part in case.negative.split(",")}
        assert bool(asked & alike) == (case.kept != case.prompt), (scene, case)
        assert (case.strength > 1) == (case.kept != case.prompt)


def test_small_things_count_as_much_as_large_ones() -> None:
    """By what they change; where a negative names nothing, its error counts as it is."""
    changed = torch.tensor([0.05, 0.77, 0.0]).sqrt()[:, None, None, None].expand(3, 4, 16, 16)
    weights = negatives_training.importance(changed, torch.tensor([True, True, False]))
    assert weights[0] > 5 * weights[1]
    assert weights[2] == 1
    assert (weights[:2] * torch.tensor([0.05, 0.77])).max() < 0.15


def test_noisy_steps_are_learned_more_often() -> None:
    times = negatives_training.times_of(1000, torch.Generator().manual_seed(1))
    assert times.min() >= 0
    assert times.max() < diffusion.TIME_STEPS
    assert 730 < (times >= 500).sum() < 770


def test_no_animal_is_taken_away(many: list[Case]) -> None:
    names = re.compile("|".join(rf"\b{name}\b" for animal in ANIMALS for name in SYNONYMS[animal]))
    for case in many:
        assert names.search(case.prompt.lower()), case
        assert names.search(case.kept.lower()), case


def test_negatives_are_of_every_kind(many: list[Case]) -> None:
    texts = [case.negative for case in many]
    assert all(texts), "an empty one teaches nothing"
    assert 0.03 * MANY < texts.count(STANDARD_NEGATIVE) < 0.2 * MANY
    for category in negatives.REMOVABLE:
        assert sum(named(text, category) for text in texts) > 0.02 * MANY, category
    known = {word for word in tokenizer_words() if word.isalpha()}
    assert sum(not set(words(text)) & known for text in texts) > 0.03 * MANY, "words that nobody knows"


def tokenizer_words() -> tuple[str, ...]:
    from otter_mini.captions import WORDS

    return WORDS


class ByHeart(torch.nn.Module):
    """A model that has an answer of its own to each text, whatever it sees: so every target can be reached."""

    def __init__(self, texts: Any) -> None:
        super().__init__()
        self.rows = {tuple(text): row for row, text in enumerate(texts.tolist())}
        self.answers = torch.nn.Parameter(torch.randn(len(self.rows), 4))

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        rows = [self.rows[tuple(text)] for text in prompts.tolist()]
        return self.answers[rows][:, :, None, None].expand_as(noisy)


def test_it_learns_to_draw_what_is_left(tmp_path: Path) -> None:
    """By the formula of guidance; and without a negative, what it drew before."""
    tiny = Recipe.tiny()
    of_24 = replace(tiny.data, pictures=24)
    recipe = replace(tiny, data=of_24, negatives=replace(tiny.negatives, batch=8, pictures=24, cases=1))
    vocabulary = tokenizer.make(tmp_path / "words")
    texts, strengths = negatives_training.texts_of(recipe, vocabulary)
    assert (texts.shape, strengths.shape) == ((24, 1, 3, 77), (24, 1))
    assert strengths.max() > 1
    texts = texts[np.unique(texts[:, 0, 1], axis=0, return_index=True)[1]]  # what is said twice has two answers
    blank = diffusion.tokens_of([[""]], vocabulary)[0, 0].astype(np.int64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        both: Any = ByHeart(np.unique(np.concatenate([texts.reshape(-1, 77), blank[None]]), axis=0))
        teacher = copy.deepcopy(both)
        latents = torch.randn(24, 4, 2, 2)
    loss_of = negatives_training.loss_function(
        recipe, both, latents, texts, torch.ones(len(texts), 1), blank, torch.device("cpu")
    )
    prompt, negative, kept = torch.from_numpy(texts[:, 0]).long().unbind(1)
    empty = torch.as_tensor(blank).expand_as(prompt)
    assert (prompt != kept).any()

    def guided(model: Any, wanted: torch.Tensor, unwanted: torch.Tensor) -> torch.Tensor:
        noisy, times = torch.zeros(len(wanted), 4, 1, 1), torch.zeros(len(wanted))
        base = model(noisy, times, unwanted)
        result: torch.Tensor = base + recipe.negatives.guidance * (model(noisy, times, wanted) - base)
        return result.detach()

    goal = guided(teacher, kept, empty)
    before = (guided(both, prompt, negative) - goal).square().mean()
    optimiser = torch.optim.Adam(both.parameters(), lr=0.05)
    for step in range(300):
        loss_of(step)[0].backward()
        optimiser.step()
        optimiser.zero_grad()
    assert (guided(both, prompt, negative) - goal).square().mean() < 0.01 * before
    for words_kept in (prompt, kept):
        moved = guided(both, words_kept, empty) - guided(teacher, words_kept, empty)
        assert moved.square().mean() < 0.001 * before
