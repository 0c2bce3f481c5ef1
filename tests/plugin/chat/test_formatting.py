"""A model's answer as Matrix messages, and what of it goes into a file."""

from __future__ import annotations

import re
import time

import pytest

from otterbot import texts
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


# ---------------------------------------------------------------- tables and formulas in pieces

TABLE = "| name | size |\n|:---|---:|\n" + "".join(f"| otter {n} | {n} cm |\n" for n in range(1_000))


def test_a_table_gets_its_head_again_in_each_piece() -> None:
    pieces = split("Look:\n\n" + TABLE + "\nThat is all.")
    assert len(pieces) > 2
    rows = []
    for piece in pieces:
        html = render(piece)
        assert html is not None
        assert html.count("<thead>") == 1
        assert measure(piece) <= formatting.LIMIT
        rows += re.findall(r"<td>(otter \d+)</td>", html)
    assert rows == [f"otter {n}" for n in range(1_000)]
    assert all(piece.startswith("| name | size |\n|:---|---:|\n| otter") for piece in pieces[1:])


@pytest.mark.parametrize("before", range(700, 1000, 7))
def test_a_cut_never_parts_the_head_of_a_table_from_its_rows(before: int) -> None:
    text = "x" * before + "\n" + TABLE[:2_000].rpartition("\n")[0]
    for piece in split(text, 1_000):
        assert "-" not in piece or "otter" in piece.partition("---:|\n")[2], piece
        assert not piece.endswith("size |")


def test_a_head_that_is_too_large_is_not_repeated() -> None:
    head = "| " + " | ".join("column " * 10 for _ in range(40)) + " |\n" + "|---" * 40 + "|\n"
    pieces = split(head + "| a " * 40 + "|\n" * 2 + "| b " * 4_000, 8_000)
    assert all(measure(piece) <= 8_000 for piece in pieces)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("See:\n\n| a |", "See: …"),
        ("See:\n\n| a | b |\n| -", "See: …"),
        ("See:\n\n| a | b |\n|---|---|\n| 1 |", "See:\n\n| a | b |\n|---|---|\n| 1 |\n\n…"),
        ("So $$x^2", "So …"),
        ("So\n\n\\[\nx", "So …"),
        ("So $$x$$", "So $$x$$\n\n…"),
        ("So `$$` is", "So `$$` is …"),
        ("| ", "…"),
        ("It costs $5", "It costs $5 …"),
    ],
)
def test_half_a_table_or_formula_does_not_show(text: str, shown: str) -> None:
    assert formatting.growing(text, "key", "chat/edit")["body"] == shown


# ---------------------------------------------------------------- the file


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("letter", ["a", "水", "🦦"])
def test_fifty_kilobytes_come_as_messages(letter: str) -> None:
    size = len(letter.encode())
    text = "\n\n".join(letter * 90 for _ in range(50_000 // (90 * size + 2)))
    assert 49_000 < len(text.encode()) <= 50_000
    made = formatting.answer(text, [], "key")
    assert made.rest == ""
    assert letters("".join(content["body"] for content in made.messages)) == letters(text)


@pytest.mark.parametrize("letter", ["a", "水"])
def test_the_rest_of_a_longer_one_goes_into_a_file(letter: str) -> None:
    paragraphs = [f"{number} " + letter * 200 for number in range(60_000 // 200 // len(letter.encode()) + 20)]
    text = "\n\n".join(paragraphs)
    made = formatting.answer(text, ["A note."], "key")
    said = [content["body"][: content["org.otterbot"]["length"]] for content in made.messages]
    assert 40_000 < len("".join(said).encode()) <= 50_000
    assert letters("".join(said) + made.rest) == letters(text), "nothing is cut"
    assert made.messages[-1]["body"].endswith(f"{texts.CHAT_GOES_ON}\n\nA note.")
    assert not any(texts.CHAT_GOES_ON in content["body"] for content in made.messages[:-1])
    assert made.parts == len(made.messages) + 1
    assert made == formatting.answer(text, ["A note."], "key"), "the same every time"


def test_code_goes_on_in_the_file() -> None:
    made = formatting.answer("```python\n" + "x = 1\n" * 20_000 + "```", [], "key")
    assert made.rest.startswith("```python\nx = 1\n")
    assert made.rest.endswith("\n```")
    content = formatting.file_content(made.rest, "key", "chat/9")
    assert content["msgtype"] == "m.file"
    assert content["info"] == {"mimetype": "text/markdown", "size": len(made.rest)}


# ---------------------------------------------------------------- thoughts


@pytest.mark.parametrize("thought", ["They ask.\nI <answer>.", "hm " * 5_000, "水" * 8_000, "<" * 8_000])
@pytest.mark.parametrize("text", ["Four.", "word " * 5_000, "<" * 9_000, "[a](" * 300])
def test_thoughts_are_folded_in_the_first_piece(thought: str, text: str) -> None:
    made = formatting.answer(text, ["A note."], "key", thoughts=thought)
    first = made.messages[0]
    assert first["formatted_body"].startswith("<details><summary>Thoughts</summary>")
    assert first["formatted_body"].count("<details>") == 1
    assert "</details>" in first["formatted_body"]
    body, length = first["body"], first["org.otterbot"]["length"]
    assert body.endswith(texts.THOUGHTS_FOLDED)
    assert letters("".join(one["body"][: one["org.otterbot"]["length"]] for one in made.messages)) == letters(text)
    assert thought[:5] not in body[:length] or text.startswith(thought[:5])
    for content in made.messages:
        assert event_content.size(event_content.edit(content, "$event")) <= event_content.MAX_CONTENT + 1_000
    assert not any("<details>" in content.get("formatted_body", "") for content in made.messages[1:])


def test_a_thought_brings_no_html() -> None:
    made = formatting.answer("Four.", [], "key", thoughts="a <b>&\n</details><script>")
    assert made.messages[0]["formatted_body"] == (
        "<details><summary>Thoughts</summary>a &lt;b&gt;&amp;<br>&lt;/details&gt;&lt;script&gt;</details><p>Four.</p>"
    )


@pytest.mark.parametrize("mark", ["|", "~", "$", "*", "[", "|a|\n|-|\n", "$$", "```\n"])
def test_sixty_thousand_hostile_characters_are_made_into_messages_in_time(mark: str) -> None:
    text = (mark * 60_000)[:60_000]
    started = time.process_time()
    formatting.answer(text, [], "key")
    formatting.growing(text, "key", "chat/edit")
    assert time.process_time() - started < 20, "what is not linear takes minutes"
