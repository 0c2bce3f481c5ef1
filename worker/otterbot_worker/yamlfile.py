"""YAML files that people write, read so that whatever stands in them is told in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


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
        raise Unreadable(f"{path}: no YAML{line}") from None


def parse(text: str) -> Any:
    """:raises Unreadable: with the line as second argument, where it is known"""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable("no YAML", *([mark.line + 1] if mark else [])) from None
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        # The thirteenth month, `!!bool maybe`, and brackets without end: PyYAML lets them through as they come.
        raise Unreadable("no YAML") from None
