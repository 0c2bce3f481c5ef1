"""What a language model answered, as plain prompts: whatever it says, only words come out.

It is asked for one prompt in a line, or several in as many, and it may answer with a list, JSON, a title, a greeting,
or something else altogether. What means something to a parser of prompts, to the room or to a terminal is taken away:
weights, brackets, tags, flags, mentions, addresses and marks of text.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from .asking import EXAMPLES

LONGEST = 2_000
"""Characters of one prompt that are looked at."""
MOST = 12_000
"""Characters of an answer that are looked at."""
_JSON_DEPTH = 4

_NUMBERED = re.compile(r"^\W{0,4}(?:prompt\s*)?#?\d{1,2}\s*[.):\]-]\W{0,4}(?=\w|[\"'“])", re.IGNORECASE)
_NUMBERED_INSIDE = re.compile(r"\s(?=\(?\d{1,2}[.)]\s)")
_BULLET = re.compile(r"^\s*[-*•–]\s+")
_TITLE = re.compile(r"^\W{0,4}(?:(?:final|expanded|image|new|your|the)\s+){0,3}prompts?\W{0,3}:", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"^\W{0,4}(?:sure|certainly|of course|okay|ok|absolutely|here(?:'s| is| are)|below|the following)\b[^:\n]{0,120}:",
    re.IGNORECASE,
)
_GREETING = re.compile(r"^\W{0,4}(?:sure|certainly|of course|okay|absolutely)[!,.]\s*", re.IGNORECASE)
_ASIDE = re.compile(
    r"(?:^|(?<=[.!?])\s+)(?:\(?note\b|i hope|let me know|feel free|would you like|i(?:'ve| have| can|'m| am| will|'ll) "
    r"|this (?:prompt|image|picture) (?:is|was|should|will|captures))[^\n]*",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^\W{0,4}(?:(?:i['’]?m|i am) (?:so |very )?(?:sorry|unable|not able)|sorry|as an (?:ai|language)|unfortunately"
    r"|i (?:can(?:no|['’])t|won['’]t|do not|don['’]t|apologi[sz]e))",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,200})\]\([^()\n]{0,400}\)")
_ADDRESS = re.compile(r"\b(?:https?|mxc|matrix|file|data|ftp)\s?:\S+|\bwww\.\S+", re.IGNORECASE)
_TAG = re.compile(r"<[^<>\n]{0,400}>")
_WEIGHT = re.compile(r"\s*:\s*[+-]?\d*\.?\d+\s*(?=[)\]])")
_COMMAND = re.compile(r"!+(?=\w)")
_FLAG = re.compile(r"(?<!\S)[-‐‑−–—―]{1,8}(?=[^\W\d_])[\w-]{1,30}(?:[ =:]{1,3}\d[\d.:x×]*)?")
_DASH = re.compile(r"\s*[–—―−‒⸺⸻﹘]+\s*|\s+-+\s+|-{2,}")
_HYPHENS = re.compile(r"(?<![\w])[-‐‑]+|[-‐‑]+(?![\w])")
_MARKS = re.compile(r"[()\[\]{}<>|\\/*`~^=+#@$%_＋﹢（）【】＜＞]+")
_COLON = re.compile(r"\s*[:：;；]+\s*")
_SHOUT = re.compile(r"\b(?:BREAK|AND(?:_[A-Z]+)?|ADD(?:COL|ROW|COMM|BASE))\b")
_QUOTES = re.compile(r"[\"“”„«»＂]+")
_COMMAS = re.compile(r"\s*,(?:\s*,)*\s*")


def read_answers(text: str, count: int) -> list[str]:
    """Up to ``count`` prompts, each one paragraph of plain words, no two alike; ``[]``: there is none in it."""
    found: dict[str, str] = {}
    for one in _candidates(text[:MOST], count):
        plain = plain_words(one)
        if plain and not _REFUSAL.match(plain) and plain.casefold() not in EXAMPLES:
            found.setdefault(plain.casefold(), plain)
    return list(found.values())[:count]


def plain_words(text: str) -> str:
    """Without anything that is more than words; ``""`` where nothing is left."""
    text = unicodedata.normalize("NFC", text[: 4 * LONGEST].encode("utf-8", "replace").decode("utf-8"))
    text = "".join(
        one if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Co") else "" for one in text
    )
    text = _ADDRESS.sub(" ", _TAG.sub(" ", _LINK.sub(r"\1", text)))
    text = _ASIDE.sub("", _GREETING.sub("", _TITLE.sub("", _LEAD_IN.sub("", text.strip()))))
    text = _WEIGHT.sub("", _FLAG.sub(" ", text))
    text = _COMMAND.sub(" ", text)
    text = _MARKS.sub(" ", _QUOTES.sub(" ", text))
    text = _HYPHENS.sub(" ", _DASH.sub(", ", text))
    text = _SHOUT.sub(lambda found: found[0].lower(), _COLON.sub(", ", text))
    text = _once(_COMMAS.sub(", ", " ".join(text.split())))
    text = re.sub(r"\s+([.,!?])", r"\1", text).strip(" ,.!-'")
    return text[:LONGEST] if any(one.isalpha() for one in text) else ""


def _once(text: str) -> str:
    """Phrases that were said before are left out: weak models turn in circles."""
    said: set[str] = set()
    kept = []
    for phrase in re.split(r"(?<=[,.!?])\s+", text):
        key = phrase.strip(" ,.!?").casefold()
        if key and key not in said:
            said.add(key)
            kept.append(phrase)
    return " ".join(kept)


# ---------------------------------------------------------------- where the prompts are


def _candidates(text: str, count: int) -> Iterator[str]:
    text = re.sub(r"```\w*", "\n", text).strip()
    listed = _from_json(text)
    if listed is not None:
        yield from listed
        return
    lines = [line.strip() for line in text.splitlines()]
    if count > 1 and len([line for line in lines if line]) == 1:
        lines = _NUMBERED_INSIDE.split(lines[0])
    if any(_NUMBERED.match(line) for line in lines):
        yield from _numbered(lines)
        return
    if count > 1:
        yield from (_BULLET.sub("", line) for line in lines if line and not _is_title(line))
        return
    for paragraph in re.split(r"\n\s*\n", text):
        said = [_BULLET.sub("", line) for line in paragraph.splitlines() if line.strip() and not _is_title(line)]
        if said:
            yield " ".join(said)


def _is_title(line: str) -> bool:
    """A line that speaks of the prompts and is none."""
    line = line.strip()
    return line.endswith(":") or (line.startswith("#") and not line.lstrip("# ").count(","))


def _numbered(lines: list[str]) -> Iterator[str]:
    """What stands before the first number is no prompt; a line without one goes on with the one before."""
    now: list[str] = []
    for line in lines:
        if _NUMBERED.match(line):
            if now:
                yield " ".join(now)
            now = [_NUMBERED.sub("", line)]
        elif now and line:
            now.append(line)
        elif now:
            yield " ".join(now)
            now = []
    if now:
        yield " ".join(now)


def _from_json(text: str) -> list[str] | None:
    """The texts in it, if it is JSON, or has some in the middle; ``None``: it is not."""
    begins = [place for place in (text.find("["), text.find("{")) if place >= 0]
    if not begins:
        return None
    begin, end = min(begins), max(text.rfind("]"), text.rfind("}")) + 1
    try:
        found = list(_texts(json.loads(text[begin:end]), _JSON_DEPTH))
    except (ValueError, RecursionError):
        return None
    return found or None


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth:
        for one in value[:50]:
            yield from _texts(one, depth - 1)
    elif isinstance(value, dict) and depth:
        for name, one in list(value.items())[:50]:
            if not re.search(r"negative|title|name|note|style|explanation", str(name), re.IGNORECASE):
                yield from _texts(one, depth - 1)
