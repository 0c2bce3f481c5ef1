# mypy: disallow-untyped-calls=False
"""Textual inversions: words whose embeddings come from a file while a prompt is encoded.

Tokenizer and embedding matrix are not changed. A wrapper around the tokenizer gives every vector of a file a negative
id, and a hook on the text encoder's embedding layer inserts the vectors at those ids. (diffusers' own loader extends
the vocabulary and cannot fully undo it; and older CLIP configurations find the end of the text by the highest id, which
then is such a word, so that SDXL's pooled embedding is taken from the wrong token.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import safetensors
import torch

from ...errors import JobFailed, look_failed
from ...prompts.lora_tags import split_words
from ...schemas.draw_files import EmbeddingFile
from .lora_loader import read_tensors

VECTORS_MAX = 75
"""Vectors of one word: a whole chunk of the text encoder. More would leave no room for the prompt."""

ENCODERS = {"text_encoder": ("tokenizer", "clip_l"), "text_encoder_2": ("tokenizer_2", "clip_g")}
"""Each text encoder's tokenizer, and its key in files for SDXL."""


@dataclass(frozen=True, kw_only=True)
class _Inversion:
    name: str
    vectors: dict[str, torch.Tensor]
    """By text encoder, each (number of vectors, width)."""


@dataclass(kw_only=True)
class Inversions:
    """The textual inversions of one loaded pipeline; keeps those of the last picture."""

    _kept: dict[tuple[str, str], _Inversion | None] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    """Names of embeddings that do not fit the model; their words stay plain words."""

    def load(self, pipe: Any, wanted: Sequence[EmbeddingFile]) -> list[str]:
        """Load these embeddings and drop all others. Returns notes.

        :raises JobFailed: ``embedding_broken``, ``embedding_missing``
        """
        keys = {(entry.path, entry.hash): entry for entry in wanted}
        self._kept = {key: kept for key, kept in self._kept.items() if key in keys}
        for key, entry in keys.items():
            if key not in self._kept:
                self._kept[key] = _read(pipe, entry.name, Path(key[0]), key[1])
        self.unused = [entry.name for key, entry in keys.items() if self._kept[key] is None]
        why = "was made for another kind of model; it was read as a word"
        return [f"The embedding {name} {why}." for name in self.unused]

    @contextmanager
    def applied(self, pipe: Any, wanted: Sequence[EmbeddingFile]) -> Iterator[Any]:
        """Context in which the words act. Yields the stand-in for the pipeline that encodes prompts."""
        words = {
            entry.token.lower(): kept for entry in wanted if (kept := self._kept[entry.path, entry.hash]) is not None
        }
        parts: dict[str, Any] = {}
        with ExitStack() as stack:
            for encoder_name, (tokenizer_name, _) in ENCODERS.items():
                encoder = getattr(pipe, encoder_name, None)
                if encoder is None:
                    continue
                parts[encoder_name], parts[tokenizer_name] = encoder, getattr(pipe, tokenizer_name)
                if words:
                    tensors = {word: inversion.vectors[encoder_name] for word, inversion in words.items()}
                    parts[tokenizer_name] = Tokenizer(parts[tokenizer_name], {w: len(t) for w, t in tensors.items()})
                    stack.callback(_hook(encoder.get_input_embeddings(), torch.cat(list(tensors.values()))))
            yield SimpleNamespace(**parts)


class Tokenizer:
    """A tokenizer with further words: the first word's vectors have the ids -1, -2 …, the next word's follow."""

    def __init__(self, base: Any, words: Mapping[str, int]) -> None:
        """``words``: the number of vectors of each, by the word in small letters."""
        self._base = base
        self._ids: dict[str, list[int]] = {}
        first = -1
        for word, count in words.items():
            self._ids[word] = list(range(first, first - count, -1))
            first -= count
        self.tokens_per_byte = max(words.values(), default=1)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._base, name)

    def __call__(self, texts: Any, *, add_special_tokens: bool = True, truncation: bool = False, **_: Any) -> Any:
        """``input_ids`` of a text or of a list of texts, unpadded, as the real one gives them."""
        if isinstance(texts, str):
            one = self([texts], add_special_tokens=add_special_tokens, truncation=truncation)
            return {"input_ids": one["input_ids"][0]}
        most = self._base.model_max_length - 2 if truncation else None
        lists = [self._text(text)[:most] for text in texts]
        if add_special_tokens:
            lists = [[self._base.bos_token_id, *ids, self._base.eos_token_id] for ids in lists]
        return {"input_ids": lists}

    def _text(self, text: str) -> list[int]:
        ids: list[int] = []
        for piece in split_words(text, self._ids):
            if piece.name is not None:
                ids += self._ids[piece.name]
            elif not piece.text.isspace():
                ids += self._base(piece.text, add_special_tokens=False)["input_ids"]
        return ids

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        return [self._base.convert_ids_to_tokens(number) if number >= 0 else "embedding</w>" for number in ids]


def _hook(layer: torch.nn.Module, vectors: torch.Tensor) -> Callable[[], None]:
    """Hook an embedding layer so that it resolves negative ids. Returns the handle that removes the hook."""
    asked: list[torch.Tensor] = []

    def before(_module: torch.nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        asked.append(arguments[0])
        return (arguments[0].clamp(min=0), *arguments[1:])

    def after(_module: torch.nn.Module, _arguments: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        ids = asked.pop()
        special = ids < 0
        output = output.clone()
        output[special] = vectors.to(output)[-1 - ids[special]]
        return output

    handles = (layer.register_forward_pre_hook(before), layer.register_forward_hook(after))

    def forget() -> None:
        for handle in handles:
            handle.remove()

    return forget


# ---------------------------------------------------------------- from the file


def _broken(name: str, why: str) -> JobFailed:
    return JobFailed("embedding_broken", f"The embedding {name} cannot be used: {why}.", {"embedding": name})


def _read(pipe: Any, name: str, path: Path, expected: str) -> _Inversion | None:
    """The vectors in a file; ``None`` for an embedding of other models. :raises JobFailed:"""
    try:
        found = read_tensors(path, expected)
    except OSError as error:
        look_failed(error, f"the embedding {name}")
        raise JobFailed(
            "embedding_missing", f"The embedding {name} is not on the worker any more.", {"embedding": name}
        ) from None
    except (safetensors.SafetensorError, ValueError, LookupError, TypeError, RecursionError, AttributeError):
        raise _broken(name, "its file is cut off or no safetensors file") from None
    if found is None:
        raise _broken(name, "its file was changed after this was asked for; please ask again")
    state = {key: tensor.float() for key, tensor in found[0].items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise _broken(name, "it holds numbers that are not finite")
    encoders = [encoder for encoder in ENCODERS if getattr(pipe, encoder, None) is not None]
    keys = [ENCODERS[encoder][1] for encoder in encoders] if len(encoders) > 1 else list(state)
    if set(state) != set(keys) or len(keys) != len(encoders):
        return None
    vectors: dict[str, torch.Tensor] = {}
    for encoder, key in zip(encoders, keys, strict=True):
        tensor = state[key].unsqueeze(0) if state[key].ndim == 1 else state[key]
        layer = getattr(pipe, encoder).get_input_embeddings()
        if tensor.ndim != 2 or tensor.shape[1] != layer.embedding_dim:
            return None
        vectors[encoder] = tensor.to(layer.weight.dtype)
    counts = {len(tensor) for tensor in vectors.values()}
    if len(counts) != 1 or not 1 <= counts.pop() <= VECTORS_MAX:
        raise _broken(name, f"it has to hold 1 to {VECTORS_MAX} vectors for each text encoder")
    return _Inversion(name=name, vectors=vectors)
