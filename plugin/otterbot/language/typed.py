"""Removes invisible characters from typed text, before it is parsed.

Phones, keyboards and copied web pages put characters into a text that show nothing and change what a program reads.

=========================================== =======================================================================
what stands there                           what becomes of it
=========================================== =======================================================================
zero-width spaces, word joiners, soft        gone
hyphens, marks of the writing direction,
BOM, control characters
zero-width joiner (ZWJ) and non-joiner       kept where they act: ZWJ between emoji; both between letters of a script
                                             that joins (Persian, Arabic, those of India …). Gone elsewhere
variation selectors                          kept behind symbols and emoji, CJK and Mongolian letters. Gone elsewhere
tag characters                               kept in the flags of England, Scotland and Wales. Gone elsewhere
non-breaking and other spaces, blank         a space; the ideographic space stays, since all that parses knows it
letters
line ends of any kind                        a line feed
half a surrogate pair                        a question mark: it could neither be stored nor sent on
=========================================== =======================================================================

Everything else stays as it was typed. Cleaning twice is cleaning once. One pass, linear.
"""

from __future__ import annotations

import re
import unicodedata

_ZWNJ, _ZWJ = "\u200c", "\u200d"
_BLACK_FLAG = "\U0001f3f4"
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SPACE = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u115f\u1160\u2800\u3164\uffa0]")
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
_JOINING = re.compile(
    "[\u0600-\u085f\u08a0-\u0dff\u0f00-\u109f\u1700-\u18af\u1980-\u1aaf\u1b00-\u1c4f\ua800-\ua8ff\ua980-\uaaff"
    "\uabc0-\uabff\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00010aff\U00011000-\U00011dff\U0001e900-\U0001e95f]"
)
"""Scripts in which the joiners choose the shape of a letter."""
_KEYCAP = "\u20e3"
_SYMBOLS_OF_EMOJI = frozenset("\u203c\u2049\u3030\u303d")
"""Punctuation that has a second shape as an emoji."""
_DASHES = frozenset("\u2212\u02d7\u207b\u208b\u2500\u2501")
"""Symbols that count as dashes (:mod:`.dashes`)."""


def clean(text: str) -> str:
    """``text`` as this module's docstring says. Never raises."""
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-8", "replace").decode("utf-8")
    text = _SPACE.sub(" ", _LINE_END.sub("\n", text))
    return _UNSEEN.sub(_kept, text)


def folded(text: str) -> str:
    """For comparing: capitals and full-width forms are the plain small letters."""
    return unicodedata.normalize("NFKC", text).casefold()


def _kept(run: re.Match[str]) -> str:
    """The invisible characters of a run that affect the characters around it."""
    text = run.string
    before = text[run.start() - 1] if run.start() else ""
    behind = text[run.end() : run.end() + 1]
    kept: list[str] = []
    for one in run[0]:
        last = kept[-1] if kept else before
        if _acts(one, last, before, behind):
            kept.append(one)
    while kept and kept[-1] == _ZWJ and not _ends_with_joiner(before, behind):
        kept.pop()
    return "".join(kept)


def _acts(one: str, last: str, before: str, behind: str) -> bool:
    if "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef":
        return last == before and (_is_symbol(before) or _is_ideograph(before) or behind == _KEYCAP)
    if "\u180b" <= one <= "\u180f" and one != "\u180e":
        return last == before and "\u1820" <= before <= "\u18aa"
    if "\U000e0020" <= one <= "\U000e007f":
        return before == _BLACK_FLAG and (last == before or "\U000e0020" <= last <= "\U000e007e")
    if one == _ZWNJ:
        return last == before and _joins(before) and _joins(behind)
    if one == _ZWJ:
        return last != _ZWJ and _ends_with_joiner(before, behind)
    return False


def _ends_with_joiner(before: str, behind: str) -> bool:
    """May a ZWJ stand between these two?"""
    return _joins(before) or (_is_symbol(before) and _is_symbol(behind))


def _joins(one: str) -> bool:
    return bool(one) and _JOINING.match(one) is not None and unicodedata.category(one)[0] in "LM"


def _is_symbol(one: str) -> bool:
    """An emoji, or a sign that can be shown as one; dashes of mathematics are none."""
    return bool(one) and one not in _DASHES and (
        one in _SYMBOLS_OF_EMOJI or (one > "\x7f" and unicodedata.category(one) in ("So", "Sk", "Sm"))
    )  # fmt: skip


def _is_ideograph(one: str) -> bool:
    return bool(one) and (one in "\u3297\u3299" or (one >= "\u3400" and unicodedata.category(one) == "Lo"))
