"""A prompt for a text encoder: parsed, and cut to the tokens that are read. Free of torch."""

from __future__ import annotations

from typing import Any

from ..prompts import Fragment, Parsed, Part, StepCount, read

LOW_WEIGHTS_MAX = 40
"""Fragments with a weight below 1 per prompt: each one costs a pass of the text encoder."""


TOKENS_MAX = 1500
"""20 chunks. 4,000 emoji would be 16,000 tokens, and every step would attend to all of them."""


class Prompt:
    """A prompt, parsed. ``notes`` says what was not done as written.

    ``tokens_max``: how many tokens are read. ``weighted``: whether weights act; where not, only ``text`` is of use.
    ``steps``: of the picture, by which schedules go.
    """

    def __init__(
        self,
        text: str,
        tokenizer: Any,
        *,
        what: str,
        tokens_max: int = TOKENS_MAX,
        weighted: bool = True,
        steps: StepCount | None = None,
    ) -> None:
        text = text.encode("utf-8", "replace").decode()  # tokenizers refuse lone surrogates
        parsed = read(text, steps)
        self.notes: list[str] = list(parsed.said(weights_act=weighted))
        self.lost = () if weighted else _lost(parsed)
        """Marks in the prompt without effect in this family, in words for people."""
        if not weighted:
            parsed = Parsed(kind="plain", parts=(Part(((Fragment(parsed.clean, 1.0),),), 1.0),))
        low = 0
        fragments: list[Fragment] = []
        for fragment in parsed.fragments:
            is_low = fragment.weight < 1.0 and not fragment.text.isspace()
            low += is_low
            fragments.append(Fragment(fragment.text, 1.0) if is_low and low > LOW_WEIGHTS_MAX else fragment)
        if low > LOW_WEIGHTS_MAX:
            self.notes.append(f"Only the first {LOW_WEIGHTS_MAX} weights below 1 in the {what} were used, of {low}.")

        count = _shorten(fragments, tokenizer, tokens_max)
        if count > tokens_max:
            self.notes.append(f"The {what} was cut behind {tokens_max} tokens, of {count}.")

        self.blended = parsed.kind == "blend"
        left = iter(fragments)
        self.parts = tuple(
            Part(tuple(tuple(next(left) for _ in chunk) for chunk in part.chunks), part.weight) for part in parsed.parts
        )
        """The parts as encoded. Hashable: the key of the prompt cache, so it holds all that the embeddings depend
        on."""

    @property
    def text(self) -> str:
        """The plain text, as far as it is read."""
        return ", ".join(part.clean for part in self.parts)

    def pooled(self) -> list[tuple[str, float]]:
        """Texts and weights that SDXL's pooled embedding is made of."""
        if self.blended:
            return [(part.clean, part.weight) for part in self.parts]
        return [(self.text, 1.0)]


_LOSABLE = ("Weights", "BREAK", ".and()", ".blend()")


def _lost(parsed: Parsed) -> tuple[str, ...]:
    has = (parsed.weighted, parsed.divided, parsed.kind == "and", parsed.kind == "blend")
    return tuple(name for name, there in zip(_LOSABLE, has, strict=True) if there)


def lost_notes(model: str, *prompts: Prompt) -> list[str]:
    """At most one sentence, naming the prompts' marks without effect."""
    names = [name for name in _LOSABLE if any(name in prompt.lost for prompt in prompts)]
    if not names:
        return []
    listed = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    have, them = ("has", "it") if names == names[:1] and names != ["Weights"] else ("have", "them")
    return [f"{listed} {have} no effect with {model}; the words were read without {them}."]


def _shorten(fragments: list[Fragment], tokenizer: Any, tokens_max: int) -> int:
    """Empty the fragments behind ``tokens_max``. Returns how many tokens there were."""
    # A cheap upper bound first: a token is at least one byte, but an embedding's word stands for several.
    if sum(len(f.text.encode()) for f in fragments) * getattr(tokenizer, "tokens_per_byte", 1) <= tokens_max:
        return 0
    counts = [len(ids) for ids in tokenizer([f.text for f in fragments], add_special_tokens=False)["input_ids"]]
    left = tokens_max
    for index, (fragment, count) in enumerate(zip(fragments, counts, strict=True)):
        if count > left:
            fragments[index] = Fragment(_first_tokens(fragment.text, left, tokenizer), fragment.weight)
            fragments[index + 1 :] = [Fragment("", 1.0)] * (len(fragments) - index - 1)
            break
        left -= count
    return sum(counts)


def _first_tokens(text: str, limit: int, tokenizer: Any) -> str:
    """The longest beginning, to a few characters, of at most ``limit`` tokens; by bisection."""
    fits, too_long = 0, len(text)
    while too_long - fits > 8:
        middle = (fits + too_long) // 2
        if len(tokenizer(text[:middle], add_special_tokens=False)["input_ids"]) <= limit:
            fits = middle
        else:
            too_long = middle
    return text[:fits]
