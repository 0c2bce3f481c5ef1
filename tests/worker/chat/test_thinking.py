from __future__ import annotations

import pytest

from otterbot_worker.chat.thinking import visible

CASES = [
    ("Hello", "Hello"),
    ("<think>secret</think>Hello", "Hello"),
    ("<think>\nsecret\n</think>\n\nHello", "Hello"),
    ("Hi <think>secret</think> there", "Hi  there"),
    ("<THINK>secret</Think> Hello", "Hello"),
    ("<thinking>secret</thinking>Hello", "Hello"),
    ("secret plan\n</think>\n\nHello", "Hello"),
    ("</think>\nHello", "Hello"),
    ("<think>secret `code </think>Hello `x`", "Hello `x`"),
    ("thoughts with a ` tick\n</think>\n\nUse `x`.", "Use `x`."),
    ("<think>secret", ""),
    ("Models write `<think>` and `</think>` tags", "Models write `<think>` and `</think>` tags"),
    ("```xml\n<think>\n</think>\n```\nsee?", "```xml\n<think>\n</think>\n```\nsee?"),
    ("```xml\n<think>never ends", "```xml\n<think>never ends"),
    ("A </think> in the middle of a line", "A </think> in the middle of a line"),
    ("1 < 2 and <thought>", "1 < 2 and <thought>"),
    ("one ` tick and <think>secret</think> more", "one ` tick and  more"),
    ("", ""),
]


@pytest.mark.parametrize(("raw", "shown"), CASES)
def test_visible(raw: str, shown: str) -> None:
    assert visible(raw, done=True) == shown


@pytest.mark.parametrize(("raw", "shown"), [case for case in CASES if case[0].lower().startswith("<think")])
def test_nothing_secret_shows_while_it_streams(raw: str, shown: str) -> None:
    for end in range(len(raw) + 1):
        part = visible(raw[:end], done=False)
        assert "secret" not in part
        assert "<th" not in part.lower()
        assert shown.startswith(part) or part.startswith(shown)


def test_what_only_looks_like_a_tag_comes_in_the_end() -> None:
    assert visible("1 <", done=False) == "1"
    assert visible("1 <", done=True) == "1 <"
    assert visible("1 <t", done=False) == "1"
    assert visible("1 <table", done=False) == "1 <table"
