"""Words of a prompt that others take the place of, with the brackets and weights around them.

============================================ ==================================================================
``crown`` in place of ``cowboy hat``
============================================ ==================================================================
``otter, cowboy hat, sea``                   ``otter, crown, sea``. Capitals and the number of spaces make no
                                             difference
``((cowboy hat))``, ``(Cowboy hat:1.3)``,    ``((crown))``, ``(crown:1.3)``, ``(crown)++``: what was around it
``(cowboy hat)++``                           counts for the new words
``hat`` in ``hat, cowboy hat``               what stands for itself between commas; only where it nowhere does, all
``hat`` in ``that``, ``hat-trick``           nothing: only whole words
``hat`` in ``<lora:hat:0.5>``                nothing: a name is no word
nothing at all in its place                  brackets, weights and one comma go with it
============================================ ==================================================================

Pure, never raises, linear in the length of the prompt. The plugin takes words out in the same way where a person
types `-cowboy hat`; `tests/words_taken_out.json` holds both to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SEPARATORS = ",;，、；،؛"
_BLANK = " \t\n　"
_HYPHENS = ("-", "‐", "‑", "'", "’")
_OPENED, _CLOSED = "([（", ")]）"
_SIGN = r"[+＋﹢]+|[-‐‑−－–—]+"
_SIGNS = re.compile(rf"(?:{_SIGN})(?![\w+＋])")
_BEHIND_BRACKET = re.compile(rf"(?:\d+(?:\.\d+)?|\.\d+)(?![\w.])|{_SIGNS.pattern}", re.ASCII)
_WEIGHT = re.compile(r"\s*[:：]\s*[+-]?[\d.]+\s*(?=\\?[)\]）])", re.ASCII)
_MARKS = re.compile(rf"\A[(\[（\\]+|(?:[:：]\s*[\d.]+\s*)?\\?[)\]）]+(?:{_SIGN}|[\d.]+)?\Z|[+＋﹢]+\Z")
_TAG = re.compile(r"<[^<>]*>")
_JOINED_SCRIPTS = re.compile("[\u0e00-\u0eff\u3005-\u30ff\u3400-\u9fff\uac00-\ud7af\U00020000-\U0003ffff]")
"""Scripts that put no space between words."""

Place = tuple[int, int]
"""Where words begin and end."""


def replaced(prompt: str, words: str, by: str) -> str | None:
    """``prompt`` with ``by`` in place of ``words``, wherever they stand; ``None``: they do not stand in it."""
    for wanted in dict.fromkeys((words, _MARKS.sub("", words).strip())):
        places = list(_places(prompt, wanted)) if wanted.strip() else []
        alone = [place for place in places if _is_alone(prompt, *_grown(prompt, *place))]
        if not places:
            continue
        return _with(prompt, alone or places, by.strip()) if by.strip() else _without(prompt, alone or places)
    return None


def _with(prompt: str, places: Sequence[Place], by: str) -> str:
    ends = [0, *(end for _, end in places)]
    begins = [*(start for start, _ in places), len(prompt)]
    return by.join(prompt[end:begin] for end, begin in zip(ends, begins, strict=True))


def _without(prompt: str, places: Sequence[Place]) -> str:
    for start, end in reversed([_grown(prompt, *place) for place in places]):
        prompt = _joined(prompt[:start], prompt[end:])
    return prompt


def _places(prompt: str, words: str) -> Iterator[Place]:
    """Where they stand as whole words, from left to right, none in another one."""
    tags = [found.span() for found in _TAG.finditer(prompt)]
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    for found in re.finditer(pattern, prompt, re.IGNORECASE):
        start, end = found.span()
        if any(begin < end and start < finish for begin, finish in tags):
            continue
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
    """Does nothing else stand between the commas, brackets or bars around it?"""
    before, behind = text[:start].rstrip(" \t　"), text[end:].lstrip(" \t　")
    return (not before or before[-1] in _SEPARATORS + _OPENED + "{|\n") and (
        not behind or behind[0] in _SEPARATORS + _CLOSED + ":：}|\n"
    )


def _joined(before: str, behind: str) -> str:
    """The two sides of what went, with one comma or space between them at most."""
    left, right = before.rstrip(" \t"), behind.lstrip(" \t")
    if not left or not right:
        return left.rstrip(_BLANK + _SEPARATORS) + right.lstrip(_BLANK + _SEPARATORS)
    if left[-1] in _OPENED + "{|\n":
        right = right.lstrip(_SEPARATORS + " \t")
        return left + (right.removeprefix("\n") if left[-1] == "\n" else right)
    if right[0] in _CLOSED + '}|:：\n.!?。！？"”’':
        return left.rstrip(_SEPARATORS + " \t") + right
    if right[0] in _SEPARATORS:
        return left + right if left[-1] not in _SEPARATORS else left + right[1:]
    spaced = len(left) < len(before) or len(right) < len(behind)
    return f"{left} {right}" if spaced else left + right
