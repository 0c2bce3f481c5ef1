"""Sentences on what a value should have been, for settings and for requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REPOSITORY_OR_PATH = r"^(\w[\w.-]*/\w[\w.-]*|[/~].*)$"
"""A pattern: a hub id, or an absolute path."""
ADDRESS = r"^https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?/?$"
"""A pattern: how a server is called, with nothing behind name and port."""

_BOUNDS = {
    "greater_than": "more than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}
_CONTEXT = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "path": "a path",
    "dict": "keys and values",
    "model": "keys and values",
    "list": "a list",
    "tuple": "a list",
    "finite_number": "a finite number",
}
_WORDS = {
    "too_short": "expected at least one entry",
    "string_too_short": "expected text",
    "string_too_long": "too long",
}
_PATTERNS = {
    r"^(auto|cpu|cuda(:[0-9]+)?)$": "expected auto, cpu, cuda or cuda:N",
    r"^https?://": "expected an http:// or https:// address, or nothing",
    r"^(auto|[A-Za-z0-9][A-Za-z0-9.-]{0,251}:[0-9]{1,5})$": "expected auto, or HOST:PORT of a Ray cluster's head",
    ADDRESS: "expected an address without a path, as https://otter.example.org, or nothing",
    REPOSITORY_OR_PATH: "expected a repository as owner/name, an absolute path, or nothing",
    r"^[a-z0-9][a-z0-9_-]{0,31}$": "expected a short name of small letters, digits, - and _",
}


def of(problem: Mapping[str, Any]) -> str:
    """What one of pydantic's errors expected; never repeats the given value."""
    context = problem.get("ctx", {})
    kind = str(problem["type"])
    if kind == "value_error":
        return str(context.get("error", "expected another value"))
    if kind in _BOUNDS:
        return f"expected {_BOUNDS[kind]} {context.get(kind.removesuffix('_equal'), context.get(_CONTEXT[kind]))}"
    if kind == "literal_error":
        return f"expected one of {context['expected']}"
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context["pattern"]), "expected another form, as in the example")
    if kind in _WORDS:
        return _WORDS[kind]
    family = re.sub(r"_(type|parsing|from_float|from_string).*$", "", kind)
    return f"expected {_KINDS.get(family, 'another value')}"
