r"""Words of a prompt that are changed: ``+red scarf -cowboy hat`` is added at its end, and taken out where it stands.

Pure, never raises, linear in the length of the prompt for each change, of which there are a few.

=================================================== ===========================================================
what is taken out                                   what goes
=================================================== ===========================================================
``-cowboy hat`` of ``otter, cowboy hat, sea``       the words, with one comma: ``otter, sea``. Capitals and the
                                                    number of spaces make no difference
… of ``((cowboy hat))``, ``(Cowboy hat:1.3)``,      brackets and weights with them
``[cowboy hat]``, ``(cowboy hat)++``, ``hat--``
… of ``(cowboy hat, boots:1.3)``                    the words alone: ``(boots:1.3)``
``-hat`` of ``hat, cowboy hat``                     what stands for itself between commas: ``cowboy hat``; only
                                                    where it nowhere does, it goes out of longer phrases
``-hat`` of ``that``, ``hat-trick``                 nothing: only whole words
``-<lora:penguin>``                                 that LoRA, whatever its weight
=================================================== ===========================================================

The worker has the same for sweeps over words; ``tests/words_taken_out.json`` holds both to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import dashes
from .flags import BEFORE
from .option_values import WordChange
from .quotes import QUOTES

MOST = 32
"""Changes in one message."""
_SIGN = re.compile(
    rf"(?:(?<=\s)|(?<=[{BEFORE}])|\A)(?:(?P<plus>[+＋﹢])|\\*(?P<minus>[{dashes.ANY}]))(?P<space>[ \t]*)(?=\S)"
)
_SEPARATORS = ",;，、；،؛"
_BLANK = " \t\n　"
_HYPHENS = ("-", "‐", "‑", "'", "’")
_OPENED, _CLOSED = "([（", ")]）"
_SIGNS = re.compile(rf"(?:[+＋﹢]+|[{dashes.ANY}]+)(?![\w+＋])")
_BEHIND_BRACKET = re.compile(rf"(?:\d+(?:\.\d+)?|\.\d+)(?![\w.])|{_SIGNS.pattern}", re.ASCII)
_WEIGHT = re.compile(r"\s*[:：]\s*[+-]?[\d.]+\s*(?=\\?[)\]）])", re.ASCII)
_MARKS = re.compile(rf"\A[(\[（\\]+|(?:[:：]\s*[\d.]+\s*)?\\?[)\]）]+(?:[+＋﹢]+|[{dashes.ANY}]+|[\d.]+)?\Z|[+＋﹢]+\Z")
_LORA = re.compile(r"<\s*lora\s*:\s*([^:<>]+?)\s*(?::[^<>]*)?>", re.IGNORECASE)
_COMPOUND = re.compile(r"""\s*\(\s*["'“‘].*["'”’]\s*,?\s*\)\s*\.(?:and|blend)\([^()]{0,400}\)\s*""", re.DOTALL)
_EMPTY_PART = re.compile(r"""(?:""|''|“”|‘’)""")
_BRACES = re.compile(r"(?<!\\)\{([^{}|$]*)\}")
_JOINED_SCRIPTS = re.compile("[\u0e00-\u0eff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
"""Scripts that put no space between words."""


def read_changes(text: str) -> tuple[WordChange, ...] | None:
    """``+red scarf -cowboy hat``; ``None`` if ``text`` is anything else, or more than ``MOST`` of them."""
    found: list[WordChange] = []
    for one in _split(text):
        if one is None or len(found) >= MOST:
            return None
        found.append(one)
    return tuple(found)


def _split(text: str) -> Iterator[WordChange | None]:
    text = text.strip()
    sign = _SIGN.match(text)
    if sign is None:
        yield None
        return
    while sign is not None:
        begin = sign.end()
        quoted = _quoted(text, begin)
        behind = _next_sign(text, begin if quoted is None else quoted[1])
        end = len(text) if behind is None else behind.start()
        words = text[begin:end] if quoted is None else quoted[0]
        if quoted is not None and text[quoted[1] : end].strip(_BLANK + _SEPARATORS + "."):
            words = text[begin:end]  # quotes around a part of it are characters
        words = words.strip(_BLANK + _SEPARATORS)
        words = words if sign["plus"] else words.rstrip(".!?。！？")
        yield WordChange(words, added=sign["plus"] is not None) if words else None
        sign = behind


def split_off(text: str) -> tuple[str, str]:
    """What stands before the first sign, and the changes from there on."""
    at = 1
    while (sign := _SIGN.search(text, at)) is not None and sign["space"]:
        at = sign.end()
    return (text, "") if sign is None else (text[: sign.start()].rstrip(_BLANK + _SEPARATORS), text[sign.start() :])


def _next_sign(text: str, position: int) -> re.Match[str] | None:
    """A long dash between spaces is one of prose."""
    while (found := _SIGN.search(text, position)) is not None:
        if found["plus"] or not found["space"] or found["minus"] not in dashes.LONG:
            return found
        position = found.end()
    return None


def _quoted(text: str, begin: int) -> tuple[str, int] | None:
    closing = QUOTES.get(text[begin : begin + 1])
    if closing is None:
        return None
    found = re.compile(rf"[{closing}](?=[\s{_SEPARATORS}.]|\Z)").search(text, begin + 1)
    return None if found is None else (text[begin + 1 : found.start()], found.end())


def is_compound(prompt: str) -> bool:
    """Is the whole prompt one ``("a", "b").and()`` or ``.blend()``? At its end nothing can be added then."""
    return _COMPOUND.fullmatch(prompt) is not None


def has_empty_part(prompt: str) -> bool:
    return _EMPTY_PART.search(prompt) is not None


def with_added(prompt: str, words: str) -> str:
    kept = prompt.rstrip(_BLANK + _SEPARATORS)
    return f"{kept}, {words}" if kept else words


def without(prompt: str, words: str) -> str | None:
    """``prompt`` without ``words``; ``None`` if they do not stand in it."""
    for wanted in dict.fromkeys((words, _MARKS.sub("", words).strip())):
        spans = [_grown(prompt, *span) for span in _places(prompt, wanted)] if wanted.strip() else []
        alone = [span for span in spans if _is_alone(prompt, *span)]
        if spans:
            for start, end in reversed(alone or spans):
                left = _joined(prompt[:start], prompt[end:])
                prompt = _one_choice(left, start) if left.count("|") < prompt.count("|") else left
            return prompt
    return None


def _places(prompt: str, words: str) -> Iterator[tuple[int, int]]:
    """Where they stand as whole words, from left to right, none in another one."""
    if (lora := _LORA.fullmatch(words)) is not None:
        name = lora[1].casefold()
        yield from (found.span() for found in _LORA.finditer(prompt) if found[1].casefold() == name)
        return
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    for found in re.finditer(pattern, prompt, re.IGNORECASE):
        start, end = found.span()
        before, behind = prompt[max(0, start - 2) : start], prompt[end : end + 2]
        if not _goes_on(prompt[start], before[::-1]) and not _goes_on(prompt[end - 1], behind):
            yield start, end


def _goes_on(edge: str, beyond: str) -> bool:
    """Does the word with the letter ``edge`` go on into what stands beside it? A hyphen between letters is a letter."""
    if not _is_letter(edge):
        return False
    return _is_letter(beyond[:1]) or (beyond[:1] in _HYPHENS and _is_letter(beyond[1:2]))


def _is_letter(one: str) -> bool:
    return (one.isalnum() or one == "_") and _JOINED_SCRIPTS.match(one) is None


def _grown(text: str, start: int, end: int) -> tuple[int, int]:
    """With signs of weight behind it, and with the brackets that hold nothing else."""
    if (signs := _SIGNS.match(text, end)) is not None:
        end = signs.end()
    while True:
        left, right = start, end
        while left and text[left - 1] in _BLANK + _SEPARATORS:
            left -= 1
        while right < len(text) and text[right] in _BLANK + _SEPARATORS:
            right += 1
        if (weight := _WEIGHT.match(text, end)) is not None:
            right = weight.end()
        bracket = _OPENED.find(text[left - 1]) if left else -1
        escaped = left > 1 and text[left - 2] == "\\"
        closing = ("\\" if escaped else "") + (_CLOSED[bracket] if bracket >= 0 else "")
        if bracket < 0 or not text.startswith(closing, right):
            return start, end
        start, end = left - 1 - escaped, right + len(closing)
        if (behind := _BEHIND_BRACKET.match(text, end)) is not None:
            end = behind.end()


def _is_alone(text: str, start: int, end: int) -> bool:
    """Does nothing else stand between the commas or brackets around it?"""
    before, behind = text[:start].rstrip(" \t　"), text[end:].lstrip(" \t　")
    return (not before or before[-1] in _SEPARATORS + _OPENED + "{|\n") and (
        not behind or behind[0] in _SEPARATORS + _CLOSED + ":：}|\n"
    )


def _one_choice(prompt: str, place: int) -> str:
    """Without the braces of chance around ``place``, where only one alternative is left in them."""
    for found in _BRACES.finditer(prompt):
        if found.start() <= place <= found.end():
            return prompt[: found.start()] + found[1] + prompt[found.end() :]
    return prompt


def _joined(before: str, behind: str) -> str:
    """The two sides of what went, with one comma or space between them at most."""
    left, right = before.rstrip(" \t"), behind.lstrip(" \t")
    if not left or not right:
        return left.rstrip(_BLANK + _SEPARATORS) + right.lstrip(_BLANK + _SEPARATORS)
    if left[-1] == "|" and right[0] in "|}":
        return left[:-1] + right
    if left[-1] == "{" and right[0] == "|":
        return left + right[1:]
    if left[-1] in _OPENED + "{|\n":
        right = right.lstrip(_SEPARATORS + " \t")
        return left + (right.removeprefix("\n") if left[-1] == "\n" else right)
    if right[0] in _CLOSED + '}|:：\n.!?。！？"”’':
        return left.rstrip(_SEPARATORS + " \t") + right
    if right[0] in _SEPARATORS:
        return left + right if left[-1] not in _SEPARATORS else left + right[1:]
    spaced = len(left) < len(before) or len(right) < len(behind)
    return f"{left} {right}" if spaced else left + right
