"""How fast a language model answers: tokens per second, from the first of them on."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..chat import ChatOutcome
from ..chat.records import Phase
from .metrics import Measures

SHORTEST = 0.5
"""Seconds. An answer that was held back until it was whole (its model is not known yet) comes in one piece, which says
nothing of the model's speed."""


class Pace:
    """Of one answer. Hands its phases on to ``report``."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._first: float | None = None

    def on_phase(self, phase: Phase) -> None:
        if self._first is None and phase in ("thinking", "streaming"):
            self._first = time.monotonic()
        self._report(phase)

    def measure(self, outcome: ChatOutcome, measures: Measures) -> None:
        """Counts the tokens of an answer, where its server counts them."""
        if outcome.usage is None or not outcome.usage.answer_tokens:
            return
        tokens = outcome.usage.answer_tokens
        measures.tokens.labels(outcome.model).inc(tokens)
        seconds = 0.0 if self._first is None else time.monotonic() - self._first
        if seconds >= SHORTEST:
            measures.token_speed.labels(outcome.model).observe(tokens / seconds)
