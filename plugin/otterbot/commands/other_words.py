"""The same picture with other words: what ``--prompt`` says, what ``+red scarf -cowboy hat`` adds and takes out.

Pure. The words that change are those that were drawn; of a prompt that a language model wrote, those that it was asked
with change too, as far as they stand there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import texts
from ..language.option_values import WordChange
from ..language.options import DrawOptions
from ..language.word_changes import has_empty_part, is_compound, with_added, without
from .outcome import Unusable
from .recorded_settings import Written


def other_words(
    typed: DrawOptions, used: DrawOptions, before: DrawOptions, written: Written | None, prefix: str
) -> tuple[DrawOptions, DrawOptions, DrawOptions, Written | None]:
    """``typed`` without its words and ``used`` with them, the words that nobody typed any more taken from ``before``,
    and what wrote the prompt, if its words are still drawn. The seed is kept where nobody says one.

    Raises :class:`Unusable` with what was not found.
    """
    if typed.prompt is None and not typed.changes:
        return typed, used, before, written
    if used.upscale is not None:
        raise Unusable(texts.upscaled_keeps_its_words(prefix))
    prompt, changes = used.prompt or "", typed.changes or ()
    if typed.prompt is not None:
        prompt, written = typed.prompt, None
    prompt = _changed(prompt, changes, prefix)
    if written is not None:
        asked_with = _as_far_as_there(written.prompt, changes)
        written = replace(written, prompt=asked_with) if asked_with else None
    typed = replace(typed, prompt=None, changes=None, seed="same" if typed.seed is None else typed.seed)
    return typed, replace(used, prompt=prompt), replace(before, prompt=None), written


def _changed(prompt: str, changes: Sequence[WordChange], prefix: str) -> str:
    compound = is_compound(prompt)
    if compound and any(change.added for change in changes):
        raise Unusable(texts.nothing_added_to_parts(prefix))
    left, missing = prompt, []
    for change in changes:
        if change.added:
            continue
        found = without(left, change.words)
        if found is None:
            missing.append(change.words)
        else:
            left = found
    if missing:
        raise Unusable(texts.words_not_found(missing, prefix))
    if compound and has_empty_part(left):
        raise Unusable(texts.part_left_empty(prefix))
    for change in changes:
        left = with_added(left, change.words) if change.added else left
    if not left.strip():
        raise Unusable(texts.no_words_left(prefix))
    return left


def _as_far_as_there(prompt: str, changes: Sequence[WordChange]) -> str:
    for change in changes:
        prompt = with_added(prompt, change.words) if change.added else without(prompt, change.words) or prompt
    return prompt.strip()
