"""Names of parts: what stands in databases and rooms since the first version is still read and written."""

from __future__ import annotations

import pytest

from otterbot.store import part_names, queries
from otterbot.store.part_names import PartName
from otterbot.store.rows import Part


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        (PartName.picture(3), "picture/3"),
        (PartName.answer(2), "chat/2"),
        (part_names.PLACEHOLDER, "chat/0"),
        (PartName.picture(0).unsend(), "unsend/picture/0"),
        (part_names.STATUS.in_room("!a:test"), "status/in/!a:test"),
        (part_names.PLACEHOLDER.left("!a:test"), "chat/0/left/!a:test"),
        (part_names.STATUS_EDIT.attempt(7), "status/edit/7"),
    ],
)
def test_how_they_are_written(name: PartName, stored: str) -> None:
    assert name == stored


@pytest.mark.parametrize(
    ("stored", "family", "number", "piece"),
    [
        ("picture/3", "picture", 3, -1),
        ("chat/0", "chat", 0, 0),
        ("chat/12", "chat", 12, 12),
        ("chat/edit", "chat", -1, -1),
        ("chat/0/in/!a:test", "chat", -1, -1),
        ("unsend/picture/3", "unsend", -1, -1),
        ("status", "status", -1, -1),
        ("", "", -1, -1),
    ],
)
def test_how_they_are_read(stored: str, family: str, number: int, piece: int) -> None:
    name = PartName(stored)
    assert (name.family, name.number, name.piece) == (family, number, piece)
    assert name.is_picture == stored.startswith("picture/")


def test_a_part_has_a_name_whatever_it_is_made_from() -> None:
    assert Part(key="k", part="chat/1", room_id="!a:test").part.piece == 1  # type: ignore[arg-type]


def test_the_queries_say_the_same() -> None:
    assert "part || '/in/' || room_id" in queries.LEFT_BEHIND
    assert "part IN ('status', 'chat/0')" in queries.LEFT_BEHIND
    assert "parts.part = 'done'" in queries.UNCLOSED
