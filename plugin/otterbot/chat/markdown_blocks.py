"""Blocks that CommonMark does not know: tables, tasks in lists, displayed maths.

Tables are found in the paragraphs of a parsed document, by the rules of GitHub Flavored Markdown: a line of cells, and
under it a line of dashes with as many. Displayed maths is put into fences before the document is parsed, since its
lines may look like lists, headings or quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from commonmark.node import Node  # type: ignore[import-untyped]

MAX_COLUMNS = 60
MAX_CELLS = 5_000
"""Cells that a row lacks are added, so that a short text could ask for very many."""
MATHS = "org.otterbot.maths"
"""The language of a fence around displayed maths."""
MAX_MATHS_LINES = 100

_DELIMITERS = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_PIPE = re.compile(r"(\\*)\|")
_TASK = re.compile(r"\[(?P<done>[ xX])\](?=[ \t])")

# ---------------------------------------------------------------- tables


def split_row(line: str) -> list[str]:
    """The cells of a line. A pipe with a backslash before it is one of the text, in code as well."""
    line = line.strip().removeprefix("|")
    cells, start = list[str](), 0
    for pipe in _PIPE.finditer(line):
        if len(pipe[1]) % 2 == 0:
            cells.append(line[start : pipe.end() - 1])
            start = pipe.end()
    if line[start:].strip() or not cells:
        cells.append(line[start:])
    return [cell.strip().replace("\\|", "|") for cell in cells]


def is_table(header: str, delimiters: str) -> bool:
    """Do these two lines begin a table?"""
    if "|" not in header + delimiters or _DELIMITERS.match(delimiters) is None:
        return False
    columns = len(split_row(header))
    return columns == len(split_row(delimiters)) <= MAX_COLUMNS and bool(header.strip())


def find_tables(document: Any) -> None:
    """Put tables in place of the paragraphs, or of the ends of paragraphs, that are tables."""
    for paragraph in _nodes(document, "paragraph"):
        lines = paragraph.string_content.rstrip("\n").split("\n")
        begins = next((at for at in range(len(lines) - 1) if is_table(lines[at], lines[at + 1])), None)
        if begins is None or len(split_row(lines[begins])) * (len(lines) - begins) > MAX_CELLS:
            continue
        paragraph.insert_after(_table(lines[begins], lines[begins + 2 :]))
        if begins:
            paragraph.string_content = "\n".join(lines[:begins])
        else:
            paragraph.unlink()


def _table(header: str, rows: list[str]) -> Any:
    table, columns = Node("custom_block_table", None), len(split_row(header))
    for number, line in enumerate([header, *rows]):
        row = Node("custom_block_row", None)
        row.level = number
        table.append_child(row)
        found = split_row(line)
        for text in [*found, *[""] * (columns - len(found))][:columns]:
            cell = Node("custom_block_cell", None)
            cell.string_content = text
            row.append_child(cell)
    return table


def cells(document: Any) -> list[Any]:
    return _nodes(document, "custom_block_cell")


def mark_tasks(document: Any) -> None:
    """``- [x] sleep``: with a box, since a room shows no form."""
    for item in _nodes(document, "item"):
        first = item.first_child
        if first is not None and first.t == "paragraph" and (task := _TASK.match(first.string_content)):
            box = "☐" if task["done"] == " " else "☑"
            first.string_content = box + first.string_content[task.end() :]


def _nodes(document: Any, kind: str) -> list[Any]:
    return [node for node, entering in document.walker() if entering and node.t == kind]


# ---------------------------------------------------------------- displayed maths

_OPENS = re.compile(
    r"(?P<before>[ \t>]*(?P<item>(?:[-*+]|\d{1,9}[.)])[ \t]+)?)(?P<mark>\$\$|\\\[)(?P<rest>.*)\Z", re.DOTALL
)
_ENDS = {"$$": "$$", "\\[": "\\]"}
_FENCE = "~" * 7
_CODE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<run>`{3,}|~{3,})(?P<info>[^`]*)\Z")
_ITEM = re.compile(r"[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]")


def with_maths_fenced(markdown: str) -> str:
    """The text with fences around each formula that stands on lines of its own."""
    if "$$" not in markdown and "\\[" not in markdown:
        return markdown
    lines, done, at = markdown.split("\n"), list[str](), 0
    fence, in_list = "", False
    while at < len(lines):
        line, at = lines[at], at + 1
        code = _CODE.match(line)
        if fence:
            fence = "" if code and code["run"].startswith(fence) and not code["info"].strip() else fence
        elif code:
            fence = code["run"]
        elif (opens := _OPENS.match(line)) and (in_list or not _is_indented(opens["before"])):
            end = _maths_end(lines, at - 1, opens)
            if end is not None:
                done += _fenced(lines[at - 1 : end + 1], opens)
                at = end + 1
                continue
        if line.strip():
            in_list = _ITEM.match(line) is not None or (in_list and line[:1] in " \t")
        done.append(line)
    return "\n".join(done)


def _is_indented(before: str) -> bool:
    """By so much that it is code, outside of a list."""
    return len(before.replace("\t", "    ")) - len(before.lstrip(" \t")) >= 4


def _maths_end(lines: list[str], first: int, opens: re.Match[str]) -> int | None:
    """The line that ends the formula, and has nothing behind it; ``None``: it does not stand on lines of its own."""
    end = _ENDS[opens["mark"]]
    for at in range(first, min(len(lines), first + MAX_MATHS_LINES)):
        text = opens["rest"] if at == first else lines[at]
        if (found := text.find(end)) >= 0:
            whole = not text[found + len(end) :].strip()
            return at if whole and (at > first or text[:found].strip()) else None
    return None


def _fenced(lines: list[str], opens: re.Match[str]) -> list[str]:
    mark, before = opens["mark"], opens["before"]
    inside = before[: opens.start("item")] + " " * len(opens["item"]) if opens["item"] else before
    found = [opens["rest"], *lines[1:]]
    found[-1] = found[-1].rstrip()[: -len(mark)]
    quoted = inside.count(">")
    body = [inside + found[0], *(line if quoted else inside + line.lstrip() for line in found[1:])]
    body = [line for line in body if line.strip(" \t>")]
    return [f"{before}{_FENCE} {MATHS}", *body, f"{inside}{_FENCE}"]


def unfenced(code: str) -> str:
    """Code in which there was no formula after all, as it was written."""
    if MATHS not in code:
        return code
    lines = _without_fences(code.split("\n"))
    return "\n".join(lines)


def _without_fences(lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield line.replace(f"{_FENCE} {MATHS}", "$$") if MATHS in line else re.sub(rf"^(\s*){_FENCE}$", r"\1$$", line)
