"""The answer that grows from what streams: what a reader may see of it, and the phases that its turn goes through."""

from __future__ import annotations

import time
from collections.abc import Callable

from .beginnings import Beginning
from .calls import Calls
from .marks import without_marks
from .records import Delta, Phase, Usage
from .thinking import read, visible

MAX_TEXT = 60_000
"""Characters of an answer, whatever the script: below what a chat message of the API may hold, so that an answer can
come back as history. One that is longer ends with a sentence that says so."""
MAX_STREAM = 2 * MAX_TEXT
"""Characters of all that streams, with thoughts that stand among the words."""
MAX_THOUGHT = 8_000
"""Characters of what the model thought that are kept."""


class Phases:
    """Reports each change of phase once."""

    def __init__(self, on_phase: Callable[[Phase], None]) -> None:
        self._on_phase = on_phase
        self._now: Phase | None = None

    def enter(self, phase: Phase) -> None:
        if phase != self._now:
            self._now = phase
            self._on_phase(phase)


class Answer:
    """Collects one answer and reports what a reader may see of it: thoughts stay out."""

    def __init__(
        self,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
        interval: float,
    ) -> None:
        self._on_text = on_text
        self._on_phase = on_phase
        self._interval = interval
        self.done = False
        """Whether the server said that it ended."""
        self.beginning = Beginning()
        """How it may begin, as far as it is known."""
        self.prompt_tokens = 0
        """Of the conversation, as the server counted them; 0: not said."""
        self.answer_tokens = 0
        self._pieces: list[str] = []
        self._thoughts: list[str] = []
        self._thought_length = 0
        self._length = 0
        self._reported = ""
        self._reported_at = float("-inf")
        self._unreported = False
        self.calls = Calls()
        """What the model asked for beside what it says."""
        self.thought = False
        """Whether the model thought at all."""
        self.apart = False
        """Whether the server told thoughts and answer apart."""
        self.too_long = False
        """Whether it is longer than what is kept of one."""
        self._cut_by_server = False

    def add(self, delta: Delta) -> None:
        """The next piece of the stream."""
        if delta.thought:
            self.thought = self.apart = True
            if self._thought_length <= MAX_THOUGHT:
                self._thoughts.append(_encodable(delta.thought))
                self._thought_length += len(delta.thought)
            self._on_phase("thinking")
        if delta.text:
            self._pieces.append(_encodable(delta.text))
            self._length += len(delta.text)
        self.calls.add(delta.calls)
        self.prompt_tokens = delta.prompt_tokens or self.prompt_tokens
        self.answer_tokens = delta.answer_tokens or self.answer_tokens
        self.done |= delta.done
        self.too_long |= self._length > MAX_STREAM
        self._cut_by_server |= delta.cut
        self._unreported = bool(self._pieces)
        self.report_if_due()

    def report_if_due(self) -> None:
        """Reports what was too soon to report when it came. To be called now and then, since a model may pause."""
        if self._unreported and time.monotonic() - self._reported_at >= self._interval:
            self._report()

    def text(self) -> str:
        """The answer as it stands, when nothing more will come."""
        raw = "".join(self._pieces)
        shown = visible(raw, done=True, inside=self._inside)
        if self._inside and not self.whole and not read(raw, inside=True).thought_ended:
            shown = ""  # it broke off inside the thought
        if raw.strip() and not shown:
            self.thought = True
        self.too_long |= len(shown) > MAX_TEXT
        return shown[:MAX_TEXT].rstrip()

    def reasoning(self) -> str:
        """What it thought, as far as that is kept."""
        thoughts = self._thoughts or read("".join(self._pieces), inside=self._inside).thoughts
        text = "\n\n".join(["".join(thoughts)] if self._thoughts else [without_marks(one) for one in thoughts]).strip()
        return text if len(text) <= MAX_THOUGHT else f"{text[: MAX_THOUGHT - 2].rstrip()} …"

    @property
    def usage(self) -> Usage | None:
        if not self.prompt_tokens and not self.answer_tokens:
            return None
        return Usage(prompt_tokens=self.prompt_tokens, answer_tokens=self.answer_tokens)

    @property
    def cut(self) -> bool:
        """Whether it ended because it was too long."""
        return self._cut_by_server or self.too_long

    @property
    def whole(self) -> bool:
        """Whether it came to its own end."""
        return self.done and not self.cut

    @property
    def began_inside(self) -> bool:
        return read("".join(self._pieces), inside=self._inside).began_inside

    @property
    def _inside(self) -> bool:
        return self.beginning.inside and not self.apart

    def _report(self) -> None:
        shown = visible(
            "".join(self._pieces),
            done=False,
            held=self.beginning.held and not self.apart,
            inside=self._inside,
        )
        self._reported_at = time.monotonic()
        self._unreported = False
        if shown == self._reported:
            if not shown:
                self._on_phase("thinking")
            return
        self._reported = shown
        self.too_long |= len(shown) > MAX_TEXT
        if shown:
            self._on_phase("streaming")
        self._on_text(shown[:MAX_TEXT])


def _encodable(text: str) -> str:
    """JSON can spell halves of characters, which nothing further on could encode."""
    return text.encode("utf-8", "replace").decode("utf-8")
