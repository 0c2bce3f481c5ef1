"""The marks that models and their templates write around what they say, and what each of them means.

A template's mark should never be text: it is one where the model's file and its template do not fit together, which is
common with models that people convert themselves. Known by their words, not one by one: ``<|begin_of_thought|>``,
``<|START_THINKING|>`` and ``<reasoning>`` all begin a thought.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["open", "close", "wrap", "unwrap", "start", "end", "channel", "message", "asks", "answers", "noise"]
"""``open``/``close``: a thought begins, ends. ``wrap``/``unwrap``: around the answer itself. ``start``: a turn begins,
its role follows. ``end``: the turn is over. ``channel``/``message``: harmony's (gpt-oss) headers. ``asks``/``answers``:
from here on it is not, or is, the assistant who speaks. ``noise``: means nothing to a reader."""

MARK = re.compile(
    r"(?P<code>`+|~{3,})"
    r"|(?:<[|｜]|\[\|)(?P<token>/?[\w▁][\w▁ /.:-]{0,40})(?:[|｜]>|\|\])"
    r"|<\|(?P<left>/?[a-z_]{2,20})>"
    r"|<(?P<right>/?[a-z_]{2,20})\|>"
    r"|<(?P<tag>/?[A-Za-z][\w:.-]{0,30})(?:\s[^<>\n]{0,80}?)?\s{0,8}(?P<empty>/)?>"
    r"|\[(?P<bracket>/?[A-Z][A-Z_]{1,18})\]"
    r"|◁(?P<triangle>/?\w{1,20})▷"
)

SURE = {"think", "thinking"}
"""Words in ``<>`` and ``[]`` that are never anything else. Others count where they begin a line or where their end
comes."""
WEAK = {
    "reason", "reflection", "analysis", "monologue", "internal", "deliberation", "plan", "planning", "inner",
}  # fmt: skip
"""Words that are names of other things as well: as tags they count where an answer begins, nowhere else."""
_THOUGHTS = SURE | WEAK | {
    "thought", "thoughts", "reasoning", "scratchpad", "cot", "chainofthought", "innermonologue", "innerthoughts",
    "internalthoughts", "antthinking", "seedthink", "longcatthink", "mmthink", "thinkfast", "thinkslow",
    "reasoningcontent",
}  # fmt: skip
_BRACKETS = SURE | {"thought", "thoughts", "reasoning"}
_AROUND = {
    "solution", "answer", "response", "final", "finalanswer", "finalresponse", "output", "reply", "text", "box",
    "result",
}  # fmt: skip
_AROUND_TAGS = _AROUND - {"text", "output", "result", "box"}
_ASK = {
    "user", "human", "system", "developer", "tool", "observation", "ipython", "environment", "function", "question",
    "usertoken", "systemtoken", "instruction", "latestreminder", "prompter",
}  # fmt: skip
_ANSWER = {"assistant", "model", "bot", "chatbot", "chatbottoken", "gpt", "ai"}
_START = {
    "imstart",
    "imassistant",
    "imuser",
    "imsystem",
    "startheaderid",
    "startofturn",
    "start",
    "turn",
    "startofturntoken",
    "startofrole",
    "header",
}
_END = {
    "imend", "eotid", "eomid", "eot", "eos", "eom", "eod", "eostoken", "endoftext", "end", "return", "call", "stop",
    "endofturn", "endofturntoken", "endofsentence", "endofmessage", "endofdocument", "endturn", "enduser",
    "endassistant", "endofassistant", "endofuser", "endoftextid", "endofutterance", "endofconversation", "turnend",
}  # fmt: skip
_PLAIN_END = {"s", "eos", "eostoken", "endofutterance", "endofturn", "endoftext", "eot", "imend", "eod"}
_PLAIN_NOISE = {"bos", "bostoken", "pad", "unk", "startofimage", "endofimage"}
AFTER_OPEN = ("", "thought")
"""What may stand between the mark of a thought and the model's first word; Gemma's names the channel."""

ROLE = re.compile(r"\s*([A-Za-z_]+)")
"""After a ``start``: whose turn it is."""
_QUOTE_BEFORE = re.compile(r"(?:^|[\s(\[,:>])[\"'`“‘«„]\Z", re.MULTILINE)
_QUOTE_AFTER = re.compile(r"[\"'`”’»“](?![\w<\[])")


def plain(name: str) -> str:
    return re.sub(r"[\W_▁]+", "", name.lower())


def role(name: str) -> Kind:
    """Whose turn begins: ``answers`` or ``asks``."""
    return "answers" if plain(name) in _ANSWER else "asks"


def kind_of(mark: re.Match[str]) -> Kind | None:
    """What a mark means; ``None``: it is text."""
    if mark["token"] is not None:
        return _token(mark["token"])
    if mark["left"] is not None or mark["right"] is not None:
        return _half(mark["left"], mark["right"])
    if mark["tag"] is not None:
        return _tag(mark["tag"])
    name, closes = plain(mark["bracket"] or mark["triangle"]), (mark["bracket"] or mark["triangle"]).startswith("/")
    if name in (_BRACKETS if mark["bracket"] else _THOUGHTS):
        return "close" if closes else "open"
    if mark["bracket"] and name == "inst":
        return "answers" if closes else "asks"
    return None


def kind_of_safe(mark: re.Match[str]) -> Kind | None:
    return None if mark["code"] else kind_of(mark)


def only_named(text: str, mark: re.Match[str], *, whole: bool) -> bool:
    """``"<think>"``: in quotes, a mark is named and not meant. Until it is known what follows, it may be."""
    if _QUOTE_BEFORE.search(text, max(0, mark.start() - 2), mark.start()) is None:
        return False
    return _QUOTE_AFTER.match(text, mark.end()) is not None or (not whole and mark.end() == len(text))


def _token(token: str) -> Kind:
    """``<|im_end|>``, ``<｜end▁of▁sentence｜>``: whatever is written like this comes from a template."""
    name, closes = plain(token), token.startswith("/")
    if name == "channel":
        return "channel"
    if name == "message":
        return "message"
    if name in _START:
        return "start"
    if name in _END:
        return "end"
    if name == "innerprefix":
        return "open"
    if name == "innersuffix":
        return "close"
    ends, word = _without_end(name.removeprefix("hy"))
    if word in _THOUGHTS:
        return "close" if closes or ends else "open"
    if word in _AROUND:
        return "unwrap" if closes or ends else "wrap"
    if word in _ASK:
        return "end" if closes or ends else "asks"
    if word in _ANSWER:
        return "end" if closes or ends else "answers"
    return "noise"


def _without_end(name: str) -> tuple[bool, str]:
    """``beginofthought`` → ``thought``; whether the name speaks of an end."""
    found = re.fullmatch(r"(?:(begin|start|end|close|stop)(?:of)?)?(.+?)(begin|start|open|end|close|stop)?", name)
    assert found is not None
    sides = {found[1], found[3]}
    return bool(sides & {"end", "close", "stop"}), found[2]


def _half(left: str | None, right: str | None) -> Kind | None:
    """Gemma 4's ``<|channel>thought`` … ``<channel|>``, ``<|turn>model`` … ``<turn|>``."""
    name = plain(left or right or "")
    if name in {"channel", *_THOUGHTS}:
        return "open" if left else "close"
    if name == "turn":
        return "start" if left else "end"
    return "noise" if name in {"tool", "toolcall", "toolresponse", "image", "audio", "video"} else None


def _tag(tag: str) -> Kind | None:
    """``<think>``, ``</s>``: most tags are text; these few words are not."""
    name, closes = plain(tag), tag.startswith("/")
    if name in _THOUGHTS:
        return "close" if closes else "open"
    if re.fullmatch(r"unused9[45]", name):  # Gemma's tokens for a thought, where nobody gave them names
        return "open" if name.endswith("4") else "close"
    if name in _PLAIN_NOISE or tag == "s":
        return "noise"
    if name == "startofturn":
        return "start"
    if name in _PLAIN_END and (closes or name != "s"):
        return "end"
    if name in _AROUND_TAGS:
        return "unwrap" if closes else "wrap"
    return None


def without_marks(thought: str) -> str:
    """What a thought says, without what is around it."""
    said = MARK.sub(lambda mark: mark[0] if kind_of_safe(mark) is None else "", thought).strip()
    return "" if said in AFTER_OPEN else said.removeprefix(f"{AFTER_OPEN[1]}\n")


_TAG_WORDS = (
    {"startofturn", "unused94", "unused95", "channel", "turn"} | _THOUGHTS | _PLAIN_END | _PLAIN_NOISE | _AROUND_TAGS
)
_BRACKET_WORDS = _BRACKETS | {"inst"}
_TOKEN_BEGUN = re.compile(r"(?:<[|｜]|\[\|)[^<>|｜\[\]\n]{0,44}[|｜]?\Z")
_WORD_BEGUN = re.compile(
    r"<(?P<tag>/?(?:[A-Za-z][\w:.-]{0,30})?)(?P<rest>\s[^<>\n]{0,80}|\||/)?\Z"
    r"|\[(?P<bracket>/?[A-Z_]{0,18})\Z"
    r"|◁/?\w{0,20}\Z"
)


def without_begun(text: str) -> str:
    """Without an end that may become a mark when more comes."""
    begun = _TOKEN_BEGUN.search(text) or _WORD_BEGUN.search(text)
    if begun is None:
        return text
    groups = begun.groupdict()
    tag, bracket = groups.get("tag"), groups.get("bracket")
    if tag is None and bracket is None:
        return text[: begun.start()]
    name, known = plain(tag or bracket or ""), _TAG_WORDS if tag is not None else _BRACKET_WORDS
    whole = groups.get("rest") is not None
    may_become = name in known if whole else any(word.startswith(name) for word in known)
    return text[: begun.start()] if may_become else text
