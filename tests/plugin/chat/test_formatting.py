"""Markdown of a model as Matrix messages."""

from __future__ import annotations

import time

import pytest

from otterbot.chat import formatting
from otterbot.chat.markdown import render
from otterbot.chat.pieces import close, measure, split
from otterbot.matrix import event_content

CODE = "```python\n" + "".join(f"line_{number} = {number}\n" for number in range(2_000)) + "```"


def fences(text: str) -> int:
    return sum(line.startswith("```") for line in text.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "word " * 5_000,
        "x" * 20_000,
        "Absatz über Otter.\n\n" * 1_000,
        "выдра " * 3_000,
        "🦦" * 3_000,
        CODE,
        "Intro\n\n" + CODE + "\n\nOutro",
        "~~~~\n" + "a\n" * 6_000 + "~~~\n~~~~\nend",
        "- item\n" * 3_000,
        '"\\' * 6_000,
        "\n" * 9_000 + "x",
    ],
)
def test_pieces_fit_and_lose_nothing(text: str) -> None:
    pieces = split(text)
    assert all(0 < measure(piece) <= formatting.LIMIT for piece in pieces)
    joined = "".join("".join(pieces).split())
    for mark in ("```python", "```", "~~~~"):
        joined, text = joined.replace(mark, ""), text.replace(mark, "")
    assert joined == "".join(text.split())


def test_code_blocks_are_closed_and_opened_again() -> None:
    pieces = split("Intro\n\n" + CODE + "\n\nOutro")
    assert len(pieces) > 3
    for piece in pieces:
        assert fences(piece) % 2 == 0
        html = render(piece)
        assert html is not None
        assert html.count("<pre>") == 1
    assert all(piece.startswith("```python\n") for piece in pieces[1:])
    assert pieces[-1].endswith("```\n\nOutro")


def test_cuts_go_between_paragraphs() -> None:
    paragraph = "Otters swim. " * 40
    pieces = split("\n\n".join([paragraph.strip()] * 30))
    assert all(piece.startswith("Otters") and piece.endswith("swim.") for piece in pieces)


def test_a_blank_line_in_a_code_block_is_no_paragraph() -> None:
    text = "```\n" + "a = 1\n\n" * 200 + "```\n\n" + "word " * 100
    for piece in split(text, 900):
        assert fences(piece) in (0, 2)


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        ("plain", "plain"),
        ("```py\nx", "```py\nx\n```"),
        ("```py\nx\n", "```py\nx\n```"),
        ("````\n```\nx", "````\n```\nx\n````"),
        ("```\nx\n```", "```\nx\n```"),
        ("``` not `a fence\nx", "``` not `a fence\nx"),
        ("~~~\nx", "~~~\nx\n~~~"),
    ],
)
def test_a_growing_block_is_closed(text: str, closed: str) -> None:
    assert close(text) == closed


def test_html_has_no_surprises() -> None:
    html = render('**b** <img src=x onerror=alert(1)> `a < b` [x](javascript:alert(1)) ![i](https://t/p.png) "q"\nnext')
    assert html == (
        "<p><strong>b</strong> &lt;img src=x onerror=alert(1)&gt; <code>a &lt; b</code> x "
        '<a href="https://t/p.png">i</a> &quot;q&quot;<br />\nnext</p>'
    )
    html = render("```html\n<script>alert(1)</script>\n```\n\n<b>x</b>\n\n<div>\n\ny")
    assert html is not None
    assert "<script" not in html
    assert "<b>" not in html
    assert "<div" not in html
    assert 'class="language-html"' in html


@pytest.mark.parametrize("text", ["[a](" * 2_000, "[" * 8_000, "*a " * 2_600, ">" * 3_000, "- " * 4_000, "`" * 8_000])
def test_nonsense_does_not_hold_up_the_bot(text: str) -> None:
    started = time.process_time()
    render(text)
    assert time.process_time() - started < 5, "what is not linear takes minutes"


def test_a_message_mentions_nobody() -> None:
    content = formatting.message("@room **hi**", "key", "chat/1")
    assert content["m.mentions"] == {}
    assert content["msgtype"] == "m.text"
    assert content["body"] == "@room **hi**"
    assert content["formatted_body"] == "<p>@room <strong>hi</strong></p>"
    assert content["org.otterbot"] == {"v": 1, "key": "key", "part": "chat/1", "length": 12}


@pytest.mark.parametrize("text", ["<" * 20_000, "&<>" * 6_000, "выдра " * 3_000, "🦦" * 3_000, CODE, "**a** " * 3_000])
def test_an_edit_fits_into_an_event(text: str) -> None:
    for content in formatting.answer(text, ["A note."], "key").messages:
        edited = event_content.edit(content, "$event")
        assert event_content.size(edited) <= event_content.MAX_CONTENT + 500
        assert "formatted_body" in content


def test_an_answer_is_the_same_every_time() -> None:
    made = formatting.answer(CODE + "\n\nend", ["Note one.", "Note two."], "key")
    assert made == formatting.answer(CODE + "\n\nend", ["Note one.", "Note two."], "key")
    first = made.messages
    assert [content["org.otterbot"]["part"] for content in first] == [f"chat/{n}" for n in range(1, len(first) + 1)]
    assert first[-1]["body"].endswith("end\n\nNote one.\n\nNote two.")
    last = first[-1]
    assert last["body"][: last["org.otterbot"]["length"]].endswith("end")
    assert formatting.answer(" \n ", [], "key").parts == 0


def test_a_growing_answer_shows_its_first_piece() -> None:
    assert formatting.growing("Otters", "key", "chat/edit")["body"] == "Otters …"
    assert formatting.growing("See:\n```py\nx = 1", "key", "chat/edit")["body"] == "See:\n```py\nx = 1\n```\n\n…"
    body = formatting.growing("word " * 5_000, "key", "chat/edit")["body"]
    assert measure(body) <= formatting.LIMIT + 20
