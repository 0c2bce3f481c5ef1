"""What a reader sees of a model's text: everything but what it thinks and what its template left in it.

Most models send their thoughts apart (``message.thinking``). Others write them into the answer, as
``<think>…</think>`` or one of its relatives (`marks`); some begin inside a thought, so that only its end comes; some go
on after the end of their turn and play the person as well. Code between backticks is left alone: an answer may talk
about these marks.
"""

from __future__ import annotations

import re
from typing import Literal

from otterbot_worker.chat.marks import MARK, ROLE, SURE, WEAK, Kind, kind_of, plain, role, without_begun

_LOST_MARKS = re.compile(r"\Aanalysis(?=[A-Z\"'*(])")
"""Harmony's header where the marks themselves were dropped: ``analysisWe need …assistantfinalHello``."""
_LOST_FINAL = re.compile(r"assistant\s*final(?=\S)")
_END_TO_END = re.compile(r"\s*<[|｜]start[|｜]>")
_MENTIONED = re.compile(r"[ \t][a-z]")
_BEHIND = ("", "thought")
"""What templates put between the mark of a thought and the model's first word; Gemma's names the channel."""

Leaves = Literal["inside", "outside", "unsaid"]
"""A thought that it opened, an answer before which it ended the thought, or nothing of the kind."""


def visible(raw: str, *, done: bool, inside: bool = False) -> str:
    """The part of ``raw`` (all that came so far) that is for the reader, without white space around it.

    While it still streams (``done=False``), an end that may become a mark is held back; a model that is known to begin
    ``inside`` a thought shows nothing before that ends. Pure, so how the text was split into chunks cannot matter; it
    may shrink once, when the end of a thought shows that all before was one.
    """
    reader = Reader(raw if done else without_begun(raw), done=done)
    shown = reader.read()
    return "" if inside and not done and not reader.thought_ended else shown


def began_inside(raw: str) -> bool:
    """Whether the end of a thought came that had no beginning."""
    reader = Reader(raw, done=True)
    reader.read()
    return reader.began_inside


def thought_ended(raw: str) -> bool:
    """Whether the end of a thought came, with or without its beginning."""
    reader = Reader(raw, done=True)
    reader.read()
    return reader.thought_ended


def prompt_leaves(prompt: str) -> Leaves:
    """Where a prompt leaves the model that goes on from it."""
    marks = (mark for mark in MARK.finditer(prompt) if kind_of_safe(mark) in ("open", "close"))
    last = max(marks, key=re.Match.end, default=None)
    if last is None or prompt[last.end() :].strip() not in _BEHIND:
        return "unsaid"  # a system prompt may speak of thoughts, too
    return "inside" if kind_of_safe(last) == "open" else "outside"


def kind_of_safe(mark: re.Match[str]) -> Kind | None:
    return None if mark["code"] else kind_of(mark)


class Reader:
    """Goes once through a text, from mark to mark."""

    def __init__(self, text: str, *, done: bool) -> None:
        self._text = text
        self._done = done
        self._shown: list[str] = []
        self._at = 0
        self._wrapped = False
        self._struck_out = False
        """Whether HTML's ``<s>`` was shown, so that ``</s>`` is its end."""
        self._endless = False
        """Whether it is known that no thought ends any more."""
        self.began_inside = False
        self.thought_ended = False

    def read(self) -> str:
        self._lost_marks()
        while (mark := MARK.search(self._text, self._at)) is not None:
            kind = kind_of_safe(mark)
            if mark["code"]:
                self._show(mark.end())
                self._code(mark)
            elif kind is None or not self._meant(mark, kind):
                self._struck_out |= mark["tag"] == "s"
                self._show(mark.end())
            else:
                self._show(mark.start())
                self._at = mark.end()
                self._follow(mark, kind)
        self._show(len(self._text))
        return "".join(self._shown).strip()

    def _show(self, until: int) -> None:
        self._shown.append(self._text[self._at : until])
        self._at = until

    def _stop(self) -> None:
        self._at = len(self._text)

    @property
    def _said(self) -> bool:
        return any(piece.strip() for piece in self._shown)

    # -- what a mark does

    def _meant(self, mark: re.Match[str], kind: Kind) -> bool:
        """Words in ``<>`` and ``[]`` are people's too, and HTML's: is this one the model's?"""
        tag, word = mark["tag"], plain(mark["tag"] or mark["bracket"] or "")
        if not word:
            return True
        if kind == "open" and word in WEAK:
            return self._begins_answer(mark)
        if kind == "open" and word not in SURE:
            return not self._done or self._begins_line(mark) or self._end_of_thought(mark.end()) is not None
        if kind == "close":
            before = self._text[: mark.start()]
            mentioned = before.endswith((" ", "\t")) and _MENTIONED.match(self._text, mark.end())
            return word not in WEAK and not mentioned
        if tag is None:
            return True
        if kind == "wrap":
            return self._begins_answer(mark)
        if kind == "unwrap":
            return self._wrapped
        if tag == "s":
            return self._begins_answer(mark) and not self._struck(mark)
        if tag == "/s":
            return not self._struck_out
        return True

    def _struck(self, mark: re.Match[str]) -> bool:
        """Is it HTML's ``<s>``, with words after its end?"""
        end = self._text.find("</s>", mark.end())
        rest = self._text[end + 4 :].strip()
        return end >= 0 and bool(rest) and MARK.match(rest) is None

    def _follow(self, mark: re.Match[str], kind: Kind) -> None:
        match kind:
            case "open":
                end = self._end_of_thought(self._at)
                self.thought_ended |= end is not None
                self._at = len(self._text) if end is None else end
            case "close":
                self._shown.clear()
                self.began_inside = self.thought_ended = True
            case "channel":
                self._channel()
            case "start":
                self._turn(mark)
            case "asks":
                self._person()
            case "answers" if self._said:
                self._stop()
            case "end" if self._said and not _END_TO_END.match(self._text, self._at):
                self._stop()
            case "wrap":
                self._wrapped = True

    def _end_of_thought(self, start: int) -> int | None:
        """Where the thought ends that goes on at ``start``: at its end, or where the answer is said to begin."""
        if self._endless:
            return None
        begins: int | None = None
        first: int | None = None
        depth = 1
        for mark in MARK.finditer(self._text, start):
            kind = kind_of_safe(mark)
            if kind == "open" and plain(mark["tag"] or "") in SURE:
                depth += 1
            elif kind == "close":
                first, depth = first or mark.end(), depth - 1
                if depth == 0:
                    return mark.end()
            elif kind == "wrap" and begins is None and (mark["tag"] is None or self._begins_line(mark)):
                begins = mark.start()
        self._endless = first is None and begins is None
        # A thought may speak of thoughts: then not every beginning has its end.
        return (first or begins) if self._done else None

    def _person(self) -> None:
        """The person's turn: not the model's to write. Before the answer, it only repeats what it was asked."""
        answers = (m.end() for m in MARK.finditer(self._text, self._at) if kind_of_safe(m) == "answers")
        self._at = len(self._text) if self._said else next(answers, len(self._text))

    def _channel(self) -> None:
        """harmony: ``<|channel|>NAME<|message|>TEXT``; only the channel ``final`` is for the reader."""
        for mark in MARK.finditer(self._text, self._at):
            if kind_of_safe(mark) == "message":
                name = plain(self._text[self._at : mark.start()])
                self._at = mark.end()
                if name.startswith("final"):
                    self.thought_ended = True
                else:
                    ends = (m for m in MARK.finditer(self._text, self._at) if kind_of_safe(m) in ("end", "start"))
                    self._at = next((end.start() for end in ends), len(self._text))
                return
        self._stop()

    def _turn(self, mark: re.Match[str]) -> None:
        """A turn begins: the assistant's own goes on, anybody else's is not the model's to write."""
        found = ROLE.match(self._text, self._at)
        if found is None:
            speaker = MARK.match(self._text, self._at)
            if speaker is None or kind_of_safe(speaker) != "answers":
                self._stop()
            return
        harmony = mark["token"] is not None and plain(mark["token"]) == "start"
        if role(found[1]) == "asks" or (self._said and not harmony):
            self._stop()
            return
        self._at = found.end()
        header = MARK.match(self._text, self._at)
        if header is not None and "header" in plain(header["token"] or ""):
            self._at = header.end()

    def _lost_marks(self) -> None:
        if _LOST_MARKS.match(self._text) is not None:
            final = _LOST_FINAL.search(self._text)
            self._at = final.end() if final is not None else len(self._text)
        elif not self._done and "analysis".startswith(self._text) and self._text:
            self._stop()

    # -- code

    def _code(self, fence: re.Match[str]) -> None:
        """Past the code that ``fence`` opens. A fence without an end is code to the end of the text, or of the turn; a
        single backtick without one is only a backtick."""
        ticks = fence["code"]
        end = re.compile(rf"(?<!`){ticks}(?!`)").search(self._text, self._at)
        if len(ticks) >= 3:
            self._show(end.end() if end is not None else self._end_of_turn())
            if end is None:
                self._stop()
        elif end is not None and not self._ends_thought_alone(end.start()):
            self._show(end.end())

    def _end_of_turn(self) -> int:
        for mark in MARK.finditer(self._text, self._at):
            kind = kind_of_safe(mark)
            rest = self._text[mark.end() :].strip()
            then = MARK.match(rest)
            over = not rest or (then is not None and kind_of_safe(then) in ("start", "end"))
            if kind == "end" and mark["tag"] is None and over:
                return mark.start()
        return len(self._text)

    def _ends_thought_alone(self, until: int) -> bool:
        """Does a thought end on a line of its own before ``until``? Then the backticks do not belong together."""
        return any(
            kind_of_safe(mark) == "close" and self._begins_line(mark) and self._ends_line(mark)
            for mark in MARK.finditer(self._text, self._at, until)
        )

    def _begins_answer(self, mark: re.Match[str]) -> bool:
        return not self._said and not self._text[self._at : mark.start()].strip()

    def _begins_line(self, mark: re.Match[str]) -> bool:
        before = self._text[: mark.start()].rstrip(" \t")
        return not before or before.endswith("\n")

    def _ends_line(self, mark: re.Match[str]) -> bool:
        after = self._text[mark.end() :].lstrip(" \t")
        return not after or after.startswith("\n")
