"""What a reader sees of a model's text: everything but what it thinks and what its template left in it.

Most models send their thoughts apart (``message.thinking``). Others write them into the answer, as
``<think>…</think>`` or one of its relatives (`marks`); some begin inside a thought, so that only its end comes; some go
on after the end of their turn and play the person as well. Code between backticks is left alone: an answer may talk
about these marks.
"""

from __future__ import annotations

import re

from .code import Code, begins_line
from .marks import AFTER_OPEN, MARK, ROLE, SURE, WEAK, Kind, kind_of_safe, only_named, plain, role, without_begun
from .unmarked_thoughts import at_the_beginning

_END_TO_END = re.compile(r"\s*<[|｜]start[|｜]>")
_MENTIONED = re.compile(r"[ \t][a-z]")


def visible(raw: str, *, done: bool, held: bool = False, inside: bool = False) -> str:
    """The part of ``raw`` (all that came so far) that is for the reader, without white space around it.

    While it still streams (``done=False``), an end that may become a mark is held back; of a model that may begin
    inside a thought (``held``), nothing shows before one has ended with which the text began. One that is known to
    begin ``inside`` may speak of thoughts in it. Pure, so how the text was split into chunks cannot matter; it may
    shrink once, when the end of a thought shows that all before was one.
    """
    reader = Reader(raw if done else without_begun(raw), done=done, inside=inside)
    shown = reader.read()
    return "" if held and not done and not reader.released else shown


def read(raw: str, *, inside: bool = False) -> Reader:
    """A whole answer, read to its end."""
    reader = Reader(raw, done=True, inside=inside)
    reader.read()
    return reader


class Reader:
    """Goes once through a text, from mark to mark."""

    def __init__(self, text: str, *, done: bool, inside: bool = False) -> None:
        self._text = text
        self._done = done
        self._inside = inside
        self._code = Code(text)
        self._shown: list[str] = []
        self._said = False
        self._at = 0
        self._wrapped = False
        self._struck_out = False
        """Whether HTML's ``<s>`` was shown, so that ``</s>`` is its end."""
        self._endless = False
        """Whether it is known that no thought ends any more."""
        self.thoughts: list[str] = []
        """What was left out because the model thought it."""
        self.began_inside = False
        self.thought_ended = False
        self.released = False
        """Whether that was one, not empty, with which the text began."""

    def read(self) -> str:
        self._unmarked()
        if self._inside:
            self._silent_thought()
        while (mark := MARK.search(self._text, self._at)) is not None:
            kind = kind_of_safe(mark)
            if mark["code"]:
                self._show(mark.end())
                self._past_code(mark)
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
        piece = self._text[self._at : until]
        self._shown.append(piece)
        self._said = self._said or bool(piece.strip())
        self._at = until

    def _think(self, until: int) -> None:
        """Past a thought that ends there."""
        self.thoughts.append(self._text[self._at : until])
        self._at = until

    def _stop(self) -> None:
        self._at = len(self._text)

    # -- what a mark does

    def _meant(self, mark: re.Match[str], kind: Kind) -> bool:
        """Words in ``<>`` and ``[]`` are people's too, and HTML's: is this one the model's?"""
        tag, word = mark["tag"], plain(mark["tag"] or mark["bracket"] or "")
        if kind in ("open", "close") and only_named(self._text, mark, whole=self._done):
            return False
        if not word:
            return True
        if kind == "open" and word in WEAK:
            return self._begins_answer(mark)
        if kind == "open" and word not in SURE:
            return (
                not self._done or begins_line(self._text, mark.start()) or self._end_of_thought(mark.end()) is not None
            )
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
            case "open" if mark["empty"]:
                pass
            case "open":
                end = self._end_of_thought(self._at)
                self.thought_ended |= end is not None
                if end is not None and not self._said:
                    self.released |= MARK.sub("", self._text[self._at : end]).strip() not in AFTER_OPEN
                self._think(len(self._text) if end is None else end)
            case "close" if self.thought_ended and not self._text[self._at :].strip():
                pass  # once more, behind the answer
            case "close":
                self.thoughts.append("".join(self._shown))
                self._shown.clear()
                self._said = False
                self.began_inside = self.thought_ended = self.released = True
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
        """Where the thought ends that goes on at ``start``: at its end, or where the answer is said to begin. A mark
        that it only names, in quotes, is none."""
        if self._endless:
            return None
        begins: int | None = None
        first: int | None = None
        depth = 1
        for mark in MARK.finditer(self._text, start):
            kind = kind_of_safe(mark)
            if kind in ("open", "close") and only_named(self._text, mark, whole=self._done):
                continue
            if kind == "open" and not mark["empty"]:
                depth += 1
            elif kind == "close":
                first, depth = first or mark.end(), depth - 1
                if depth == 0:
                    return mark.end()
            elif kind == "wrap" and begins is None and (mark["tag"] is None or begins_line(self._text, mark.start())):
                begins = mark.start()
        self._endless = first is None and begins is None
        # A thought may speak of thoughts: then not every beginning has its end.
        return (first or begins) if self._done else None

    def _silent_thought(self) -> None:
        """Past the thought that the prompt began."""
        first = MARK.match(self._text.lstrip())
        if self._at or (first is not None and kind_of_safe(first) in ("open", "close", "channel", "start")):
            return  # it says so itself
        end = self._end_of_thought(0)
        if end is not None:
            self._think(end)
            self.began_inside = self.thought_ended = self.released = True
        elif not self._done:
            self._stop()

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
                    self._think(next((end.start() for end in ends), len(self._text)))
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

    def _unmarked(self) -> None:
        """Past a thought with which the text begins, and that no mark shows."""
        found = at_the_beginning(self._text, done=self._done)
        if found is not None:
            self.thoughts += [] if found.thought is None else [found.thought]
            self._at = found.answer
            if found.ended:
                self.thought_ended = self.released = True

    # -- code

    def _past_code(self, mark: re.Match[str]) -> None:
        """Past the code that ``mark`` begins. A block without an end is code to the end of the text, or of the turn; a
        single backtick without one is only a backtick."""
        run = mark["code"]
        block = self._code.opens_block(mark.start())
        if not block and run[0] == "~":
            return
        end = (self._code.block_end if block else self._code.span_end)(run, self._at)
        if self._thought_ends_before(end, run, block=block):
            return
        if end is not None:
            self._show(end)
        elif block:
            self._show(self._end_of_turn())
            self._stop()

    def _thought_ends_before(self, end: int | None, run: str, *, block: bool) -> bool:
        """Does a thought end there that had begun some code, or named a backtick? Then what comes behind it has its own
        code, and as many ends as beginnings."""
        depth = 0
        for mark in MARK.finditer(self._text, self._at, len(self._text) if end is None else end):
            kind = kind_of_safe(mark)
            depth += (kind == "open") - (kind == "close")
            if depth < 0:
                if not block and begins_line(self._text, mark.start()) and self._ends_line(mark):
                    return True
                after = mark.end()
                left = self._code.blocks_after(after) if block else self._code.runs_after(run, after)
                return self._done and left % 2 == 0
        return False

    def _end_of_turn(self) -> int:
        for mark in MARK.finditer(self._text, self._at):
            kind = kind_of_safe(mark)
            rest = self._text[mark.end() :].strip()
            then = MARK.match(rest)
            over = not rest or (then is not None and kind_of_safe(then) in ("start", "end"))
            if kind == "end" and mark["tag"] is None and over:
                return mark.start()
        return len(self._text)

    def _begins_answer(self, mark: re.Match[str]) -> bool:
        return not self._said and not self._text[self._at : mark.start()].strip()

    def _ends_line(self, mark: re.Match[str]) -> bool:
        after = self._text[mark.end() :].lstrip(" \t")
        return not after or after.startswith("\n")
