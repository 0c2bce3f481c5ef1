"""Sentences about contact sheets and their fields."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import numeric
from .captions import expanded, prompt_lines, summary, words_of
from .escape import code, plain
from .jobs import count_of, seconds_taken, typed

if TYPE_CHECKING:
    from ..worker.info import ModelDefaults

BATCH_SAID = {
    "auto": "Three or more pictures of one request come on one numbered sheet, fewer each by itself.",
    "sheet": "Several pictures of one request come on one numbered sheet.",
    "separate": "Several pictures of one request come each by itself.",
}
SHEET_OF_ONE = "One picture makes no sheet, so it comes by itself."
SHEET_AND_FILMS = "Films come with pictures by themselves, so there is no sheet."
NO_SHEET = "The sheet could not be made, so the pictures come one by one."
SHEET_OLD_WORKER = "This worker makes no sheets, so the pictures come one by one."
FIELD_TOO_LONG = (
    "What makes that picture again did not fit into the message, and the worker does not have it any more. "
    "Please ask for it in words."
)


def batch_usage(prefix: str) -> str:
    return (
        f"Several pictures of one request come as {code('auto')} (on one sheet from three on), {code('sheet')} or "
        f"{code('separate')}: {code(typed(prefix, 'settings batch sheet'))}."
    )


def sheet_caption(records: Sequence[Mapping[str, Any]], own: ModelDefaults | None = None) -> str:
    """Markdown: the words, and a line of what all the pictures have in common. ``records``: one at least; ``own``: as
    for a picture's caption."""
    used = [record["used"] for record in records if isinstance(record.get("used"), Mapping)]
    prompts = list(dict.fromkeys(map(words_of, used)))
    common = _common(used)
    took = sum(seconds_taken(record) for record in records)
    line = summary({"used": common, "asked": records[0].get("asked"), **({"took": took} if took else {})}, own)
    if "seed" not in common and (seeds := _seeds(used)):
        first, _, rest = line.partition(" · ")
        line = " · ".join(part for part in ((first, seeds, rest) if "model" in common else (seeds, line)) if part)
    templates = prompts if len(prompts) == 1 else list(dict.fromkeys(map(_template, used)))
    words = prompt_lines(templates[0]) if len(templates) == 1 and templates[0] else ""
    return "\n\n".join(part for part in (words, line, expanded(common)) if part)


def _template(used: Mapping[str, Any]) -> str:
    """What a picture's words were drawn from by chance; ``""`` where they were not."""
    chance = used.get("chance")
    found = chance.get("prompt") if isinstance(chance, Mapping) else None
    return found if isinstance(found, str) else ""


def _common(used: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not used:
        return {}
    return {name: value for name, value in used[0].items() if all(one.get(name) == value for one in used)}


def _seeds(used: Sequence[Mapping[str, Any]]) -> str:
    """``seeds 7–10``, ``seeds 7, 9, 12``; nothing where there are many that do not follow each other."""
    seeds = [seed for one in used if (seed := numeric.whole(one.get("seed"))) is not None]
    if len(seeds) < 2:
        return ""
    if all(after == before + 1 for before, after in itertools.pairwise(seeds)):
        return f"seeds {seeds[0]}–{seeds[-1]}"
    return f"seeds {', '.join(map(str, seeds))}" if len(seeds) <= 9 else ""


def alt_of_fields(alts: Sequence[tuple[str, str]]) -> str:
    """What each picture shows: names of fields and the captioner's words."""
    return "\n\n".join(f"{name}: {plain(alt, 300)}" for name, alt in alts)


def how_to_choose(name: str, prefix: str) -> str:
    """``name``: of one of its fields."""
    return f"For one of them in full, reply {code(name)}, or {code(typed(prefix, f'upscale {name}'))}."


def no_such_field(said: str, count: int) -> str:
    return f"That sheet has {count_of(count, 'field', 'fields')}; there is no {code(said)} on it."


def field_is_empty(said: str, absent: str) -> str:
    why = "was cancelled" if absent == "cancelled" else "failed"
    return f"There is no picture in field {code(said)}: it {why}."


def which_field(command: str, prefix: str) -> str:
    more = " …" if command == "sweep" else ""  # the settings follow
    return f"That is a sheet of several pictures. Say which one: {code(typed(prefix, f'{command} 2{more}'))}."


def which_by_number(command: str, prefix: str) -> str:
    """To a reaction on all of them."""
    return (
        f"That is a sheet of several pictures. React with a number (2️⃣) and then to the one that comes, or reply "
        f"{code(typed(prefix, f'{command} 2'))}."
    )


def sheet_is_no_start(prefix: str) -> str:
    return (
        f"That is a sheet of several pictures. Choose one first, with {code('2')} as a reply to it, and reply to that "
        f"one with {code(typed(prefix, 'draw …'))}."
    )
