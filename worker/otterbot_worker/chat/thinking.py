"""What a reader sees of a model's text: everything but what it thinks.

Most models send their thoughts apart (``message.thinking``). Some write them into the answer as ``<think>…</think>``,
and some templates begin inside a thought, so that only ``</think>`` comes, on a line of its own. Text between
backticks is left alone: an answer may talk about these tags.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"(?P<code>`+)|(?P<open><think(?:ing)?>)|(?P<close></think(?:ing)?>)", re.IGNORECASE)
_END = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_LONE_END = re.compile(r"(?:\A|\n)[ \t]*</think(?:ing)?>[ \t]*(?:\n|\Z)", re.IGNORECASE)
_TAGS = ("<think>", "</think>", "<thinking>", "</thinking>")


def visible(raw: str, *, done: bool) -> str:
    """The part of ``raw`` (all that came so far) that is for the reader, without white space around it.

    While it still streams (``done=False``), an end that may become a tag is held back. Pure, so how the text was split
    into chunks cannot matter; it may shrink once, when a lone ``</think>`` shows that all before was a thought.
    """
    text = raw if done else _without_partial_tag(raw)
    shown: list[str] = []
    at = 0
    while (found := _PIECE.search(text, at)) is not None:
        if found["code"]:
            shown.append(text[at : found.end()])
            at = _skip_code(text, found, shown)
        elif found["open"]:
            shown.append(text[at : found.start()])
            end = _END.search(text, found.end())
            at = end.end() if end else len(text)
        elif _alone(text, found):
            shown.clear()
            at = found.end()
        else:
            shown.append(text[at : found.end()])
            at = found.end()
    shown.append(text[at:])
    return "".join(shown).strip()


def _skip_code(text: str, fence: re.Match[str], shown: list[str]) -> int:
    """Past the code that ``fence`` opens. A fence without an end is code to the end of the text; a single backtick
    without one is only a backtick."""
    end = re.compile(rf"(?<!`){fence['code']}(?!`)").search(text, fence.end())
    if end is not None:
        lone = _LONE_END.search(text, fence.end(), end.start())
        if lone is None or len(fence["code"]) >= 3:
            shown.append(text[fence.end() : end.end()])
            return end.end()
        return fence.end()
    if len(fence["code"]) >= 3:
        shown.append(text[fence.end() :])
        return len(text)
    return fence.end()


def _alone(text: str, tag: re.Match[str]) -> bool:
    before, after = text[: tag.start()].rstrip(" \t"), text[tag.end() :].lstrip(" \t")
    return (not before or before.endswith("\n")) and (not after or after.startswith("\n"))


def _without_partial_tag(text: str) -> str:
    start = text.rfind("<", max(0, len(text) - max(map(len, _TAGS))))
    if start >= 0 and any(tag.startswith(text[start:].lower()) for tag in _TAGS):
        return text[:start]
    return text
