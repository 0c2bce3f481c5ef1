"""Reads YAML files that people write; any error becomes one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

MERGED_MAX = 10_000
"""Maximum number of entries merged by ``<<`` in a file: nested merges grow exponentially."""
NUMBER_MAX = 100
"""Maximum characters of a number: sexagesimal ones (``1:30:00``) take quadratic time."""


MERGE = "tag:yaml.org,2002:merge"


class _Twice(Exception):
    """A key that stands in one mapping twice; the message says where."""

    def __init__(self, key: str, first: int, second: int) -> None:
        name = key if re.fullmatch(r"[A-Za-z_][\w.-]{0,40}", key) else "a key"
        super().__init__(f"{name} stands there twice, in lines {first} and {second}: put what belongs to it into one")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, with bounds of time and memory."""

    _merged = 0

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._checked: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        self._check_keys(node)
        before = len(node.value)
        super().flatten_mapping(node)
        self._merged += max(0, len(node.value) - before)
        if self._merged > MERGED_MAX:
            raise yaml.constructor.ConstructorError(None, None, "too much is merged", node.start_mark)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        """PyYAML takes the last of two, so that a section pasted at the end would undo the first one in silence.

        Looks at a mapping once, before anything is merged into it: what ``<<`` brings may stand there again.
        """
        if id(node) in self._checked:
            return
        self._checked.add(id(node))
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE:
                name, line = (key.tag, key.value), key.start_mark.line + 1
                if name in lines:
                    raise _Twice(key.value, lines[name], line)
                lines[name] = line

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        if len(node.value) > NUMBER_MAX:
            raise yaml.constructor.ConstructorError(None, None, "a number is too long", node.start_mark)
        whole = node.tag == "tag:yaml.org,2002:int"
        number: int | float = (self.construct_yaml_int if whole else self.construct_yaml_float)(node)
        return number


for _tag in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_number)


class Unreadable(Exception):
    """The file cannot be read; the message names it and, where it is known, the line. Never what stands there."""


def read(path: Path) -> Any:
    """:raises Unreadable:"""
    try:
        return parse(path.read_text("utf-8"))
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read ({error.strerror})") from None
    except (Unreadable, UnicodeDecodeError) as error:
        line = f" from line {error.args[1]} on" if len(error.args) == 2 and isinstance(error, Unreadable) else ""
        said = error.args[0] if isinstance(error, Unreadable) else "no YAML"
        raise Unreadable(f"{path}: {said}{line}") from None


def parse(text: str) -> Any:
    """:raises Unreadable: with the line as second argument, where it is known"""
    with _told():
        return yaml.load(text, _Loader)


def compose(text: str) -> yaml.Node | None:
    """As `parse`, with the place in the text of everything. :raises Unreadable:"""
    with _told():
        return yaml.compose(text, _Loader)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except _Twice as error:
        raise Unreadable(str(error)) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable("no YAML", *([mark.line + 1] if mark else [])) from None
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError):
        # PyYAML raises any exception for a thirteenth month, `!!bool maybe` or endless brackets.
        raise Unreadable("no YAML") from None
