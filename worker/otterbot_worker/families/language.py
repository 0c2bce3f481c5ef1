"""What the families have in common whose prompts are read by a language model, as a message in a chat."""

from __future__ import annotations

from typing import Any

TOKENS = 512
"""How many the pipelines give it, with those of the chat's form."""


def reads(pipe: Any) -> tuple[Any, int]:
    """Its tokenizer, and how many tokens of a prompt fit beside the chat's form: the pipelines cut behind them."""
    message = [{"role": "user", "content": ""}]
    form = pipe.tokenizer.apply_chat_template(
        message, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    # Two spare ones: joined to other text, words may be other tokens.
    return pipe.tokenizer, TOKENS - len(pipe.tokenizer(form)["input_ids"]) - 2
