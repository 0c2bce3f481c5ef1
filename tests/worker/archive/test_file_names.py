from __future__ import annotations

import time

import pytest

from otterbot_worker.archive import names

WHEN = time.struct_time((2024, 1, 21, 13, 20, 50, 6, 21, 0))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("otter", "otter"),
        ("Otter, Cowboy Hat", "otter-cowboy-hat"),
        ("  ", ""),
        ("💚🦦", ""),
        ("Oregon 💚", "oregon"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", ""),
        ("/", ""),
        ("C:\\Windows\\con", "c-windows-con"),
        ("a\x00b\nc\u202egnp.exe", "a-b-c-gnp-exe"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("выдра в шляпе", "выдра-в-шляпе"),
        ("カワウソ", "カワウソ"),
        ("ऊदबिलाव", "ऊदबिलाव"),
        ("ﬁsh Ｏtter", "fish-otter"),
        ("\u0301otter", "otter"),
        ("under_score", "under-score"),
        ("\ud800x", "x"),
    ],
)
def test_slug(words: str, expected: str) -> None:
    assert names.slug(words) == expected


def test_a_slug_fits_into_a_file_name() -> None:
    for character in ("x", "я", "獺", "𠀀", "e\u0301"):
        found = names.slug(character * 4_000)
        assert 0 < len(found) <= names.MAX_CHARACTERS
        assert len(found.encode()) <= names.MAX_BYTES


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("otter, cowboy hat", "otter"),
        ("a photo of an otter", "otter"),
        ("(otter)++, ((pizza))", "otter"),
        ("((Otter:1.3)), hat", "otter"),
        ("<lora:cereal_box:0.8> otter", "otter"),
        ("ein Bild von der Otter", "otter"),
        ("2 otters", "otters"),
        ("the", "the"),
        ("💚, otter", "otter"),
        ("!!!", ""),
        ("", ""),
        ("../../otter", "otter"),
        ("sea-otter swimming", "sea-otter"),
    ],
)
def test_subject(prompt: str, expected: str) -> None:
    assert names.subject(prompt) == expected


def test_stem_prefers_the_theme_and_always_has_a_name() -> None:
    assert names.stem("Party", "otter", WHEN) == "party_20240121132050"
    assert names.stem(None, "otter, hat", WHEN) == "otter_20240121132050"
    assert names.stem("💚", "💚", WHEN) == "picture_20240121132050"
    assert names.folder(WHEN) == "2024-01-21"


def test_scratch_names_are_no_paths() -> None:
    assert names.scratch_name("../x/y:1") == "___x_y_1.rgb"
    assert names.scratch_name("") == "task.rgb"
