"""The files of a CLIP tokenizer, made from a list of words.

Byte-level, so that it takes any text: every word of the list is one token, words that are not
in it fall into pieces of those that are, at worst into bytes.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"
Pair = tuple[str, str]


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    symbols = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(rest)}
    return [symbols[byte] for byte in range(256)]


def _joined(parts: list[str], pair: Pair) -> list[str]:
    """``parts`` with each neighbouring ``pair`` made one."""
    result: list[str] = []
    at = 0
    while at < len(parts):
        if tuple(parts[at : at + 2]) == pair:
            result.append(pair[0] + pair[1])
            at += 2
        else:
            result.append(parts[at])
            at += 1
    return result


def learn_merges(words: Iterable[str]) -> list[Pair]:
    """Byte-pair encoding: join the commonest pair again and again, until each word is one piece.

    The order is the rank that a tokenizer applies them in, so replaying them gives whole words.
    Ties go to the pair that sorts first: the same list gives the same merges.
    """
    symbols = byte_symbols()
    spelled = []
    for word in sorted({word.lower() for word in words}):
        pieces = [symbols[byte] for byte in word.encode()]
        spelled.append([*pieces[:-1], pieces[-1] + "</w>"])
    merges: list[Pair] = []
    while True:
        counts: dict[Pair, int] = {}
        for parts in spelled:
            for pair in itertools.pairwise(parts):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            return merges
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        spelled = [_joined(parts, best) for parts in spelled]


def write(folder: Path, words: Iterable[str]) -> None:
    """Write ``vocab.json`` and ``merges.txt`` to ``folder``; the two special tokens come last."""
    symbols = byte_symbols()
    merges = learn_merges(words)
    tokens = dict.fromkeys([*symbols, *(symbol + "</w>" for symbol in symbols), *(a + b for a, b in merges)])
    ids = {token: number for number, token in enumerate([*tokens, START, END])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def load(folder: Path) -> Any:
    """The tokenizer in ``folder``, filled up with its last token as Stable Diffusion 1's is."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, model_max_length=LENGTH, pad_token=END, local_files_only=True)


def make(folder: Path) -> Any:
    """Write and load the tokenizer for the captions."""
    from .captions import WORDS

    write(folder, WORDS)
    return load(folder)
