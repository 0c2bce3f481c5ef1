"""The same picture with other words: what ``--prompt`` says, what ``+red scarf -cowboy hat`` adds and takes out, what
``style: pointillism`` changes.

Pure. The words that change are those that were drawn; of a prompt that a language model wrote, those that it was asked
with change too, as far as they stand there. Of a prompt by keys, words are taken out of the keys where they stand, and
added to ``subject``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .. import texts
from ..language.option_values import KeyChange, WordChange
from ..language.options import DrawOptions
from ..language.structures import WORDS, Structure, Value
from ..language.word_changes import has_empty_part, is_compound, with_added, without
from .outcome import Unusable
from .recorded_settings import Written

Words = tuple[DrawOptions, DrawOptions, DrawOptions, Written | None]


def other_words(
    typed: DrawOptions, used: DrawOptions, before: DrawOptions, written: Written | None, prefix: str, notes: list[str]
) -> Words:
    """``typed`` without its words and ``used`` with them, the words that nobody typed any more taken from ``before``,
    and what wrote the prompt, if its words are still drawn. The seed is kept where nobody says one.

    Raises :class:`Unusable` with what was not found.
    """
    if used.structure is not None and typed.negative_prompt is not None:
        used = replace(used, structure=used.structure.changed({"negative": typed.negative_prompt}))
    if typed.prompt is None and not typed.changes:
        return typed, used, before, written
    if used.upscale is not None:
        raise Unusable(texts.upscaled_keeps_its_words(prefix))
    keys = [change for change in typed.changes or () if isinstance(change, KeyChange)]
    changes = [change for change in typed.changes or () if isinstance(change, WordChange)]
    if typed.prompt is not None:
        used, written = replace(used, prompt=typed.prompt, structure=None), None
    if keys:
        used, before = _with_keys(used, before, keys, prefix)
        if written is not None:
            notes += [] if typed.expand else [texts.WRITTEN_LEFT_OUT]
            written = None
    if changes:
        used, written = _with_changes(used, written, changes, prefix, by_keys=written is None or bool(typed.expand))
    typed = replace(typed, prompt=None, changes=None, seed="same" if typed.seed is None else typed.seed)
    return typed, used, replace(before, prompt=None), written


def _with_keys(
    used: DrawOptions, before: DrawOptions, keys: Sequence[KeyChange], prefix: str
) -> tuple[DrawOptions, DrawOptions]:
    """``used`` with other values of some keys. Raises :class:`Unusable`."""
    if used.structure is None:
        raise Unusable(texts.no_keys(keys[0].name, prefix))
    structure = used.structure.changed({change.name: change.value for change in keys})
    if structure is None or not structure.prompt:
        raise Unusable(texts.no_words_left(prefix))
    used = replace(used, structure=structure, prompt=structure.prompt)
    if any(change.name == "negative" for change in keys):
        used = replace(used, negative_prompt=structure.negative)
        before = replace(before, negative_prompt=structure.negative)
    return used, before


def _with_changes(
    used: DrawOptions, written: Written | None, changes: Sequence[WordChange], prefix: str, *, by_keys: bool
) -> tuple[DrawOptions, Written | None]:
    """``by_keys``: the words that change are those of the keys, if there are any."""
    structure = used.structure
    if structure is not None and by_keys:
        structure = _in_keys(structure, changes, prefix)
        return replace(used, structure=structure, prompt=structure.prompt), written
    used = replace(used, prompt=_changed(used.prompt or "", changes, prefix))
    if written is not None:
        if structure is not None:
            structure = _in_keys_as_far_as_there(structure, changes)
            used = replace(used, structure=structure)
        asked_with = _as_far_as_there(written.prompt, changes) if structure is None else structure.prompt
        written = replace(written, prompt=asked_with) if asked_with else None
    return used, written


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
        if change.added:
            prompt = with_added(prompt, change.words)
        else:
            found = without(prompt, change.words)
            prompt = prompt if found is None else found
    return prompt.strip()


def _in_keys(structure: Structure, changes: Sequence[WordChange], prefix: str) -> Structure:
    missing = []
    left: Structure | None = structure
    for change in changes:
        if change.added:
            continue
        found = None if left is None else _taken_out(left, change.words)
        if found is None:
            missing.append(change.words)
        else:
            left = Structure.of(found)
    if missing:
        raise Unusable(texts.words_not_found(missing, prefix))
    left = _with_added(left, changes)
    if left is None or not left.prompt:
        raise Unusable(texts.no_words_left(prefix))
    return left


def _in_keys_as_far_as_there(structure: Structure, changes: Sequence[WordChange]) -> Structure | None:
    left: Structure | None = structure
    for change in changes:
        found = None if change.added or left is None else _taken_out(left, change.words)
        left = left if found is None else Structure.of(found)
    left = _with_added(left, changes)
    return left if left is not None and left.prompt else None


def _with_added(structure: Structure | None, changes: Sequence[WordChange]) -> Structure | None:
    """Things are added to the subject: a style is often another one soon."""
    for change in changes:
        if change.added:
            subject = None if structure is None else structure.get("subject")
            items = () if not subject else (subject,) if isinstance(subject, str) else subject
            value = (*items, change.words)
            one = {"subject": value if len(value) > 1 else value[0]}
            structure = Structure.of(one) if structure is None else structure.changed(one)
    return structure


def _taken_out(structure: Structure, words: str) -> dict[str, Value | None] | None:
    """The keys without ``words``; ``None``: they stand in none."""
    found, there = dict[str, Value | None](structure.parts), False
    for name in WORDS:
        value = structure.get(name)
        texts_of = (value,) if isinstance(value, str) else value or ()
        left = [without(text, words) for text in texts_of]
        if all(one is None for one in left):
            continue
        there = True
        kept = [text if one is None else one for text, one in zip(texts_of, left, strict=True)]
        kept = [one for one in kept if one]
        found[name] = None if not kept else kept[0] if isinstance(value, str) else tuple(kept)
    return found if there else None
