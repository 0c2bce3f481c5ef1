"""A conversation that does not fit into the model's context, as the server says it.

The numbers are those of llama.cpp's server, which others pass on: ``n_prompt_tokens`` and ``n_ctx``; or they stand in
OpenAI's sentence, which vLLM and others say as well.
"""

from __future__ import annotations

import re

_TOO_LONG = re.compile(
    r"exceed_context_size|exceeds the (?:available |maximum )?context|context length|prompt is too long", re.IGNORECASE
)
_TOKENS = re.compile(
    r"n_prompt_tokens\W{1,4}(\d{1,9})|request \((\d{1,9}) tokens\)|\((\d{1,9}) in the (?:messages|prompt)"
    r"|(?:resulted in|has|contains) (\d{1,9}) (?:input )?tokens"
)
_CONTEXT = re.compile(
    r"n_ctx\W{1,4}(\d{1,9})|context size \((\d{1,9}) tokens\)|maximum context length (?:is|of) (\d{1,9})"
)


class TooLong(Exception):
    """The conversation does not fit; the server's numbers, where it named them."""

    def __init__(self, tokens: int | None, context: int | None) -> None:
        super().__init__("the conversation does not fit")
        self.tokens = tokens
        self.context = context


def in_words(error: str) -> TooLong | None:
    """What an error's text says of it; ``None``: it speaks of something else."""
    if _TOO_LONG.search(error) is None:
        return None
    return TooLong(_number(_TOKENS, error), _number(_CONTEXT, error))


def _number(pattern: re.Pattern[str], error: str) -> int | None:
    found = pattern.search(error)
    return None if found is None else next(int(group) for group in found.groups() if group is not None)
