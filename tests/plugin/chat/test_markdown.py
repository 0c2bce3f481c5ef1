"""Markdown as HTML: tables, strikethrough, tasks and maths, and what hostile text costs."""

from __future__ import annotations

import re
import time

import pytest

from otterbot.chat.markdown import MAX_LENGTH, render


def plain(html: str | None) -> str:
    """Without line breaks between tags, as the specification's own examples differ in them."""
    assert html is not None
    return re.sub(r"(?<=>)\n|\n(?=<)", "", html)


# GitHub Flavored Markdown Spec, version 0.29-gfm (2019-04-06), CC-BY-SA 4.0: examples 198 to 205 (tables) and 491 to
# 493 (strikethrough), without the attribute `align`, which Matrix does not know.
TABLES = {
    198: (
        "| foo | bar |\n| --- | --- |\n| baz | bim |",
        "<table><thead><tr><th>foo</th><th>bar</th></tr></thead>"
        "<tbody><tr><td>baz</td><td>bim</td></tr></tbody></table>",
    ),
    199: (
        "| abc | defghi |\n:-: | -----------:\nbar | baz",
        "<table><thead><tr><th>abc</th><th>defghi</th></tr></thead>"
        "<tbody><tr><td>bar</td><td>baz</td></tr></tbody></table>",
    ),
    200: (
        "| f\\|oo  |\n| ------ |\n| b `\\|` az |\n| b **\\|** im |",
        "<table><thead><tr><th>f|oo</th></tr></thead><tbody><tr><td>b <code>|</code> az</td></tr>"
        "<tr><td>b <strong>|</strong> im</td></tr></tbody></table>",
    ),
    201: (
        "| abc | def |\n| --- | --- |\n| bar | baz |\n> bar",
        "<table><thead><tr><th>abc</th><th>def</th></tr></thead><tbody><tr><td>bar</td><td>baz</td></tr></tbody>"
        "</table><blockquote><p>bar</p></blockquote>",
    ),
    202: (
        "| abc | def |\n| --- | --- |\n| bar | baz |\nbar\n\nbar",
        "<table><thead><tr><th>abc</th><th>def</th></tr></thead><tbody><tr><td>bar</td><td>baz</td></tr>"
        "<tr><td>bar</td><td></td></tr></tbody></table><p>bar</p>",
    ),
    203: ("| abc | def |\n| --- |\n| bar |", "<p>| abc | def |<br />| --- |<br />| bar |</p>"),
    204: (
        "| abc | def |\n| --- | --- |\n| bar |\n| bar | baz | boo |",
        "<table><thead><tr><th>abc</th><th>def</th></tr></thead><tbody><tr><td>bar</td><td></td></tr>"
        "<tr><td>bar</td><td>baz</td></tr></tbody></table>",
    ),
    205: ("| abc | def |\n| --- | --- |", "<table><thead><tr><th>abc</th><th>def</th></tr></thead></table>"),
}
STRUCK = {
    491: ("~~Hi~~ Hello, ~there~ world!", "<p><del>Hi</del> Hello, <del>there</del> world!</p>"),
    492: ("This ~~has a\n\nnew paragraph~~.", "<p>This ~~has a</p><p>new paragraph~~.</p>"),
    493: ("This will ~~~not~~~ strike.", "<p>This will ~~~not~~~ strike.</p>"),
}


@pytest.mark.parametrize("number", [*TABLES, *STRUCK])
def test_the_examples_of_the_specification(number: int) -> None:
    text, html = (TABLES | STRUCK)[number]
    assert plain(render(text)) == html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("- a\n\n  | x |\n  |---|\n  | 1 |", "<table><thead><tr><th>x</th></tr></thead><tbody><tr><td>1</td></tr>"),
        ("> | x |\n> |---|\n> | 1 |", "<blockquote><table><thead><tr><th>x</th></tr></thead>"),
        ("Like so:\n| x | y |\n|---|---|\n| 1 | 2 |", "<p>Like so:</p><table><thead><tr><th>x</th><th>y</th>"),
        ("| x |\n|---|\n| a<br>b |", "<td>a<br />b</td>"),
        ("| x |\n|---|\n| <b>`<c>` |", "<td>&lt;b&gt;<code>&lt;c&gt;</code></td>"),
        ("| x |\n|---|\n| [a](https://b.c) ![i](https://e.f) [j](javascript:x) |", '<a href="https://e.f">i</a> j'),
        ("```\n| x |\n|---|\n| 1 |\n```", "<pre><code>| x |\n|---|\n| 1 |</code></pre>"),
        ("- [ ] swim\n- [x] sleep\n- [X] eat\n- [y] no", "<li>☐ swim</li><li>☑ sleep</li><li>☑ eat</li><li>[y] no"),
        ("- a\n  - b\n    1. c\n- d", "<ul><li>a<ul><li>b<ol><li>c</li></ol></li></ul></li><li>d</li></ul>"),
        ("5~10 euros or 20~30", "<p>5~10 euros or 20~30</p>"),
        ("**a ~~b *c* d~~**", "<strong>a <del>b <em>c</em> d</del></strong>"),
        ("***d*** __e__ *f~~g*", "<em><strong>d</strong></em> <strong>e</strong> <em>f~~g</em>"),
        ("```python\nx = 1\n```", '<pre><code class="language-python">x = 1</code></pre>'),
    ],
)
def test_what_models_write(text: str, html: str) -> None:
    assert html in plain(render(text))


# ---------------------------------------------------------------- maths


def inline(source: str) -> str:
    return f'<span data-mx-maths="{source}"><code>{source}</code></span>'


def block(source: str) -> str:
    return f'<div data-mx-maths="{source}"><code>{source}</code></div>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("so $x^2$.", f"<p>so {inline('x^2')}.</p>"),
        ("$a_1$ and $b_2*c*d$", f"{inline('a_1')} and {inline('b_2*c*d')}"),
        (r"\(a_1 * b_1\)", inline("a_1 * b_1")),
        (r"it is \[x\] here", f"it is {inline('x')} here"),
        ("it is $$x$$ here", f"it is {inline('x')} here"),
        ("$$x = 1$$", block("x = 1")),
        ("so:\n$$\nx\n$$\nand", f"<p>so:</p>{block('x')}<p>and</p>"),
        (r"\[ \frac{1}{2} \]", block(r"\frac{1}{2}")),
        ("$$\na\n= b\n- c\n# d\n$$", '<div data-mx-maths="a\n= b\n- c\n# d"><code>a\n= b\n- c\n# d</code></div>'),
        ("$$\na\n\nb\n$$", '<div data-mx-maths="a\nb"><code>a\nb</code></div>'),
        ("1. so\n   $$\n   x\n   $$\n2. and", f"<li>so{block('x')}</li><li>and</li>"),
        ("> $$\n> x\n> $$", f"<blockquote>{block('x')}</blockquote>"),
        ('$x < "y" & z$', '<span data-mx-maths="x &lt; &quot;y&quot; &amp; z"><code>x &lt; &quot;y&quot; &amp; z'),
        ("| x |\n|---|\n| $a \\| b$ |", f"<td>{inline('a | b')}</td>"),
        (r"$2 \pi r$", inline(r"2 \pi r")),
        ("**$y$** [$x$](https://a.b)", f'<strong>{inline("y")}</strong> <a href="https://a.b">{inline("x")}</a>'),
    ],
)
def test_maths(text: str, html: str) -> None:
    assert html in (render(text) if "\n= b" in html or "\nb" in html else plain(render(text)))  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10.",
        "Between $20/month and $30/month (or $300/year).",
        "$10 buys apples, 20$ too.",
        "US$5 and AU$7, or 5$-10$",
        "`$HOME` is not $HOME/bin:$PATH",
        "a $ b $ c",
        r"\$x\$",
        "`$x$` and `\\(y\\)`",
        "```tex\n$$\nx\n$$\n```",
        "    $$\n    x\n    $$",
        "$$\nhalf",
        r"\(half",
        "$",
        "$$",
        "$$$$",
    ],
)
def test_what_is_no_maths(text: str) -> None:
    html = render(text)
    assert html is not None
    assert "data-mx-maths" not in html
    assert "otterbot" not in html
    assert "~~~~" not in html


def test_code_about_maths_stays_as_it_is() -> None:
    assert plain(render("    $$\n    x\n    $$")) == "<pre><code>$$\nx\n$$</code></pre>"
    assert plain(render("```tex\n$$\nx\n$$\n```")) == '<pre><code class="language-tex">$$\nx\n$$</code></pre>'


# ---------------------------------------------------------------- hostile

PIECES = [
    "|", "~", "$", "*", "[", "| ", "~ a", "$a ", "*a ", "\\(", "\\[x", "$$", "`", "|-", "|a", "~~a", "_a*", "**a ",
    "|a|b|\n|-|-|\n", "a|\n-|\n", "![", "<a ", "- ", "> ", "a~", "$x$", "\\[x\\]", "$$x$$\n", "$$\n", "&", "1. ", "]",
    "[a]: b\n", "|" * 50 + "\n" + "|-" * 50 + "|\n" + "|\n" * 100, "- [ ] ", "<br>", "$`", "~~\n", "# $",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_text_is_rendered_in_time(piece: str) -> None:
    """As long as a piece of an answer can be: what is not linear would show. Limits that load cannot outrun."""
    text = (piece * 20_000)[:8_000]
    started = time.process_time()
    html = render(text)
    assert time.process_time() - started < 5
    assert html is None or len(html) < 100 * len(text)


def test_what_is_longer_than_any_piece_is_shown_as_it_is() -> None:
    assert render("x" * (MAX_LENGTH + 1)) is None
