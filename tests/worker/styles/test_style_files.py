"""Files of styles as other programs and people write them, whole and broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from otterbot_worker.errors import CannotLook
from otterbot_worker.models import user_files
from otterbot_worker.prompts import read
from otterbot_worker.schemas.requests import MAX_PROMPT, ImageOptions
from otterbot_worker.schemas.style_words import PLACE, Words, styled
from otterbot_worker.styles import StyleLibrary, files, fold, library

HEADER = "name,prompt,negative_prompt\n"


def put(folder: Path, name: str, content: str | bytes) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def problems(there: StyleLibrary) -> dict[str, tuple[str, ...]]:
    return {one.name: one.problems for one in there.files() if one.problems}


# ---------------------------------------------------------------- the words


def test_words_are_put_around_as_a1111_does() -> None:
    around = library.Style(name="a", prompt="oil painting of {prompt}, warm", negative_prompt="photo, {prompt}")
    behind = library.Style(name="b", prompt=" backlit ", negative_prompt="")
    assert styled(Words("otter", "blurry"), [around, behind]) == (
        "oil painting of otter, warm, backlit",
        "photo, blurry",
    )
    assert styled(Words("otter", ""), [behind, around]) == ("oil painting of otter, backlit, warm", "photo, ")
    assert styled(Words("", ""), [behind]) == ("backlit", "")
    assert styled(Words(f"{PLACE} and {PLACE}", ""), [around]).prompt == "oil painting of {prompt} and {prompt}, warm"


def test_a_name_in_any_spelling() -> None:
    spellings = ("oil-painting", "Oil Painting", "OIL_PAINTING", "oilpainting", "ｏｉｌ painting", "oil.painting")
    assert {fold(one) for one in spellings} == {"oilpainting"}
    assert fold("🎨") == "🎨", "a name of signs alone is one, too"


# ---------------------------------------------------------------- the catalogue


def test_the_catalogue_has_what_the_field_uses() -> None:
    there = StyleLibrary()
    wanted = (
        "watercolor", "oil painting", "renaissance portrait", "pencil drawing", "line drawing", "pixel art", "16 bit",
        "claymation", "pointillism", "cyberpunk", "fantasy", "street photography", "children's book",
    )  # fmt: skip
    assert all(there.find(one) is not None for one in wanted)
    assert len(library.catalogue()) >= 40
    assert len(there.all()) == len(library.catalogue()), "no two have one name"


@pytest.mark.parametrize("style", library.catalogue(), ids=lambda style: style.name)
def test_each_of_the_catalogue(style: library.Style) -> None:
    assert style.name == style.name.lower() == library.Style(**vars(style)).name
    assert style.name.replace("-", "").isalnum()
    assert 10 < len(style.about) <= 70
    assert style.about[-1] != "."
    assert (PLACE in style.prompt) == (style.group != "light"), "light goes with any other style"
    ImageOptions(prompt=style.prompt, negative_prompt=style.negative_prompt, aspect=style.aspect)
    for text in (style.prompt.replace(PLACE, "an otter"), style.negative_prompt):
        parsed = read(text)
        assert (parsed.kind, parsed.weighted, list(parsed.marks)) == ("plain", False, []), "it changes no CFG"
        assert len(text.split()) <= 40, "words enough are left for the person's"


# ---------------------------------------------------------------- A1111


def test_a1111s_file_with_everything_that_stands_in_one(tmp_path: Path) -> None:
    put(
        tmp_path / "styles",
        "styles.csv",
        "\ufeffname,prompt,negative_prompt\n"
        'SAI Anime,"anime artwork {prompt} . key visual, ""vivid""","photo, (deformed:1.2)"\n'
        "------ light ------,,\n"
        '"Two\nlines, and a comma","soft,\nwarm",\n'
        "only negative,,ugly\n"
        "short\n"
        "None,,\n"
        "Café,au lait,<lora:x:1>,and more\n",
    )
    there = StyleLibrary(tmp_path / "styles")
    assert problems(there) == {}
    anime = there.find("sai anime")
    assert anime is not None
    assert (anime.name, anime.group, anime.source) == ("SAI-Anime", "styles.csv", "file")
    assert (anime.prompt, anime.negative_prompt) == (
        'anime artwork {prompt} . key visual, "vivid"',
        "photo, (deformed:1.2)",
    )
    lines = there.find("two-lines-and-a-comma")
    assert lines is not None
    assert (lines.name, lines.prompt, lines.about) == ("Two-lines-and-a-comma", "soft,\nwarm", "soft, warm")
    negative = there.find("only negative")
    assert negative is not None
    assert (negative.prompt, negative.negative_prompt, negative.about) == ("", "ugly", "without ugly")
    assert [style.name for style in there.files()[0].styles][-1] == "Café"


@pytest.mark.parametrize(
    "text",
    ["name,text\nold,as it was\n", "Name;Prompt;Negative_prompt\nold;as it was;\n", "name\tprompt\nold\tas it was"],
)
def test_other_forms_of_it(tmp_path: Path, text: str) -> None:
    put(tmp_path, "s.csv", text)
    found = StyleLibrary(tmp_path).find("old")
    assert found is not None
    assert found.prompt == "as it was"


def test_several_files_and_who_has_a_name(tmp_path: Path) -> None:
    """The operator's before the catalogue; of one file the last, of several the last by name: as in A1111."""
    put(tmp_path, "a.csv", HEADER + "glow,one,\nglow,two,\nWatercolor,of the operator,\n")
    put(tmp_path, "b.CSV", HEADER + "Glow,three,\n")
    put(tmp_path, "notes.txt", "no file of styles")
    put(tmp_path, ".hidden.csv", HEADER + "hidden,h,\n")
    there = StyleLibrary(tmp_path)
    known = there.all()
    assert (known["glow"].prompt, known["watercolor"].prompt) == ("three", "of the operator")
    assert there.find("hidden") is None
    assert list(known)[:2] == ["glow", "watercolor"], "the operator's are listed first"
    assert problems(there) == {}


# ---------------------------------------------------------------- Fooocus


def test_fooocus_list(tmp_path: Path) -> None:
    styles = [
        {"name": "Fooocus Sharp", "prompt": "cinematic still {prompt} . film grain", "negative_prompt": "anime"},
        {"name": "bare", "prompt": "x", "extra": [1]},
        {"name": "half \ud800", "prompt": "a\ud800b"},
        {"prompt": "without a name"},
        {"name": 7, "prompt": ["no", "text"]},
    ]
    put(tmp_path, "sdxl_styles_fooocus.json", json.dumps(styles))
    there = StyleLibrary(tmp_path)
    sharp = there.find("fooocus-sharp")
    assert sharp is not None
    assert (sharp.name, sharp.negative_prompt, sharp.group) == ("Fooocus-Sharp", "anime", "sdxl_styles_fooocus.json")
    half = there.find("half ?")
    assert half is not None
    assert half.prompt == "a?b"
    assert problems(there) == {
        "sdxl_styles_fooocus.json": ("holds 1 style that has a name that cannot be typed: left out",)
    }


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "no columns,at all\n1,2\n", files.NO_COLUMNS),
        ("a.csv", "", files.NO_COLUMNS),
        ("a.csv", b"\xff\xfen\0a\0m\0e\0", files.NO_UTF8),
        ("a.csv", HEADER.encode() + b"a,\xe9t\xe9,\n", files.NO_UTF8),
        ("a.csv", HEADER + 'a,"' + "x" * 200_000, "cannot be read from line 2 on"),
        ("a.csv", HEADER + "none,no style,\n", "holds 1 style that has a name that cannot be typed: left out: none"),
        (
            "a.csv",
            HEADER + "".join(f"long{number},{'x' * (MAX_PROMPT + 1)},\n" for number in range(5)) + "good,g,\n",
            "holds 5 styles that are longer than 4,000 characters: left out: long0, long1, long2 and 2 more",
        ),
        ("a.csv", HEADER + "x" * 101 + ",p,\n", "holds 1 style that has a name of more than 100 characters: left out"),
        ("a.csv", HEADER + "a,b,\n" * 2_001, files.TOO_MANY),
        ("a.csv", HEADER + "#" * files.BYTES_MAX, files.TOO_LARGE),
        ("a.json", '[{"name": "x", "prompt": "p"},\n}', "is no JSON from line 2 on"),
        ("a.json", "[" * 100_000, "is no JSON that can be read"),
        ("a.json", "9" * 5_000, "is no JSON that can be read"),
        ("a.json", '{"name": "x", "prompt": "p"}', files.NO_LIST),
        ("a.json", '["x"]', files.NO_LIST),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_stops_nothing(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    put(tmp_path, name, content)
    put(tmp_path, "z.csv", HEADER + "fine,f,\n")
    there = StyleLibrary(tmp_path)
    (found,) = problems(there)[name]
    assert found.startswith(said)
    assert there.find("fine") is not None
    assert there.find("watercolor") is not None


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "nowhere.json")
    assert problems(StyleLibrary(tmp_path)) == {
        "link.json": ("is a link to a file that is not there",),
        "pipe.csv": ("is a pipe, not a file",),
    }


def test_too_many_files(tmp_path: Path) -> None:
    for number in range(102):
        put(tmp_path, f"{number:03}.csv", HEADER + f"style{number},s,\n")
    there = StyleLibrary(tmp_path)
    assert list(problems(there)) == ["100.csv", "101.csv"]
    assert there.find("style99") is not None
    assert there.find("style100") is None


# ---------------------------------------------------------------- looked at anew


def test_a_changed_file_is_read_again_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.csv", HEADER + "glow,one,\n")
    opened: list[str] = []
    whole = library.plain_files.opened
    monkeypatch.setattr(library.plain_files, "opened", lambda path: opened.append(path.name) or whole(path))
    there = StyleLibrary(tmp_path)
    for _ in range(3):
        assert there.all()["glow"].prompt == "one"
    assert opened == ["a.csv"]
    path.write_text(HEADER + "glow,another,\n")
    assert there.all()["glow"].prompt == "another"
    path.unlink()
    assert there.find("glow") is None
    assert opened == ["a.csv"] * 2


def test_names_are_made_anew_only_where_a_file_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "own.csv", HEADER + "mine,a b,\nother,c,\n")
    there = StyleLibrary(tmp_path)
    made: list[object] = []
    by_name = library._by_name
    monkeypatch.setattr(library, "_by_name", lambda files: made.append(files) or by_name(files))
    for name in ("mine", "other", "watercolor", "nobody's"):
        there.find(name)
    assert len(made) == 1
    put(tmp_path, "own.csv", HEADER + "mine,a longer one,\n")
    found = there.find("mine")
    assert found is not None
    assert found.prompt == "a longer one"
    assert there.find("other") is None
    assert len(made) == 2


def test_could_not_look_is_not_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.csv", HEADER + "glow,one,\n")
    put(tmp_path, "b.csv", HEADER + "shine,one,\n")
    whole = library.plain_files.opened
    failing = {"b.csv"}

    def opened(path: Path) -> object:
        if path.name in failing:
            raise OSError(5, "Input/output error")
        return whole(path)

    monkeypatch.setattr(library.plain_files, "opened", opened)
    there = StyleLibrary(tmp_path)
    assert there.find("glow") is not None, "that one is known"
    for name in ("shine", "watercolor"):  # the other file may hold either
        with pytest.raises(CannotLook, match=r"b\.csv"):
            there.find(name)
    failing.clear()
    assert there.find("shine") is not None, "it is tried again"
    monkeypatch.setattr(user_files, "listing", lambda *_: (_ for _ in ()).throw(CannotLook("the folder", "gone")))
    with pytest.raises(CannotLook):
        there.find("watercolor")


def test_names_that_are_near(tmp_path: Path) -> None:
    there = StyleLibrary(tmp_path)
    assert there.near("watercolour")[0] == "watercolor"
    assert "oil-painting" in there.near("painting")
    assert there.near("oil")[0] == "oil-painting"
    assert there.near("zzzzzz") == []
    assert there.near("x" * 100_000) == []
