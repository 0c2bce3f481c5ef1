"""Who is spoken to: ``otterbot: draw a fox``, a mention or a pill before a command.

============================================= =====================================================================
what stands before the command                when it counts
============================================= =====================================================================
``@otterbot:server`` ``@otterbot`` ``@Otter`` always: the account's name, its local part or its display name behind
                                              an ``@``
a pill, ``[Otter](https://matrix.to/#/@…)``   always: a link to the account, whatever it is called in it
``otterbot:`` ``Otter,``                      the local part or the display name, with a colon or a comma
``Otter draw …``                              only if the message says that it mentions the account (``m.mentions``)
============================================= =====================================================================

Capitals make no difference. Only at the beginning of a message a mention makes a command of what follows. What is no
command then is something said to the bot, for a chat; there a mention counts wherever it stands
(:func:`names_anywhere`). Pure; linear.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

from .typed import clean

_LINK = r"(?:https?://matrix\.to/#/|matrix:u/)(?P<who>[^\s\"'<>()\[\]?/]{1,600})(?:\?[^\s\"'<>()\[\]]{0,600})?"
_WRITTEN_LINK = re.compile(rf"\[(?P<shown>[^\[\]\n]{{0,300}})\]\(<?{_LINK}>?\)|<?{_LINK.replace('who', 'bare')}>?")
_PILL = re.compile(
    rf"\s*(?:<(?!a\b)[^<>]{{0,300}}>\s*){{0,8}}<a\b[^<>]{{0,300}}?\bhref\s*=\s*[\"']{_LINK}[\"'][^<>]{{0,300}}>"
    r"(?P<text>.{0,600}?)</a>",
    re.DOTALL | re.IGNORECASE,
)
_ANY_PILL = re.compile(rf"<a\b[^<>]{{0,300}}?\bhref\s*=\s*[\"']{_LINK}[\"']", re.IGNORECASE)
_QUOTED = re.compile(r"<blockquote>.*?</blockquote>", re.DOTALL | re.IGNORECASE)
_REPLY = re.compile(r"\s*<mx-reply>.*?</mx-reply>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,300}>")
_AFTER_SURE = re.compile(r"\s*[:,;：，、；،؛]\s*|\s+[-–—]\s+|\s+")
_AFTER_NAME = re.compile(r"\s*[:,：，、،]\s*")
_LONGEST = 300
"""Characters of a name."""
_PLACES = 20
_SCANNED = 8_000
"""Characters of a formatted body that are looked at for a pill."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """How the bot is called in a room."""

    user_id: str
    names: Sequence[str] = ()
    """Display names."""

    @property
    def local(self) -> str:
        return self.user_id.removeprefix("@").partition(":")[0]


def after_mention(text: str, account: Account, *, formatted: str = "", mentioned: bool = False) -> str | None:
    """What stands behind the mention with which ``text`` (cleaned) begins; ``None`` if it begins with none."""
    text = text.lstrip()
    if (link := _WRITTEN_LINK.match(text)) is not None and _is(link["who"] or link["bare"], account.user_id):
        return _rest(text, link.end(), _AFTER_SURE)
    names = [name for one in (*account.names, account.local) if (name := " ".join(clean(one).split()))]
    sure = [account.user_id]
    pill = _pill(formatted, account.user_id)
    for name in names if pill is None else [*names, pill]:
        sure += [f"@{name}", f"@[{name}]"]  # some clients put names into brackets
    if pill is not None:
        sure.append(pill)
    if mentioned:
        sure += names
    for name in sorted(dict.fromkeys(sure), key=len, reverse=True):
        if (found := _rest_behind(text, name, _AFTER_SURE)) is not None:
            return found
    for name in sorted(names, key=len, reverse=True):
        if (found := _rest_behind(text, name, _AFTER_NAME)) is not None:
            return found
    return None


def names_anywhere(text: str, account: Account, *, formatted: str = "") -> bool:
    """Does a message name the account in a way that can mean nobody else: its whole name, its local part or a display
    name behind an ``@``, or a link to it, wherever that stands? A quotation in HTML's form does not count."""
    links = (found["who"] or found["bare"] for found in _WRITTEN_LINK.finditer(text))
    if any(_is(link, account.user_id) for link in links):
        return True
    shown = _QUOTED.sub("", _REPLY.sub("", formatted[:_SCANNED]))
    if any(_is(html.unescape(found["who"]), account.user_id) for found in _ANY_PILL.finditer(shown)):
        return True
    names = [name for one in (account.local, *account.names) if (name := " ".join(clean(one).split()))]
    whole = re.escape(account.user_id)
    behind_at = "|".join(r"\s+".join(re.escape(word) for word in name.split()) for name in names)
    # "@otterbot:elsewhere" is somebody else, and so is "@otterbotter".
    pattern = rf"(?<![\w@.])(?:{whole}(?![\w.-]*\w)|@\[?(?:{behind_at})\]?(?![\w-]|:\w|\.\w))"
    return re.search(pattern, text, re.IGNORECASE) is not None


def behind_names(text: str, *, mentioned: bool) -> Iterator[str]:
    """What would stand behind the bot's name, for each place in which ``text`` (cleaned) could have it."""
    head = text.lstrip()
    after = _AFTER_SURE if mentioned or head.startswith("@") else _AFTER_NAME
    for found in islice(after.finditer(head, 1, _LONGEST), _PLACES):
        yield head[found.end() :]


def _is(link: str, user_id: str) -> bool:
    named = unquote(link)
    return named == user_id or f"@{named}" == user_id  # ``matrix:u/`` writes no ``@``


def _pill(formatted: str, user_id: str) -> str | None:
    """The words of the link to the account with which a formatted body begins."""
    reply = _REPLY.match(formatted)
    found = _PILL.match(formatted[reply.end() if reply else 0 :][:_SCANNED])
    if found is None or not _is(html.unescape(found["who"]), user_id):
        return None
    return " ".join(clean(html.unescape(_TAG.sub("", found["text"]))).split()) or None


def _rest_behind(text: str, name: str, after: re.Pattern[str]) -> str | None:
    pattern = r"\s+".join(re.escape(word) for word in name.split())
    found = re.match(pattern, text, re.IGNORECASE)
    return None if found is None else _rest(text, found.end(), after)


def _rest(text: str, position: int, after: re.Pattern[str]) -> str | None:
    behind = after.match(text, position)
    return None if behind is None else text[behind.end() :]
