"""What is said to the keys of a structured prompt that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..language.key_values import MAX_CHARACTERS, MAX_KEYS, MAX_LINES
from ..language.structures import KEYS, MAX_ITEMS, MAX_THEME
from .captions import MAX_CAPTION
from .escape import code, plain
from .jobs import typed

if TYPE_CHECKING:
    from ..language.problems import UsageProblem

_WHY = {
    "no_key": "It begins with no key (`subject:` and a space), and is not further in than the line above.",
    "unclosed": "A quote that begins its value does not end. Put another one behind it, or leave it out.",
    "bracket": "A bracket that begins there is not closed. Close it, or put all of it in quotes.",
    "special": "Anchors, aliases, tags and merges of YAML are not read here. If these are words, put them in quotes.",
    "deep": "A key holds words or a list here, and no other keys.",
    "many": f"That is more than I read: {MAX_KEYS} keys and {MAX_LINES} lines.",
    "long": f"That is longer than I read: {MAX_CHARACTERS} characters.",
    "items": f"A list holds at most {MAX_ITEMS} things.",
    "json_comma": "There a comma is missing.",
    "json_colon": "There a colon is missing behind a key.",
    "json_quotes": "A key in quotes has to stand there.",
    "json_last": "Behind the last one there is no comma.",
    "json_end": "A quote that begins there does not end.",
    "json_value": "A value has to stand there: words in quotes, a list, a number, `true` or `false`.",
    "json": "That is no JSON.",
}


def keys_problem(problem: UsageProblem, prefix: str) -> str:
    key = code(problem.flag + ":")
    match problem.code:
        case "unknown_key":
            said = f"I do not know the key {key}."
            if problem.near:
                near = " or ".join(code(one + ":") for one in problem.near)
                return (
                    f"{said} Did you mean {near}? If it is no key but words, put the line in quotes behind `subject:`."
                )
            keys = ", ".join(code(one) for one in KEYS)
            return f"{said} There are {keys}, and the options, such as `steps: 30`."
        case "key_twice":
            return f"The key {key} is there twice. Please put both into one; `- …` in lines below it makes a list."
        case "bad_switch":
            return f"{key} takes `true` or `false`."
        case "long_theme":
            return f"{key} names the file, in at most {MAX_THEME} characters."
        case "no_words":
            draw = code(typed(prefix, "draw subject: otter"))
            return f"There is nothing to draw in that. `subject:` says what it is, as in {draw}."
    shown = next(iter(problem.near), "")
    where = f"Line {problem.line} of it ({code(shown)})" if shown else f"Line {problem.line} of it"
    return f"{where} cannot be read. {_WHY.get(problem.flag, _WHY['json'])}"


def structure_became(sentence: str) -> str:
    return f"The keys become this sentence:\n\n> {plain(sentence, MAX_CAPTION)}"


def no_keys(key: str, prefix: str) -> str:
    again = code(typed(prefix, "again --prompt …"))
    style = f" {code(typed(prefix, 'again --style NAME'))} draws it in another style." if key == "style" else ""
    return (
        f"That picture was not asked for by keys, so there is no {code(key + ':')} to change. {again} says its words "
        f"anew, and {code(typed(prefix, 'again +red scarf -hat'))} changes some.{style}"
    )


WRITTEN_LEFT_OUT = "What a language model had written is left out; with `--expand` it is written anew."
WORKER_WITHOUT_KEYS = "The worker is too old to keep the keys, so the sentence alone was drawn."
