"""Words for scenes: the captions that the model learns from, and the plain prompts that it is asked with.

A caption is a comma list in any order or a short sentence, in one of several wordings, with some things left out. Two
rules keep what is *not* named meaningful where an animal is named: a hat, glasses, an outfit, or a thing held is always
named, so that an unnamed one is absent; an unnamed place is a plain background, an unnamed time day and an unnamed
style a cartoon. A caption without an animal says nothing about what it leaves out: such are negative prompts.
"""

from __future__ import annotations

import random

from .scenes import CATEGORIES, COLOURED, COLOURS, Combination, Scene
from .spoiling import STANDARD_NEGATIVE, WORDINGS, Spoiling
from .spoiling import words as spoilt_words
from .vocabulary import FILLERS, LINKS, PHRASES, SYLLABLES, SYNONYMS, UNKNOWN

Part = tuple[str, str]
"""The category of ``scenes.CATEGORIES`` (or ``quality``, ``filler``, ``unknown``) and its words."""
WORN = ("hat", "face", "neck", "outfit")
FOREIGN = ("привет", "さくら", "海", "bonjour", "čaj", "🌸", "💚", "café", "über", "42", "schön", "música")
"""Words of other languages and alphabets; none that names what can be drawn."""
WITHOUT_ANIMAL, WITHOUT_ANIMAL_LATE = 0.1, 0.15
"""Share of the captions that name things, styles or qualities alone, as negative prompts do; at last, more of them."""
COLOUR_NAMED, COLOUR_NAMED_LATE = 0.6, 0.9
"""Share of the coloured things whose colour is named: what comes in eight colours and is not said to have one teaches
none, but a model that had it named so often from the beginning never learned glasses."""

WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        word
        for text in (
            *(wording for wordings in SYNONYMS.values() for wording in wordings),
            *(wording for wordings in PHRASES.values() for wording in wordings),
            *(filler.replace("-", " ") for filler in FILLERS),
            *COLOURS,
            *LINKS,
            *UNKNOWN,
            *(wording for wordings in WORDINGS.values() for wording in wordings),
            STANDARD_NEGATIVE.replace(",", ""),
            "wizard cowboy king queen winter summer day sky sun sea sand street golden grey colour color quality",
        )
        for word in text.split()
        if word.isalpha()
    )
)
"""What the tokenizer keeps as whole words."""


def prompt_of(what: Combination | Scene) -> str:
    """The plain prompt, as people type it: ``otter, cowboy hat, red scarf, hoodie, beach, watercolor``. Of a scene, the
    colours are left out."""
    parts = []
    for category in CATEGORIES:
        value = getattr(what, category)
        colour = getattr(what, f"{category}_colour", None) if isinstance(what, Combination) else None
        if value is not None and not (category == "time" and value == "day" and isinstance(what, Scene)):
            parts.append(f"{colour} {value}" if colour else value)
    return ", ".join(parts)


def caption(scene: Scene, rng: random.Random, spoiling: Spoiling | None = None, *, late: bool = True) -> str:
    """One of the many ways to ask for the scene; ``late``: for the second part of the training."""
    said = parts(scene, rng, spoiling, colours=COLOUR_NAMED_LATE if late else COLOUR_NAMED)
    few = WITHOUT_ANIMAL_LATE if late else WITHOUT_ANIMAL
    alone = rng.random() < (few if spoiling is None else 0.5)
    return joined(_without_animal(said, rng) if alone else said, rng)


def naming(scene: Scene, rng: random.Random) -> str:
    """A caption that names the animal, and with it everything that is there."""
    return joined(parts(scene, rng), rng)


def parts(
    scene: Scene, rng: random.Random, spoiling: Spoiling | None = None, *, colours: float = COLOUR_NAMED_LATE
) -> list[Part]:
    """What a caption says, in the order of the categories; every category once at most."""
    said = [(category, _words(scene, category, rng, colours)) for category in CATEGORIES]
    found = [(category, words) for category, words in said if words is not None]
    if spoiling is not None:
        found += [("quality", words) for words in spoilt_words(spoiling, rng)]
    return found + _noise(rng)


def joined(said: list[Part], rng: random.Random) -> str:
    """The parts as a list in any order, or as a sentence where they name an animal."""
    order = list(said)
    shuffled, sentence, spaces, capital = (rng.random() for _ in range(4))
    rng.shuffle(order)
    if shuffled > 0.75:
        order = list(said)
    if sentence < 0.35 and any(field == "animal" for field, _ in said):
        text = _sentence(said, order, rng)
    else:
        text = (" " if spaces < 0.12 else ", ").join(words for _, words in order)
    return text.capitalize() if capital < 0.1 else text


def unknown_word(rng: random.Random) -> str:
    """A word that means nothing here: made up, seldom of another alphabet or a picture."""
    if rng.random() < 0.15:
        return rng.choice(FOREIGN)
    if rng.random() < 0.4:
        return rng.choice(UNKNOWN)
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4)))


def _words(scene: Scene, category: str, rng: random.Random, colours: float) -> str | None:
    """How the category is named; ``None`` where it is not."""
    value = getattr(scene, category)
    if category == "place" and value is None:
        return "plain background" if rng.random() < 0.1 else None
    if value is None or (category == "style" and value == "cartoon" and rng.random() < 0.6):
        return None
    if value == "day" and rng.random() < 0.7:
        return None
    if category == "hat" and value != "headphones" and rng.random() < 0.05:
        return "hat"  # any hat, so that --no has something to exclude
    words = rng.choice(SYNONYMS[value])
    if value in COLOURED.get(category, ()) and rng.random() < colours:
        colour = getattr(scene, f"{category}_colour")
        return f"{'grey' if colour == 'gray' and rng.random() < 0.3 else colour} {words}"
    return words


def _without_animal(said: list[Part], rng: random.Random) -> list[Part]:
    """One or two of the parts, or all but the animal; of a spoilt picture often its quality words alone."""
    rest = [part for part in said if part[0] != "animal"]
    quality = [part for part in rest if part[0] == "quality"]
    if quality and rng.random() < 0.6:
        return quality
    if not rest:
        return [("unknown", unknown_word(rng))]
    count = rng.choice((1, 1, 1, 2, 2, len(rest)))
    # What spoils a picture is always said.
    return quality + rng.sample([part for part in rest if part not in quality], min(count, len(rest) - len(quality)))


def _sentence(said: list[Part], order: list[Part], rng: random.Random) -> str:
    """``An otter wearing a red scarf and a hoodie, eating pizza at the beach, watercolor``."""
    named = dict(said)
    subject = _article(named["animal"], rng)
    text = f"{rng.choice(PHRASES['opening'])} {subject}" if rng.random() < 0.3 else subject
    worn = [_article(words, rng) for field, words in order if field in WORN]
    if worn:
        text += f" {rng.choice(('with', 'wearing', 'in', 'wearing'))} " + " and ".join(worn)
    if item := named.get("item"):
        text += (
            f" {item}"
            if item.split()[0] in PHRASES["doing"]
            else f" {rng.choice(('with', 'holding'))} " + _article(item, rng)
        )
    rest = []
    for field in ("place", "time"):
        if words := named.get(field):
            if words.split()[0] in PHRASES["where"]:
                text += f" {words}"
            else:
                rest.append(words)
    rest += [words for field, words in order if field not in (*WORN, "animal", "item", "place", "time")]
    return ", ".join([text, *rest])


def _article(words: str, rng: random.Random) -> str:
    if words.endswith("s") or rng.random() < 0.25:
        return words
    return ("an " if words[0] in "aeiou" else "a ") + words


def _noise(rng: random.Random) -> list[Part]:
    """Zero to three fillers, and sometimes a word that nobody knows."""
    count = rng.choice((0, 0, 0, 1, 1, 2, 3))
    found = [("filler", rng.choice(FILLERS).replace("-", " ")) for _ in range(count)]
    if rng.random() < 0.15:
        found.append(("unknown", unknown_word(rng)))
    return found
