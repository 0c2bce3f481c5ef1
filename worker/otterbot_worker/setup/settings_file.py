"""Changes single values in a settings file; comments and everything else in it stay as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from .. import yamlfile

Key = tuple[str, ...]


class CannotEdit(Exception):
    """A value cannot be changed in place; the message names it."""


def changed(text: str, values: Mapping[Key, Any]) -> str:
    """``text`` with each value in its place. Values: text, numbers, true or false, ``None``.

    :raises CannotEdit: :raises yamlfile.Unreadable:
    """
    for key, value in values.items():
        text = _changed(text, key, value)
    return text


def _changed(text: str, key: Key, value: Any) -> str:
    wanted = _with(yamlfile.parse(text), key, key, value)
    for written in (_plain(value), json.dumps(value, ensure_ascii=False)):
        try:
            new = _edited(text, key, written)
            # Files of people hold anchors, tags, and worse: what comes out has to mean what was asked for.
            if yamlfile.parse(new) == wanted:
                return new
        except yamlfile.Unreadable:
            continue
    raise _cannot(key)


def _cannot(key: Key) -> CannotEdit:
    return CannotEdit(f"{'.'.join(key)} cannot be changed in place")


def _with(values: Any, key: Key, rest: Key, value: Any) -> dict[str, Any]:
    """What the file means afterwards; ``rest``: of ``key``, below ``values``. :raises CannotEdit:"""
    if values is not None and not isinstance(values, dict):
        raise _cannot(key)
    inside = dict(values or {})
    inside[rest[0]] = value if len(rest) == 1 else _with(inside.get(rest[0]), key, rest[1:], value)
    return inside


def _plain(value: Any) -> str:
    dumped = yaml.safe_dump(value, allow_unicode=True, width=1_000_000)
    return dumped.removesuffix("\n...\n").strip()


def _edited(text: str, key: Key, written: str) -> str:
    node = yamlfile.compose(text)
    if node is None:
        return _top(text, key, written)
    for depth, name in enumerate(key):
        if not isinstance(node, yaml.MappingNode):
            raise _cannot(key)
        found = [pair for pair in node.value if pair[0].value == name]
        rest = key[depth + 1 :]
        if not found:
            return _top(text, key, written) if depth == 0 else _inserted(text, node, (name, *rest), written)
        label, node = found[-1]
        if not rest:
            return _replaced(text, key, node, written)
        if isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index:
            # A section whose keys are all commented out.
            return _after_line(text, label.end_mark.index, _block(rest, written, label.start_mark.column + 2))
    raise _cannot(key)


def _replaced(text: str, key: Key, node: yaml.Node, written: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
        raise _cannot(key)
    start, end = node.start_mark.index, node.end_mark.index
    return text[:start] + (" " if start == end else "") + written + text[end:]


def _inserted(text: str, node: yaml.MappingNode, key: Key, written: str) -> str:
    """Into a section that has no such key."""
    if node.flow_style:
        end = node.end_mark.index - 1
        before = text[:end].rstrip()
        comma = "" if before.endswith(("{", ",")) else ", "
        return f"{before}{comma}{key[0]}: {written}{text[end:]}"
    last: yaml.Node = node
    while isinstance(last, yaml.MappingNode | yaml.SequenceNode) and last.value and not last.flow_style:
        entry = last.value[-1]
        last = entry[1] if isinstance(entry, tuple) else entry
    return _after_line(text, last.end_mark.index, _block(key, written, node.start_mark.column))


def _top(text: str, key: Key, written: str) -> str:
    """A key of the whole file: where it stands as a comment, else at the end."""
    if len(key) == 1:
        commented = re.search(rf"^#[ ]?{re.escape(key[0])}:.*$", text, re.MULTILINE)
        if commented is not None:
            return text[: commented.start()] + f"{key[0]}: {written}" + text[commented.end() :].removeprefix("\r")
    gap = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{gap}{_block(key, written, 0)}\n"


def _block(key: Key, written: str, indent: int) -> str:
    lines = [" " * (indent + 2 * depth) + f"{name}:" for depth, name in enumerate(key)]
    return "\n".join(lines) + f" {written}"


def _after_line(text: str, index: int, lines: str) -> str:
    end = text.find("\n", index)
    return f"{text}\n{lines}\n" if end < 0 else f"{text[:end]}\n{lines}{text[end:]}"
