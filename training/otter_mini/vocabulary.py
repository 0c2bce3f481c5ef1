"""The words that captions are made of. Free of torch and PIL."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SYNONYMS: dict[str, tuple[str, ...]] = {
    "otter": ("otter", "otter", "sea otter", "river otter"),
    "cat": ("cat", "cat", "kitten", "kitty"),
    "dog": ("dog", "dog", "puppy", "doggo"),
    "owl": ("owl", "owl", "owlet"),
    "fox": ("fox", "fox", "red fox"),
    "bear": ("bear", "bear", "brown bear", "grizzly"),
    "rabbit": ("rabbit", "rabbit", "bunny", "hare"),
    "panda": ("panda", "panda", "panda bear"),
    "penguin": ("penguin", "penguin", "emperor penguin"),
    "robot": ("robot", "robot", "android", "droid"),
    "hedgehog": ("hedgehog",),
    "cowboy hat": ("cowboy hat", "cowboy hat", "cowboy hat", "stetson", "western hat"),
    "wizard hat": ("wizard hat", "wizard hat", "wizard hat", "magic hat", "pointed hat"),
    "crown": ("crown", "crown", "golden crown", "royal crown"),
    "headphones": ("headphones", "headphones", "headset"),
    "top hat": ("top hat", "top hat", "top hat", "black top hat"),
    "glasses": ("glasses", "glasses", "eyeglasses", "spectacles"),
    "scarf": ("scarf", "scarf", "scarf", "knitted scarf", "shawl"),
    "bow tie": ("bow tie", "bow tie", "bowtie"),
    "hoodie": ("hoodie", "hoodie", "hooded sweatshirt"),
    "denim jacket": ("denim jacket", "denim jacket", "jean jacket", "blue jeans jacket"),
    "robe": ("robe", "robe", "long robe", "cloak"),
    "suit": ("suit", "suit", "black suit", "tuxedo"),
    "pizza": ("pizza", "pizza", "slice of pizza", "holding a pizza", "eating pizza"),
    "balloon": ("balloon", "balloon", "party balloon"),
    "book": ("book", "book", "reading a book", "holding a book"),
    "umbrella": ("umbrella", "umbrella", "parasol"),
    "guitar": ("guitar", "guitar", "playing guitar", "playing the guitar", "acoustic guitar"),
    "beach": ("beach", "beach", "at the beach", "on the beach", "seaside", "ocean", "palm tree"),
    "forest": ("forest", "forest", "in the forest", "in the woods", "woods", "trees"),
    "city": ("city", "city", "city street", "in the city", "skyscrapers", "alley", "downtown"),
    "night sky": ("night sky", "night sky", "under the stars", "stars", "moon", "starry night", "starry sky"),
    "sunset": ("sunset", "sunset", "at sunset", "sundown", "evening sun"),
    "snow": ("snow", "snow", "in the snow", "winter", "snowy landscape"),
    "kitchen": ("kitchen", "kitchen", "in the kitchen", "in a kitchen"),
    "space": ("space", "space", "in space", "outer space", "galaxy", "among the planets", "planets"),
    "day": ("day", "daytime", "daylight", "by day", "sunny day"),
    "night": ("night", "at night", "at night", "by night", "nighttime"),
    "cartoon": ("cartoon", "cartoon", "cartoon style", "flat illustration", "vector art"),
    "watercolor": ("watercolor", "watercolor", "watercolour", "watercolor painting", "aquarelle"),
    "pixel art": ("pixel art", "pixel art", "8 bit", "sprite", "pixelated"),
    "pencil drawing": ("pencil drawing", "pencil drawing", "pencil sketch", "sketch", "graphite"),
    "oil painting": ("oil painting", "oil painting", "oil on canvas", "painting", "brush strokes"),
}
"""By value of a category, its wordings; the plain one more often."""
PHRASES: dict[str, tuple[str, ...]] = {
    "opening": ("a picture of", "a drawing of", "draw", "draw me", "a photo of", "picture of", "please draw", "i want"),
    "doing": ("holding", "eating", "reading", "playing"),
    "where": ("at", "in", "on", "under", "by"),
}
"""What a sentence begins with, and how it tells wordings that need no "with" or comma before them."""
FILLERS = _words(
    "cute adorable happy funny beautiful detailed highly-detailed masterpiece best-quality high-quality 4k 8k "
    "hd award-winning trending-on-artstation portrait photo picture image illustration art digital-art "
    "smiling standing full-body looking-at-viewer sharp-focus soft-light colorful vibrant fluffy charming "
    "character animal cinematic professional centered concept-art dramatic-lighting bokeh depth-of-field "
    "intricate elegant epic whimsical friendly cozy tiny little big young old brave famous magnificent simple "
    "nice amazing ultra-detailed absurdres very-cute sharp cool stylish lovely perfect good-anatomy"
)
"""Words that people add and that mean nothing here: seen with every picture, so that they do no harm."""
SYLLABLES = _words("ba ce dor el fi gan hu ith jo ka lum mer no or pri qua ri sta tun ul vex wo xan yl zem ing er ly")
LINKS = _words(
    "a an the of in on at with wearing and holding eating reading playing is it its by for to from as up his "
    "her under me please draw i want drawing wears dressed style hat outfit nothing else plain background"
)
UNKNOWN = _words(
    "man woman girl boy car castle dragon flower horse bird mountain river lake spaceship sword hand hands "
    "fingers person people dancing running flying sitting sleeping music ball anime realistic photograph rain "
    "fire train boat shoes gloves cake coffee computer sofa window garden bridge wings tail ears teeth nsfw "
    "nude blood frame border duplicate monochrome"
)
"""Frequent words of prompts without a meaning of their own here; the tokenizer keeps them whole."""
