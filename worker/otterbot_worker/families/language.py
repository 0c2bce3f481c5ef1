"""Shared by the families whose text encoder is a language model: it reads the prompt as a chat message."""

from __future__ import annotations

from typing import Any

TOKENS = 512
"""Token limit of the pipelines, chat template included."""


def reads(pipe: Any) -> tuple[Any, int]:
    """The tokenizer, and how many tokens of a prompt fit beside the chat template; the pipelines cut off the rest."""
    message = [{"role": "user", "content": ""}]
    form = pipe.tokenizer.apply_chat_template(
        message, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    # Two spare tokens: beside the template's text the prompt may be tokenised differently.
    return pipe.tokenizer, TOKENS - len(pipe.tokenizer(form)["input_ids"]) - 2
