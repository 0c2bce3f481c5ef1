"""What the double says: the same for the same conversation, and chosen by words in the last message.

Without such a word it tells what it heard, so that a test can see which history arrived::

    Heard 3 messages.
    - user: my name is Bo
    - assistant: Hello Bo
    - user: what is my name?
    You said: what is my name?

====================  ==========================================================================
word in the message    what comes
====================  ==========================================================================
``#code``              a short text with a fenced block of Python, angle brackets and ``&``
``#markdown``          bold, a list, a link, raw HTML and ``@room``
``#think``             thoughts in ``message.thinking``, then the answer
``#inline-think``      the same inside ``<think>…</think>`` in the answer, tags split over chunks
``#open-think``        thoughts without ``<think>``, ended by ``</think>`` on its own line
``#only-think``        thoughts and no answer
``#long``              about 20 kB in 600 chunks, with a code block across every 8 kB
``#slow``              one word per 0.5 s
``#nel``               U+0085, U+2028 and U+2029 in the middle
``#error``             an error line after some words, no ``done``
``#killed``            the same as after a kill of the runner
``#eof``               the stream ends after some words, no ``done``
``#cut``               the connection is cut in the middle of a line
``#stall``             some words, then silence
``#silence``           nothing at all, ever
``#empty``             an answer without text
====================  ==========================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

Ending = Literal["done", "error", "killed", "eof", "cut", "stall", "silence"]

CODE = (
    "Here you are:\n\n"
    "```python\ndef hold(hands: list[str]) -> bool:\n    return len(hands) > 1 & True  # <otters>\n```\n\n"
    "That is all."
)
MARKDOWN = (
    "**Otters** hold hands:\n\n1. to stay together\n2. for _warmth_\n\n"
    "See [a page](https://example.org/?a=1&b=2). <img src=x onerror=alert(1)> @room `a < b`"
)
THOUGHT = "The person asks about otters. Secret plan: say something nice."


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """One answer: ``pieces`` are its chunks, ``thinking`` chunks come before; ``pause`` seconds between chunks."""

    pieces: tuple[str, ...]
    thinking: tuple[str, ...] = ()
    ending: Ending = "done"
    pause: float | None = None
    calls: tuple[dict[str, Any], ...] = ()
    """Of tools, behind the pieces: ``{"name": …, "arguments": {…}}``. Only where the request has tools."""


def words(text: str) -> tuple[str, ...]:
    """Chunks as a tokenizer makes them, roughly: a word with the space before it."""
    return tuple(re.findall(r"\s*\S+|\s+\Z", text))


def answer(messages: list[dict[str, Any]], rules: list[dict[str, Any]], *, think: bool) -> Scripted:
    """``rules`` of the script come first: ``{"when": "otters", "answer": "…"}``, and as one likes ``thinking``,
    ``ending``, ``pause``, ``calls``, and ``pieces`` (the chunks) instead of ``answer``."""
    last = str(messages[-1].get("content") or "")
    for rule in rules:
        if str(rule.get("when", "")) in last:
            return Scripted(
                pieces=tuple(rule.get("pieces") or words(str(rule.get("answer", "")))),
                thinking=words(str(rule.get("thinking") or "")),
                ending=rule.get("ending", "done"),
                pause=rule.get("pause"),
                calls=tuple(rule.get("calls", ())),
            )
    found = re.search(r"#([a-z-]+)", last)
    word = found[1] if found else ""
    heard = _heard(messages)
    thoughts = words(THOUGHT)
    if word in ("error", "killed", "eof", "cut", "stall"):
        return Scripted(pieces=words("Otters hold hands because they"), ending=word)  # type: ignore[arg-type]
    special = {
        "code": Scripted(pieces=words(CODE)),
        "markdown": Scripted(pieces=words(MARKDOWN)),
        "think": Scripted(pieces=words(heard), thinking=thoughts if think else ()),
        "inline-think": Scripted(pieces=("<th", "ink>", *thoughts, "</thi", "nk>", "\n\n", *words(heard))),
        "open-think": Scripted(pieces=(*thoughts, "\n</think", ">\n\n", *words(heard))),
        "only-think": Scripted(pieces=(), thinking=thoughts),
        "long": Scripted(pieces=tuple(_long().splitlines(keepends=True))),
        "slow": Scripted(pieces=words(heard), pause=0.5),
        "nel": Scripted(pieces=("before", "\u0085", "between", "\u2028", "x", "\u2029", "after")),
        "silence": Scripted(pieces=(), ending="silence"),
        "empty": Scripted(pieces=()),
    }
    return special.get(word, Scripted(pieces=words(heard)))


def _heard(messages: list[dict[str, Any]]) -> str:
    talk = [message for message in messages if message.get("role") != "system"]
    lines = [f"Heard {len(talk)} message{'s' * (len(talk) != 1)}."]
    for message in talk:
        text = " ".join(str(message.get("content") or "").split())
        lines.append(f"- {message.get('role')}: {text[:60]}")
    last = messages[-1].get("content") or ""
    return "\n".join([*lines, f"\nYou said: {last}"])


def _long() -> str:
    parts = []
    for number in range(1, 9):
        parts.append(f"## Part {number}\n\n" + "Otters swim and otters sleep, line after line. " * 20)
        parts.append("```python\n" + "".join(f"otter_{number}_{line} = {line}\n" for line in range(70)) + "```")
    return "\n\n".join(parts)
