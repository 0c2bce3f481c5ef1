"""Words for scenes: the captions that the model learns from, and the plain prompts that it is asked with.

A caption is a comma list in any order, in one of several wordings, with some things left out. Two rules keep what
is *not* named meaningful: a hat, an outfit or a thing held is always named, so that an unnamed one is absent; an
unnamed place is a plain background and an unnamed style a cartoon.
"""

from __future__ import annotations

import random

from .scenes import COLOURS, Combination, Scene


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SYNONYMS: dict[str, tuple[str, ...]] = {
    "otter": ("otter", "otter", "sea otter", "river otter"),
    "cat": ("cat", "cat", "kitten", "kitty"),
    "dog": ("dog", "dog", "puppy"),
    "owl": ("owl", "owl", "owlet"),
    "fox": ("fox", "fox", "red fox"),
    "bear": ("bear", "bear", "brown bear", "grizzly"),
    "rabbit": ("rabbit", "rabbit", "bunny", "hare"),
    "panda": ("panda", "panda", "panda bear"),
    "penguin": ("penguin",),
    "cowboy hat": ("cowboy hat", "cowboy hat", "cowboy hat", "stetson", "western hat"),
    "wizard hat": ("wizard hat", "wizard hat", "wizard hat", "magic hat", "pointed hat"),
    "crown": ("crown", "crown", "golden crown", "royal crown"),
    "headphones": ("headphones", "headphones", "headset"),
    "top hat": ("top hat", "top hat", "top hat", "black top hat"),
    "hoodie": ("hoodie", "hoodie", "hooded sweatshirt"),
    "denim jacket": ("denim jacket", "denim jacket", "jean jacket", "blue jeans jacket"),
    "robe": ("robe", "robe", "long robe", "cloak"),
    "suit": ("suit", "suit", "black suit", "suit and tie", "tuxedo"),
    "beach": ("beach", "beach", "at the beach", "seaside", "ocean", "palm tree"),
    "forest": ("forest", "forest", "in the forest", "woods", "trees"),
    "city": ("city", "city", "city street", "in the city", "skyscrapers", "alley", "downtown"),
    "night sky": ("night sky", "night sky", "at night", "stars", "moon", "starry night"),
    "sunset": ("sunset", "sunset", "at sunset", "sundown", "evening sun"),
    "snow": ("snow", "snow", "in the snow", "winter", "snowy landscape"),
    "cartoon": ("cartoon", "cartoon", "cartoon style", "flat illustration", "vector art"),
    "watercolor": ("watercolor", "watercolor", "watercolour", "watercolor painting", "aquarelle"),
    "pixel art": ("pixel art", "pixel art", "8 bit", "sprite", "pixelated"),
    "pencil drawing": ("pencil drawing", "pencil drawing", "pencil sketch", "sketch", "graphite"),
    "oil painting": ("oil painting", "oil painting", "oil on canvas", "painting", "brush strokes"),
    "pizza": ("pizza", "slice of pizza", "holding a pizza", "eating pizza"),
    "balloon": ("balloon", "balloon", "holding a balloon"),
    "book": ("book", "book", "reading a book", "holding a book"),
}
FILLERS = _words(
    "cute adorable happy funny beautiful detailed highly-detailed masterpiece best-quality high-quality 4k 8k "
    "hd award-winning trending-on-artstation portrait photo picture image illustration art digital-art "
    "smiling standing full-body looking-at-viewer sharp-focus soft-light colorful vibrant fluffy charming "
    "character animal cinematic professional centered concept-art dramatic-lighting bokeh depth-of-field "
    "intricate elegant epic whimsical friendly cozy tiny little big young old brave famous magnificent simple "
    "nice amazing"
)
"""Words that people add and that mean nothing here: seen with every picture, so that they do no harm."""
SYLLABLES = _words("ba ce dor el fi gan hu ith jo ka lum mer no or pri qua ri sta tun ul vex wo xan yl zem ing er ly")
LINKS = _words("a an the of in on at with wearing and holding eating reading is it its by for to from as up his her")
UNKNOWN = _words(
    "man woman girl boy car castle dragon robot tree flower house horse bird mountain river lake spaceship "
    "sword ugly blurry text watermark signature worst low quality bad anatomy hands fingers error cropped "
    "jpeg artifacts poor missing extra digit fewer username artist name person people dancing running flying "
    "sitting sleeping music guitar ball playing anime realistic photograph style hat outfit wears dressed "
    "nothing else plain background white"
)
"""Frequent words of prompts without a meaning of their own here; the tokenizer keeps them whole."""

WORDS: tuple[str, ...] = tuple(
    dict.fromkeys(
        word
        for text in (
            *(wording for wordings in SYNONYMS.values() for wording in wordings),
            *(filler.replace("-", " ") for filler in FILLERS),
            *COLOURS,
            *LINKS,
            *UNKNOWN,
            "wizard cowboy king queen winter summer day sky sun sea sand street golden grey colour color",
        )
        for word in text.split()
        if word.isalpha()
    )
)
"""What the tokenizer keeps as whole words."""


def prompt_of(what: Combination | Scene) -> str:
    """The plain prompt, as people type it: ``otter, cowboy hat, hoodie, beach, watercolor``."""
    parts = (what.animal, what.hat, what.outfit, what.item, what.place, what.style)
    return ", ".join(part for part in parts if part is not None)


def caption(scene: Scene, rng: random.Random) -> str:
    """One of the many ways to ask for the scene."""
    subject = rng.choice(SYNONYMS[scene.animal])
    worn = [_hat(scene.hat, rng), _outfit(scene, rng)]
    clothes = [words for words in worn if words]
    parts: list[str] = []
    if rng.random() < 0.35:
        subject = _article(subject, rng)
        if clothes and rng.random() < 0.6:
            link = rng.choice(("with", "wearing", "in", "wearing"))
            subject += f" {link} " + " and ".join(_article(words, rng) for words in clothes)
            clothes = []
    parts += [subject, *clothes]
    if scene.item:
        words = rng.choice(SYNONYMS[scene.item])
        named = scene.item == "balloon" and words == "balloon" and rng.random() < 0.5
        parts.append(f"{scene.item_colour} {words}" if named else words)
    if scene.place is not None:
        parts.append(rng.choice(SYNONYMS[scene.place]))
    elif rng.random() < 0.1:
        parts.append("plain background")
    if scene.style != "cartoon" or rng.random() < 0.4:
        parts.append(rng.choice(SYNONYMS[scene.style]))
    parts += _noise(rng)
    if rng.random() < 0.75:
        rng.shuffle(parts)
    text = (" " if rng.random() < 0.12 else ", ").join(parts)
    return text.capitalize() if rng.random() < 0.1 else text


def _hat(hat: str | None, rng: random.Random) -> str | None:
    if hat is None:
        return None
    if hat != "headphones" and rng.random() < 0.05:
        return "hat"  # any hat, so that --no has something to exclude
    return rng.choice(SYNONYMS[hat])


def _outfit(scene: Scene, rng: random.Random) -> str | None:
    if scene.outfit is None:
        return None
    words = rng.choice(SYNONYMS[scene.outfit])
    if scene.outfit in ("hoodie", "robe") and rng.random() < 0.5:
        return f"{scene.outfit_colour} {words}"
    return words


def _article(words: str, rng: random.Random) -> str:
    if words in ("headphones",) or rng.random() < 0.3:
        return words
    return ("an " if words[0] in "aeio" else "a ") + words


def _noise(rng: random.Random) -> list[str]:
    """Zero to three fillers, and sometimes a word that nobody knows."""
    count = rng.choice((0, 0, 0, 1, 1, 2, 3))
    words = [rng.choice(FILLERS).replace("-", " ") for _ in range(count)]
    if rng.random() < 0.12:
        words.append("".join(rng.choice(SYLLABLES) for _ in range(rng.randint(2, 4))))
    return words
