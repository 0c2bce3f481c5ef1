"""Markdown as HTML for rooms: CommonMark, and what models use of GitHub's (tables, strikethrough, tasks) and maths.

Maubot brings `commonmark`, which knows neither tables nor maths, and a plugin can import nothing that a plain Maubot
lacks. So its parser is given what is missing: blocks in :mod:`.markdown_blocks`, the rest in
:mod:`.markdown_inlines`. HTML in the text is shown as text, pictures are links, and links lead to the web, to mail or
to Matrix.
"""

from __future__ import annotations

import re
from typing import Any

import commonmark  # type: ignore[import-untyped]
from mautrix.util.markdown import HtmlEscapingRenderer

from . import markdown_blocks
from .markdown_blocks import MATHS
from .markdown_inlines import Inlines

MAX_LINKS = 200
"""The parser is quadratic in them; text with more is shown as it is."""
MAX_LENGTH = 20_000
"""Characters; a piece of an answer has less."""

_SAFE_LINK = re.compile(r"(?:https?|mailto|matrix):", re.IGNORECASE)


def render(markdown: str) -> str | None:
    """HTML; ``None`` where the text is better shown as it is."""
    if markdown.count("](") > MAX_LINKS or len(markdown) > MAX_LENGTH:
        return None
    try:
        html: str = _Renderer().render(_Parser().parse(markdown_blocks.with_maths_fenced(markdown)))
    except (RecursionError, IndexError, AttributeError, TypeError):  # of a parser that was given nonsense
        return None
    return html.strip()


class _Parser(commonmark.Parser):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.inline_parser = Inlines()

    def process_inlines(self, block: Any) -> None:
        markdown_blocks.find_tables(block)
        markdown_blocks.mark_tasks(block)
        super().process_inlines(block)
        for cell in markdown_blocks.cells(block):
            self.inline_parser.parse(cell)


class _Renderer(HtmlEscapingRenderer):
    """mautrix's renderer, which escapes HTML; here line breaks stay, and nothing is loaded from elsewhere."""

    def softbreak(self, node: Any = None, entering: Any = None) -> None:
        """Models write poems and lists of facts with single line breaks."""
        self.linebreak()

    def link(self, node: Any, entering: bool) -> None:
        if _SAFE_LINK.match(node.destination or ""):
            super().link(node, entering)

    def image(self, node: Any, entering: bool) -> None:
        """As a link: a picture from the web would tell its owner who looks at it."""
        self.link(node, entering)

    # -- what CommonMark does not know; types that begin with "custom_" are containers to its walker

    def custom_inline_struck(self, node: Any, entering: bool) -> None:
        self.tag("del" if entering else "/del")

    def maths(self, node: Any, entering: bool) -> None:
        """Matrix' form of it: the source, and what is shown by clients that draw none."""
        self.tag("span", [["data-mx-maths", self.escape(node.literal)]])
        self._source(node.literal)
        self.tag("/span")

    def code_block(self, node: Any, entering: bool) -> None:
        if node.info != MATHS:
            node.literal = markdown_blocks.unfenced(node.literal)
            super().code_block(node, entering)
            return
        source = node.literal.strip()
        self.cr()
        self.tag("div", [["data-mx-maths", self.escape(source)]])
        self._source(source)
        self.tag("/div")
        self.cr()

    def _source(self, source: str) -> None:
        self.tag("code")
        self.out(source)
        self.tag("/code")

    def custom_block_table(self, node: Any, entering: bool) -> None:
        self._block("table" if entering else "/tbody></table" if node.last_child.level else "/table", entering)

    def custom_block_row(self, node: Any, entering: bool) -> None:
        """``level``: which row it is; the first one is the head."""
        if entering and node.level < 2:
            self.tag("thead" if node.level == 0 else "tbody")
        self.tag("tr" if entering else "/tr")
        if not entering and node.level == 0:
            self.tag("/thead")
        self.cr()

    def custom_block_cell(self, node: Any, entering: bool) -> None:
        name = "th" if node.parent.level == 0 else "td"
        self.tag(name if entering else f"/{name}")

    def _block(self, tag: str, entering: bool) -> None:
        self.cr()
        self.tag(tag)
        self.cr()
