"""What a picture shows, and prompts by which one like it may be drawn: asked of a model, and read out of its answer.

A model's words are nobody's friend: each becomes one line without markup, flags, LoRAs and mentions, of a bounded
length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .records import Message

MOST_CHARACTERS = 300
PROMPTS = 3
READ = 20_000
"""Characters of an answer that are looked at."""

_ASK = """Look at the picture. Answer with exactly four lines and nothing else:
ALT: one or two plain sentences that tell somebody who cannot see the picture what it shows
1: a prompt for an image generator that draws the same scene: subject, surroundings, light, style, separated by commas
2: a prompt for the same subject in another place or at another time
3: a prompt for the same subject in another style of art
Write each prompt in English, in 10 to 40 words, without any explanation."""

_ALT = re.compile(r"\A(?:alt(?:[ -]?text)?|description|caption)\s*[:：\-–—]\s*(?P<said>.*)\Z", re.IGNORECASE)
_NUMBERED = re.compile(r"\A(?:prompt\s*)?#?(?P<number>[1-9])\s*(?:[.):：\-–—]|\s)\s*(?P<said>.*)\Z", re.IGNORECASE)
_LISTED = re.compile(r"\A[-*•–]\s+(?P<said>.+)\Z")
_LABEL = re.compile(r"\A(?:prompt|option|variation|same scene)(?:\s*#?\d)?\s*[:：]\s*", re.IGNORECASE)
_LORA = re.compile(r"<(?:lora|lyco|hypernet)[^<>]{0,200}>", re.IGNORECASE)
_FLAG = re.compile(r"(?<!\S)(?:--+|[–—])(?=\w)")
_MENTION = re.compile(r"@(?=\w)|(?<!\S)@")
_MARKS = "*_`\"'“”‘’«»#> \t"
_NEVER_SHOWN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, kw_only=True)
class Described:
    alt: str
    prompts: tuple[str, ...]
    """One to three."""


def question(image: str) -> list[Message]:
    """``image``: a file in base64."""
    return [{"role": "user", "content": _ASK, "images": [image]}]


def read(answer: str) -> Described | None:
    """What a language model has answered, in whatever form it did; ``None``: nothing that could be shown."""
    answer = answer[:READ]
    alt, prompts = _from_json(answer) or _from_lines(answer)
    return _made(alt, prompts)


def from_captions(captions: Sequence[str]) -> Described | None:
    """What a captioner has said, from short to long: the middle one is for people, and each may be drawn."""
    said = [text for text in map(clean, captions) if text]
    return _made(said[min(1, len(said) - 1)], said) if said else None


def clean(text: str, *, most: int = MOST_CHARACTERS) -> str:
    """One line that can stand in a message and be drawn: no marks around it, no flags, LoRAs or mentions in it."""
    text = " ".join(_NEVER_SHOWN.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).split())
    text = _MENTION.sub("", _FLAG.sub("", _LORA.sub("", text)))
    text = text.replace("**", "").replace("__", "").replace("\ufffd", "").replace("`", "")
    text = " ".join(text.split()).strip(_MARKS)
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"


def _made(alt: str, prompts: Sequence[str]) -> Described | None:
    shown = list(dict.fromkeys(text for text in map(clean, prompts) if _says_something(text)))[:PROMPTS]
    alt = clean(alt)
    if not _says_something(alt):
        alt = shown[0] if shown else ""
    if not alt:
        return None
    return Described(alt=alt, prompts=tuple(shown or [alt]))


def _says_something(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _from_json(answer: str) -> tuple[str, list[str]] | None:
    start, end = answer.find("{"), answer.rfind("}")
    if not 0 <= start < end:
        return None
    try:
        found: Any = json.loads(answer[start : end + 1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    lowered = {str(name).lower(): value for name, value in found.items()}
    alt = next((lowered[name] for name in ("alt", "alt_text", "description") if isinstance(lowered.get(name), str)), "")
    prompts = lowered.get("prompts")
    if not isinstance(prompts, list):
        prompts = [lowered.get(name) for name in ("1", "2", "3")]
    words = [one for one in prompts if isinstance(one, str)]
    return (alt, words) if alt or words else None


def _from_lines(answer: str) -> tuple[str, list[str]]:
    """The line that says it is the description, else the first words of all; and the numbered lines, else those of a
    list, else what else was said. What goes on in the next line belongs to the line before it."""
    alt, numbered, listed, rest = "", list[str](), list[str](), list[str]()
    place: list[str] | None = None
    for line in answer.splitlines():
        # Numbers are looked for before the marks of a list are taken away.
        text = line.strip().strip("*_`#> \t")
        if not text:
            place = None
            continue
        if found := _ALT.match(text):
            alt, place = found["said"] or alt, None if found["said"] else rest
        elif found := _NUMBERED.match(text):
            numbered.append(_LABEL.sub("", found["said"].strip(_MARKS)))
            place = numbered
        elif found := _LISTED.match(line.strip()):
            listed.append(_LABEL.sub("", found["said"].strip(_MARKS)))
            place = listed
        elif place is numbered or place is listed:
            place[-1] += f" {text}"
        else:
            rest.append(text)
    prompts = [one for one in numbered if one.strip(_MARKS)] or listed
    if not alt and rest:
        alt, rest = rest[0], rest[1:]
    return alt, prompts or rest
