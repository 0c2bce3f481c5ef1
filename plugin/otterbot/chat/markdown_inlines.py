"""What stands in a line: CommonMark's, with strikethrough and maths.

``$…$`` is maths where the dollars touch it on the inside, no letter or digit touches them on the outside, and it does
not read like a price. Each dollar is tried with the next one only, so that nothing is looked through twice.
"""

from __future__ import annotations

import re
from typing import Any

from commonmark.inlines import InlineParser, text  # type: ignore[import-untyped]
from commonmark.node import Node  # type: ignore[import-untyped]

MAX_MATHS = 2_000
"""Characters of a formula in a line."""

_PLAIN = re.compile(r"^[^\n`\[\]\\!<&*_'\"~$]+", re.MULTILINE)
_NEXT_DOLLAR = re.compile(r"(?<!\\)(?:\\\\)*\$")
_DISPLAYED = re.compile(rf"\$\$(?=[^$])(.{{1,{MAX_MATHS}}}?)\$\$(?!\$)", re.DOTALL)
_DOLLARS = re.compile(r"\$+")
_PRICE = re.compile(r"\d[\d.,]*[kKmM]?(?:\s*[-–/]\s*|\s+)[^\W\d_]{3,}")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


class Inlines(InlineParser):  # type: ignore[misc]
    subject: str
    pos: int
    delimiters: Any

    def parseInline(self, block: Any) -> bool:
        c = self.peek()
        if c == "~":
            return bool(self.handleDelim(c, block))
        if c == "$" and self._dollars(block):
            return True
        if c == "$":
            self.pos += 1
            block.append_child(text(c))
            return True
        if c == "<" and block.t == "custom_block_cell" and (tag := _BREAK.match(self.subject, self.pos)):
            self.pos = tag.end()
            block.append_child(Node("linebreak", None))
            return True
        return bool(super().parseInline(block))

    def parseString(self, block: Any) -> bool:
        found = self.match(_PLAIN)
        if found:
            block.append_child(text(found))
        return bool(found)

    # -- maths

    def parseBackslash(self, block: Any) -> bool:
        r"""Also ``\(…\)`` and ``\[…\]``."""
        end = {"(": "\\)", "[": "\\]"}.get(self.subject[self.pos + 1 : self.pos + 2])
        if end is not None:
            ends = self.subject.find(end, self.pos + 2, self.pos + 2 + MAX_MATHS)
            if ends > 0 and (source := self.subject[self.pos + 2 : ends].strip()):
                return self._maths(block, source, ends + 2)
        return bool(super().parseBackslash(block))

    def _dollars(self, block: Any) -> bool:
        subject, start = self.subject, self.pos
        if subject.startswith("$$", start):
            displayed = _DISPLAYED.match(subject, start)
            if displayed is not None and displayed[1].strip():
                return self._maths(block, displayed[1].strip(), displayed.end())
            self._past_dollars(block)
            return True
        if subject[start - 1 : start].isalnum() or subject[start + 1 : start + 2].strip() == "":
            return False
        ends = _NEXT_DOLLAR.search(subject, start + 1, start + 1 + MAX_MATHS)
        if ends is None:
            return False
        source, after = subject[start + 1 : ends.end() - 1], subject[ends.end() : ends.end() + 1]
        if source[-1:].strip() == "" or after.isalnum() or after == "$" or "\n\n" in source or _PRICE.match(source):
            return False
        return self._maths(block, source, ends.end())

    def _past_dollars(self, block: Any) -> None:
        run = _DOLLARS.match(self.subject, self.pos)
        assert run is not None
        self.pos = run.end()
        block.append_child(text(run[0]))

    def _maths(self, block: Any, source: str, end: int) -> bool:
        node = Node("maths", None)
        node.literal = source
        block.append_child(node)
        self.pos = end
        return True

    # -- emphasis and strikethrough

    def scanDelims(self, c: str) -> Any:
        """One or two tildes strike out; one stands around words, since ``5~10`` is a range to many people."""
        found = super().scanDelims(c)
        if c == "~" and found is not None:
            count, before = found["numdelims"], self.subject[self.pos - 1 : self.pos] if self.pos else ""
            after = self.subject[self.pos + count : self.pos + count + 1]
            single = count == 1
            found["can_open"] = found["can_open"] and count <= 2 and not (single and before.isalnum())
            found["can_close"] = found["can_close"] and count <= 2 and not (single and after.isalnum())
        return found

    def processEmphasis(self, stack_bottom: Any) -> None:
        """As CommonMark has it, with ``~``. The library compares whole stacks where it means one entry."""
        bottoms: dict[tuple[Any, ...], Any] = {}
        closer = self.delimiters
        while closer is not None and closer["previous"] is not stack_bottom:
            closer = closer["previous"]
        while closer is not None:
            if not closer["can_close"]:
                closer = closer["next"]
                continue
            kind = (closer["cc"], closer["can_open"], closer["origdelims"] if closer["cc"] == "~" else
                    closer["origdelims"] % 3)  # fmt: skip
            opener, bottom = closer["previous"], bottoms.get(kind, stack_bottom)
            while opener is not None and opener is not stack_bottom and opener is not bottom:
                if _match(opener, closer):
                    break
                opener = opener["previous"]
            else:
                opener = None
            if opener is not None:
                closer = self._wrap(opener, closer)
                continue
            bottoms[kind] = closer["previous"]
            old, closer = closer, closer["next"]
            if not old["can_open"]:
                self.removeDelimiter(old)
        while self.delimiters is not None and self.delimiters is not stack_bottom:
            self.removeDelimiter(self.delimiters)

    def _wrap(self, opener: Any, closer: Any) -> Any:
        """Put what stands between them into a node; the entry to go on with."""
        first, last = opener["node"], closer["node"]
        if closer["cc"] == "~":
            used, kind = closer["numdelims"], "custom_inline_struck"
        else:
            used = 2 if closer["numdelims"] >= 2 and opener["numdelims"] >= 2 else 1
            kind = "emph" if used == 1 else "strong"
        node = Node(kind, None)
        for entry in (opener, closer):
            entry["numdelims"] -= used
            entry["node"].literal = entry["node"].literal[used:]
        between = first.nxt
        while between is not None and between is not last:
            following = between.nxt
            node.append_child(between)
            between = following
        first.insert_after(node)
        if opener["next"] is not closer:
            opener["next"], closer["previous"] = closer, opener
        if opener["numdelims"] == 0:
            first.unlink()
            self.removeDelimiter(opener)
        if closer["numdelims"] == 0:
            following = closer["next"]
            last.unlink()
            self.removeDelimiter(closer)
            return following
        return closer


def _match(opener: Any, closer: Any) -> bool:
    if opener["cc"] != closer["cc"] or not opener["can_open"]:
        return False
    if closer["cc"] == "~":
        return bool(opener["numdelims"] == closer["numdelims"])
    odd = (closer["can_open"] or opener["can_close"]) and closer["origdelims"] % 3 != 0
    return not (odd and (opener["origdelims"] + closer["origdelims"]) % 3 == 0)
