"""One prompt of what a person named and what a language model added, which keeps the former whatever the latter says.

Three ways are tried: the person's marked pieces in the places where the model says their words, and before all what it
does not say; the person's prompt with the model's words behind it; the same the other way round, for a bracket that is
never closed. The first that reads as the person's own prompt does, with more plain words, is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ..dialects import read
from ..lora_tags import embedding_words, lora_tags
from .asking import Form
from .length import tokens
from .named import Named, Piece, words_of

CHARACTERS = 4_000
"""Of a whole prompt, as a request may have."""
PHRASE = 3
"""Words that have to stand together to be the same; of more it is enough that they come in that order."""
SEARCHED = 12
"""Words of a marked piece that is looked for."""


def weave(named: Named, said: str, form: Form, embeddings: Collection[str] = ()) -> str | None:
    """``said`` is plain (`answers`), and is cut where the whole would be longer than ``form`` says; what was named is
    never cut. ``embeddings``: words that call one; those that nobody named are left out of ``said``. ``None``: there
    is nothing to add."""
    left = form.tokens - tokens(named.words)
    if left <= 0 or not named.possible:
        return None
    for word in embedding_words(said, embeddings):
        said = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "", said, flags=re.IGNORECASE)
    units = _units(" ".join(said.split()), sentences=form.sentences)
    for count in range(len(units), 0, -1):
        added = " ".join(units[:count]).strip(" ,")
        if tokens(added) > form.tokens:
            continue
        for whole in _ways(named, added):
            if _length(whole) > form.tokens or len(whole) > CHARACTERS:
                continue
            if whole != named.prompt and faithful(named, whole, embeddings):
                return whole
    return None


def _length(prompt: str) -> int:
    return tokens(read(lora_tags(prompt).text).clean)


def _units(said: str, *, sentences: bool) -> list[str]:
    """Where it may be cut: behind sentences, or phrases; a first one that is too long itself, between words."""
    units = re.split(r"(?<=[.!?])\s+" if sentences else r"(?<=[,.!?])\s+", said)
    first = units[0].split(" ") if units else []
    return [*first, *units[1:]] if first != [""] else []


def _ways(named: Named, added: str) -> Iterator[str]:
    yield _with_tags(woven(named.pieces, added), named)
    own = re.sub(r"\s+", " ", ", ".join(piece.text for piece in named.pieces))
    yield _with_tags(f"{own}, {added}", named)
    yield _with_tags(f"{added}, {own}", named)


def _with_tags(text: str, named: Named) -> str:
    return f"{text} {named.tags}".strip() if named.tags else text


def faithful(named: Named, whole: str, embeddings: Collection[str] = ()) -> bool:
    """Whether ``whole`` says all that was named, with the same weights, marks, LoRAs and embeddings, and nothing more
    than plain words beside it."""
    before, now = lora_tags(named.prompt), lora_tags(whole)
    old, new = read(before.text), read(now.text)
    if (before.loras, before.mistakes) != (now.loras, now.mistakes) or (old.kind, set(old.marks)) != (
        new.kind,
        set(new.marks),
    ):
        return False
    if [len(part.chunks) for part in old.parts] != [len(part.chunks) for part in new.parts]:
        return False
    if set(embedding_words(before.text, embeddings)) != set(embedding_words(now.text, embeddings)):
        return False
    said = Counter(words_of(new.clean))
    return _weighed(old.fragments) == _weighed(new.fragments) and not set(words_of(old.clean)) - said.keys()


def _weighed(fragments: Iterable[tuple[str, float]]) -> Counter[tuple[str, float]]:
    """Words that count more or less than others."""
    return Counter((word, weight) for text, weight in fragments if weight != 1.0 for word in words_of(text))


# ---------------------------------------------------------------- the model's words with the person's among them


@dataclass(frozen=True, kw_only=True)
class _Run:
    text: str
    own: bool
    """It is the person's, and stays."""


def woven(pieces: Collection[Piece], added: str) -> str:
    """``added``, in which marked pieces stand as they were written, and before it what it does not say."""
    runs = [_Run(text=added, own=False)]
    missing = []
    for piece in pieces:
        if piece.marked:
            if not _put(runs, piece):
                missing.append(piece.text)
        elif not _says(runs, piece.words):
            missing.append(piece.text)
    text = "".join(run.text for run in runs)
    return ", ".join([*missing, text] if text else missing)


def _put(runs: list[_Run], piece: Piece) -> bool:
    """Puts it where its words are said first; whether they are."""
    if not 0 < len(piece.words) <= SEARCHED:
        return False
    wanted = re.compile(rf"(?<![\w'’-]){_together(piece.words)}(?![\w'’-])", re.IGNORECASE)
    for place, run in enumerate(runs):
        if not run.own and (found := wanted.search(run.text)) is not None:
            before, behind = run.text[: found.start()], run.text[found.end() :]
            runs[place : place + 1] = [
                _Run(text=before, own=False), _Run(text=piece.text, own=True), _Run(text=behind, own=False)
            ]  # fmt: skip
            return True
    return False


def _together(words: tuple[str, ...]) -> str:
    return r"[\s-]+".join(re.escape(word).replace("'", "['’]") for word in words)


def _says(runs: list[_Run], words: tuple[str, ...]) -> bool:
    said = words_of(" ".join(run.text for run in runs))
    if len(words) <= PHRASE:
        return any(said[place : place + len(words)] == words for place in range(len(said) - len(words) + 1))
    left = iter(said)
    return all(word in left for word in words)
