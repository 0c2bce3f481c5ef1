"""``!chat``'s flags: only before the words, whatever dashes a keyboard makes."""

from __future__ import annotations

import pytest

from otterbot.language.chat_words import chat_words


@pytest.mark.parametrize(
    ("typed", "text", "model", "fresh"),
    [
        ("why do otters hold hands?", "why do otters hold hands?", None, False),
        ("--new", "", None, True),
        ("--new why?", "why?", None, True),
        ("—new\nwhy?", "why?", None, True),
        ("--model llama3:8b why?", "why?", "llama3:8b", False),
        ("––model=`llama3:8b` --new why?", "why?", "llama3:8b", True),
        ("--new --model tiny why --new?", "why --new?", "tiny", True),
        ("what does git commit --model do?", "what does git commit --model do?", None, False),
        ("--newer is better", "--newer is better", None, False),
        ("--models are many", "--models are many", None, False),
        ("-new ideas, please", "-new ideas, please", None, False),
    ],
)
def test_words_and_flags(typed: str, text: str, model: str | None, fresh: bool) -> None:
    intent = chat_words("chat", typed)
    assert (intent.text, intent.options.model, intent.fresh, intent.problem) == (text, model, fresh, None)


@pytest.mark.parametrize(("typed", "code"), [("", "no_text"), ("--model", "bad_value"), ("--model tiny", "no_text")])
def test_problems(typed: str, code: str) -> None:
    problem = chat_words("chat", typed).problem
    assert problem is not None
    assert problem.code == code
