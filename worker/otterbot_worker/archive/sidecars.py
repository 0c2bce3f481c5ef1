"""The ``.yml`` beside a picture: written for people and ``grep``, and read back where the database is lost."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..schemas.records import Record
from .metadata import clean

_LIKE_A_FLAG = re.compile(r"(?<!\w)[-‐-―−]\s{0,3}\w|[-‐-―−]{2}|[‒-―]")
"""In quotes the room takes it for words, where the keys of a sidecar are typed there."""

_PRIVATE = re.compile(r"^private: (true|false)$", re.MULTILINE)
_KEPT = re.compile(r"^kept: true\n", re.MULTILINE)
"""Texts of people are indented, so no prompt looks like one of these lines."""


class Owner(NamedTuple):
    """Id and client of a picture, to restore its row when the database is lost."""

    image_id: str
    client: str


def of_picture(record: Record, *, filename: str, created: str, private: bool, owner: Owner | None = None) -> str:
    """The ``.yml``: the settings first, as a person looks for them, then the whole record."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else "'" if _LIKE_A_FLAG.search(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    whole = record.model_dump(mode="json")
    first = ("prompt", "negative_prompt", "model", "sampler", "steps", "guidance_scale", "width", "height", "seed")
    used, written, words, styles = record.used, record.used.expansion, record.used.styled, record.used.styles
    chance = used.chance
    drawn_from = {} if chance is None else {"drawn_from": chance.prompt, "negative_drawn_from": chance.negative_prompt}
    document = {
        **{key: _plain(whole["used"][key]) for key in first},
        **({} if used.structure is None else {"structure": _plain(whole["used"]["structure"])}),
        **{key: _plain(text) for key, text in drawn_from.items() if text is not None},
        **({} if written is None else {"expanded_from": _plain(written.prompt), "expanded_by": _plain(written.model)}),
        **({} if words is None else {"styles": [one.name for one in styles], "styled_from": _plain(words.prompt)}),
        "file": filename,
        "created": created,
        "private": private,
        **({} if owner is None else owner._asdict()),
        "record": _plain(whole),
    }
    return yaml.dump(document, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=10_000)


def of_sheet(
    *, filename: str, created: str, private: bool, owner: Owner, fields: Mapping[str, str | None], kept: bool = False
) -> str:
    """The ``.yml`` of a contact sheet. ``fields``: the file of each, by name; ``None`` where it is not shown."""
    import yaml

    document = {
        "file": filename,
        "created": created,
        "private": private,
        **({"kept": True} if kept else {}),
        **owner._asdict(),
        "fields": dict(fields),
    }
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=10_000)


def private(text: str) -> bool | None:
    """Whether the sidecar marks its picture as from an encrypted room; ``None`` without a mark."""
    found = _PRIVATE.search(text)
    return None if found is None else found[1] == "true"


def is_kept(text: str) -> bool:
    """Whether the sidecar says that somebody keeps its picture."""
    return _KEPT.search(text) is not None


def with_kept(text: str, kept: bool) -> str:
    """The sidecar with that mark, or without it; unchanged where it is none of ours."""
    without = _KEPT.sub("", text)
    return _PRIVATE.sub(r"\g<0>\nkept: true", without, count=1) if kept else without


def sheet_files(text: str) -> tuple[str, ...]:
    """Of a contact sheet's sidecar, the names of the files of the pictures on it."""
    from .. import yamlfile

    try:
        document = yamlfile.parse(text)
    except yamlfile.Unreadable:
        return ()
    fields = document.get("fields") if isinstance(document, dict) else None
    return tuple(str(name) for name in fields.values() if name is not None) if isinstance(fields, dict) else ()


def owner(text: str, filename: str) -> Owner | None:
    """The picture's owner; ``None`` where the sidecar names none, or lies beside another file than its own."""
    image_id = re.search(r"^image_id: '?([0-9a-f]{32})'?$", text, re.MULTILINE)
    client = re.search(r"^client: '?([a-z0-9][a-z0-9_-]{0,31})'?$", text, re.MULTILINE)
    if image_id is None or client is None or f"\nfile: {filename}\n" not in f"\n{text}":
        return None
    return Owner(image_id[1], client[1])


def _plain(value: Any) -> Any:
    """Types that YAML's safe dumper knows; texts with ``\n`` only, so that they are written as blocks."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return clean(str(value))
