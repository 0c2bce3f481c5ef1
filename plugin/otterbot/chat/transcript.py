"""Turns of a conversation as the messages that a language model gets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .entries import Question, Quoted

MAX_ANSWER = 60_000
"""Characters; the worker takes 64,000 in a message."""
LEFT_OUT = "\n\n[…]\n\n"
"""In place of what is left out of a long answer."""
MAX_QUOTE = 20_000
"""Characters of a message that somebody asks about."""


@dataclass(kw_only=True)
class Exchange:
    """A question (``None``: not known) and its answers (none yet)."""

    question: Question | None
    quoted: Quoted | None = None
    """What the question was asked about."""
    answers: dict[str, dict[int, str]] = field(default_factory=dict)
    """The messages of each, by the key of its request, in the order they came."""
    left_out: bool = False
    """Its answer says, or one before it did, that the conversation's beginning is left out."""

    @property
    def answer(self) -> str:
        """The newest one: two in a row confuse models."""
        parts = next(reversed(self.answers.values()), {})
        return "\n\n".join(parts[number] for number in sorted(parts))[:MAX_ANSWER]

    @property
    def people(self) -> list[str]:
        asked = [] if self.question is None else [self.question.sender]
        return asked if self.quoted is None else [*asked, self.quoted.sender]


@dataclass(frozen=True, kw_only=True)
class Cut:
    """The newest exchanges that fit, oldest first."""

    exchanges: list[Exchange]
    left_out: bool
    """Whether there were more."""
    shortened: bool = False
    """Whether the middle of the newest answer is left out."""


def newest(exchanges: Sequence[Exchange], asked: Exchange, messages: int, characters: int) -> Cut:
    """Whole exchanges that fit beside the question within so many messages and characters."""
    left, count, kept, shortened = characters - _size(asked), 1, list[Exchange](), False
    for whole in reversed(exchanges):
        exchange = whole if kept else _shortened(whole, left)
        shortened |= exchange is not whole
        left -= _size(exchange)
        count += (exchange.question is not None) + bool(exchange.answers)
        if left < 0 or count > messages:
            break
        kept.insert(0, exchange)
    return Cut(exchanges=kept, left_out=len(kept) < len(exchanges), shortened=shortened and bool(kept))


def _shortened(exchange: Exchange, room: int) -> Exchange:
    """What was said last, without the middle of an answer that alone fills more than ``room`` characters: what people
    ask next is about it."""
    answer = exchange.answer
    half = (room - (_size(exchange) - len(answer)) - len(LEFT_OUT)) // 2
    if _size(exchange) <= room or half < 500:
        return exchange
    return replace(exchange, answers={"": {1: f"{answer[:half]}{LEFT_OUT}{answer[-half:]}"}})


def since_the_last_beginning(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Those from the last ``--new`` on; one that asks nothing is only the border."""
    start = 0
    for place, exchange in enumerate(exchanges):
        if exchange.question is not None and exchange.question.fresh:
            start = place
    return [one for one in exchanges[start:] if one.question is None or one.question.text or one.question.picture]


def messages(
    exchanges: Sequence[Exchange], names: Mapping[str, str], *, bot: str, labelled: bool
) -> list[dict[str, Any]]:
    """``names`` of all people in them. ``labelled``: each message of theirs begins with the name of its writer.
    ``pictures`` of a message are the events that show them."""
    said: list[dict[str, Any]] = []
    for exchange in exchanges:
        if exchange.question is not None:
            text = _asked(exchange.question, exchange.quoted, names, bot)
            label = f"{names[exchange.question.sender]}: " if labelled else ""
            shown = [] if exchange.quoted is None else [exchange.quoted.picture]
            pictures = [one for one in (*shown, exchange.question.picture) if one is not None]
            said.append({"role": "user", "content": f"{label}{text}", **({"pictures": pictures} if pictures else {})})
        if exchange.answer:
            said.append({"role": "assistant", "content": exchange.answer})
    return said


def _asked(question: Question, quoted: Quoted | None, names: Mapping[str, str], bot: str) -> str:
    if quoted is None:
        return question.text
    who = names.get(quoted.sender, bot)
    lines = "\n".join(f"> {line}" for line in quoted.text[:MAX_QUOTE].splitlines())
    return f"{who} wrote:\n{lines}\n\n{question.text}"


def _size(exchange: Exchange) -> int:
    asked = 0 if exchange.question is None else len(exchange.question.text)
    quoted = 0 if exchange.quoted is None else min(len(exchange.quoted.text), MAX_QUOTE)
    return asked + quoted + len(exchange.answer)
