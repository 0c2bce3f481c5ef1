"""What makes each picture on a contact sheet again, in the sheet's event: compact to write, read as carefully as any
record of a room.

The event's ``record`` is that of the first picture that was drawn. Each field says what differs from it::

    {"columns": 2, "fields": [{"image": ID}, {"image": ID, "used": {"seed": 8}}, {"absent": "failed"}, …]}

Where that is long, the fields are ``packed``: their JSON, deflated, in base64.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import numeric
from ..matrix.event_content import OUR_KEY, canonical, size
from ..worker.jobs import Picture

LARGE = 8_000
"""Bytes of JSON from which on fields are packed."""
LARGEST = 24_000
"""Bytes that all fields may take in an event; what is longer loses its words, and can only be had from the worker."""
MOST = 64
UNPACKED = 2_000_000
_IMAGE = re.compile(r"[\w-]{1,64}", re.ASCII)
_WORDS = ("prompt", "negative_prompt", "styled", "structure", "chance", "expansion", "styles")


@dataclass(frozen=True, kw_only=True)
class FieldIn:
    """A field as its event tells it."""

    record: Mapping[str, Any] | None
    """What makes its picture again, untrusted; ``None``: there is none, see ``absent``."""
    image: str | None = None
    """Its id at the worker that drew it."""
    absent: str = ""
    """``failed``, ``cancelled``."""


@dataclass(frozen=True, kw_only=True)
class SheetIn:
    columns: int
    fields: Sequence[FieldIn]
    swept: bool = False
    """They differ in settings, so that none of them stands for all."""


def packed(columns: int, pictures: Sequence[Picture], base: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a sheet for its event. ``base``: the record that stands beside them."""
    fields = [_field(picture, base) for picture in pictures]
    told = _told(columns, fields)
    if size(told) > LARGEST:
        fields = [_without_words(field) for field in fields]
        told = _told(columns, fields)
    return told


def _told(columns: int, fields: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    plain = {"columns": columns, "fields": list(fields)}
    if size(plain) <= LARGE:
        return plain
    data = json.dumps(list(fields), ensure_ascii=False, separators=(",", ":")).encode()
    return {"columns": columns, "packed": base64.b64encode(zlib.compress(data, 9)).decode()}


def _field(picture: Picture, base: Mapping[str, Any]) -> dict[str, Any]:
    if picture.result is None:
        return {"absent": picture.state}
    record = canonical(picture.result.record)
    found: dict[str, Any] = {"image": picture.result.image_id}
    for part in ("used", "asked"):
        if (differs := _differs(_mapping(record.get(part)), _mapping(base.get(part)))) != {}:
            found[part] = differs
    if record.get("took") != base.get("took"):
        found["took"] = record.get("took")
    return found


def _differs(one: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """What ``one`` has otherwise; ``None`` for what it has not at all."""
    changed = {name: value for name, value in one.items() if name not in base or base[name] != value}
    return changed | {name: None for name in base if name not in one}


def _without_words(field: Mapping[str, Any]) -> dict[str, Any]:
    used = {name: value for name, value in _mapping(field.get("used")).items() if name not in _WORDS}
    words = len(used) < len(_mapping(field.get("used")))
    kept = {name: value for name, value in field.items() if name not in ("used", "asked")}
    return {**kept, "used": used, **({"cut": True} if words else {})}


def sheet_in(event: Mapping[str, Any] | None) -> SheetIn | None:
    """The sheet in a decrypted event; ``None`` if it is none, or not one that anybody can read."""
    content = event.get("content") if event is not None else None
    ours = content.get(OUR_KEY) if isinstance(content, Mapping) else None
    told = ours.get("sheet") if isinstance(ours, Mapping) else None
    base = ours.get("record") if isinstance(ours, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(base, Mapping):
        return None
    columns = numeric.whole(told.get("columns"))
    fields = told.get("fields")
    if "packed" in told:
        fields = _unpacked(told["packed"])
    if columns is None or not 1 <= columns <= MOST or not isinstance(fields, list) or not 1 <= len(fields) <= MOST:
        return None
    return SheetIn(columns=columns, fields=[_read(field, base) for field in fields], swept=told.get("swept") is True)


def _unpacked(text: Any) -> Any:
    """Never more than a bounded size, whatever was packed."""
    if not isinstance(text, str):
        return None
    try:
        data = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), UNPACKED)
        return json.loads(data)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None


def _read(field: Any, base: Mapping[str, Any]) -> FieldIn:
    if not isinstance(field, Mapping) or "absent" in field:
        state = field.get("absent") if isinstance(field, Mapping) else None
        return FieldIn(record=None, absent=state if state in ("failed", "cancelled") else "failed")
    image = field.get("image")
    image = image if isinstance(image, str) and _IMAGE.fullmatch(image) else None
    if field.get("cut") is True:
        return FieldIn(record={}, image=image)
    record: dict[str, Any] = {**base}
    for part in ("used", "asked"):
        merged = {**_mapping(base.get(part)), **_mapping(field.get(part))}
        record[part] = {name: value for name, value in merged.items() if value is not None}
    return FieldIn(record={**record, "took": field.get("took", base.get("took"))}, image=image)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
