"""The LoRAs and embeddings of a request: found and checked when it is accepted, found again when it is drawn.

What is stored is names and hashes, never paths: the operator's folders may lie elsewhere tomorrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import CannotLook, JobFailed, look_failed
from ..families import FAMILIES
from ..models.entries import ModelEntry
from ..models.loras import Extra, Kind, Library
from ..prompts import StepCount
from ..prompts.lora_tags import (
    EMBEDDINGS_MAX,
    LORA_WEIGHT_MAX,
    LORAS_MAX,
    MISTAKES,
    Mistake,
    embedding_words,
    lora_tags,
    unknown_embeddings,
)
from ..schemas.draw_files import EmbeddingFile, LoraFile
from ..schemas.jobs import FieldProblem
from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import UsedEmbedding, UsedLora

NAMES_SHOWN = 12
SHORT_HASH = 12
"""Digits of a hash as A1111 and model sites show it."""

_CODES: dict[Mistake, str] = {"weight": "bad_lora_weight", "many": "too_many_loras"}
_MISTAKES = {mistake: (_CODES.get(mistake, "bad_lora"), sentence) for mistake, sentence in MISTAKES.items()}


@dataclass(kw_only=True)
class ChosenLoras:
    """The LoRAs and embeddings of the prompts that are here and fit."""

    loras: list[UsedLora] = field(default_factory=list)
    embeddings: list[UsedEmbedding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)

    def refuse(self, code: str, message: str, where: str = "request.prompt") -> None:
        self.problems.append(FieldProblem(field=where, code=code, message=message))


def find_loras(
    prompt: str, negative_prompt: str, entry: ModelEntry, library: Library, steps: StepCount | None = None
) -> ChosenLoras:
    """Find the LoRAs and embeddings of both prompts. ``steps``: for schedules. May hash files, so it runs in a
    thread."""
    wanted = ChosenLoras()
    tags, negative = lora_tags(prompt), lora_tags(negative_prompt)
    for mistake in tags.mistakes:
        wanted.refuse(*_MISTAKES[mistake])
    if negative.loras or negative.mistakes:
        sentence = "A LoRA acts on the whole picture and belongs into the prompt, not into the negative one; "
        wanted.refuse("lora_in_negative", sentence + "a negative weight turns it round.", "request.negative_prompt")
    for number, tag in enumerate(tags.loras[:LORAS_MAX], 1):
        which = "LoRA" if len(tags.loras) == 1 else f"LoRA number {number}"
        _add_lora(wanted, tag.name, tag.weight, which, entry, library)
    _add_embeddings(wanted, (tags.text, negative.text), entry, library, steps)
    return wanted


def _add_lora(wanted: ChosenLoras, typed: str, weight: float, which: str, entry: ModelEntry, library: Library) -> None:
    extra = library.find("lora", typed)
    if extra is None:
        wanted.refuse("unknown_lora", f"{which}: there is none of that name. {_known(library)}")
        return
    if (problem := _problem(extra, entry)) is not None:
        broken = extra.problem is not None and extra.family != "other"
        wanted.refuse("lora_broken" if broken else "lora_mismatch", f"The LoRA `{extra.name}` {problem}.")
        return
    for number, lora in enumerate(wanted.loras):  # named twice in different capitals
        if lora.name == extra.name:
            both = round(lora.weight + weight, 6)
            wanted.loras[number] = lora.model_copy(update={"weight": both})
            if abs(both) > LORA_WEIGHT_MAX:
                wanted.refuse(*_MISTAKES["weight"])
            return
    try:
        hashes = library.hashes(extra)
    except OSError as error:
        look_failed(error, f"the LoRA {extra.name}")
        wanted.refuse("lora_broken", f"The LoRA `{extra.name}` is not there any more.")
        return
    wanted.loras.append(UsedLora(name=extra.name, weight=weight, hash=hashes.file, autov3=hashes.tensors[:SHORT_HASH]))


def _add_embeddings(
    wanted: ChosenLoras, texts: Sequence[str], entry: ModelEntry, library: Library, steps: StepCount | None
) -> None:
    """Add the embeddings of one prompt. Unusable ones get a note, and their word stays a plain word."""
    try:
        by_word = library.words()
    except CannotLook as error:
        # Unknown whether any word is an embedding. Most prompts have none, so draw, with a note.
        wanted.notes.append(f"No embedding was used: {error}.")
        return
    if any(unknown_embeddings(text, by_word, steps) for text in texts):
        wanted.notes.append("An embedding that is named with `embedding:` is not on the worker; it was read as words.")
    for word in dict.fromkeys(word for text in texts for word in embedding_words(text, by_word, steps)):
        extra = by_word[word]
        problem = _problem(extra, entry)
        if problem is None and len(wanted.embeddings) >= EMBEDDINGS_MAX:
            problem = f"was one too many; a picture takes {EMBEDDINGS_MAX}"
        if problem is None:
            try:
                hashed = library.hashes(extra).file
            except OSError as error:
                look_failed(error, f"the embedding {extra.name}")
                problem = "is not there any more"
            else:
                wanted.embeddings.append(UsedEmbedding(token=word, name=extra.name, hash=hashed))
        note = f"The embedding {extra.name} {problem}; it was read as a word."
        if problem is not None and note not in wanted.notes:
            wanted.notes.append(note)


def _problem(extra: Extra, entry: ModelEntry) -> str | None:
    """Why the file cannot be used with this model, as the end of a sentence. :raises CannotLook:"""
    if extra.unread is not None:
        raise CannotLook(f"the {'LoRA' if extra.kind == 'lora' else 'embedding'} {extra.name}", extra.unread)
    if extra.problem is not None:
        return extra.problem
    if not (entry.abilities.loras if extra.kind == "lora" else entry.abilities.embeddings):
        kind = "LoRA" if extra.kind == "lora" else "embedding"
        return f"cannot be used: no {kind} works with {entry.name}"
    width = entry.prompt_width()
    if extra.width is not None and width == extra.width:
        return None  # equal widths count more than the trainer's notes
    if extra.family not in (None, entry.family):
        family = FAMILIES.get(str(extra.family))
        made_for = family.title if family is not None else "other"
        return f"is made for {made_for} models, and {entry.name} is none"
    if extra.width is not None and width is not None:
        return f"is made for another model than {entry.name}"
    return None


def _known(library: Library) -> str:
    names = [name for name, extra in library.all("lora").items() if extra.problem is None]
    if not names:
        return "The worker has no LoRAs; the operator puts their files into `loras/` in its data directory."
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"There are: {', '.join(f'`{name}`' for name in names[:NAMES_SHOWN])}{more}."


# ---------------------------------------------------------------- when it is drawn


def lora_files(request: ResolvedRequest, library: Library) -> tuple[LoraFile, ...]:
    """The request's LoRAs with their paths now.

    :raises JobFailed: a file is not there any more
    """
    return tuple(LoraFile(**dict(one), path=_path("lora", one.name, library)) for one in request.loras)


def embedding_files(request: ResolvedRequest, library: Library) -> tuple[EmbeddingFile, ...]:
    """The request's embeddings with their paths now.

    :raises JobFailed: a file is not there any more
    """
    return tuple(EmbeddingFile(**dict(one), path=_path("embedding", one.name, library)) for one in request.embeddings)


def _path(kind: Kind, name: str, library: Library) -> str:
    extra = library.find(kind, name)
    if extra is None:
        what = "LoRA" if kind == "lora" else "embedding"
        raise JobFailed(f"{kind}_missing", f"The {what} {name} is not on the worker any more.", {kind: name})
    return str(extra.path)
