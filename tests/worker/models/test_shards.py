"""Whether a component's weights are all here, by the names of its files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from otterbot_worker.models import files, plain_files, shards
from otterbot_worker.models.files import BrokenFile

PLAIN = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
FP16 = ["model.fp16-00001-of-00002.safetensors", "model.fp16-00002-of-00002.safetensors"]
OLD = ["model-00001-of-00002.fp16.safetensors", "model-00002-of-00002.fp16.safetensors"]


def put(folder: Path, *names: str, index: str | None = None, of: list[str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")
    if index is not None:
        weights = {f"layer.{number}": name for number, name in enumerate(of or [])}
        (folder / index).write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    return folder


@pytest.mark.parametrize(
    ("index", "names", "variant"),
    [
        ("model.safetensors.index.json", PLAIN, None),
        ("model.safetensors.index.json", PLAIN, "fp16"),
        ("model.safetensors.index.fp16.json", FP16, "fp16"),
        ("model.safetensors.fp16.index.json", OLD, "fp16"),
        ("model.fp16.safetensors.index.json", FP16, "fp16"),
    ],
)
def test_every_shard_that_the_index_names_has_to_be_here(
    tmp_path: Path, index: str, names: list[str], variant: str | None
) -> None:
    for there in (names[:1], names[1:], []):
        folder = put(tmp_path / f"{len(there)}{there}", *there, index=index, of=names)
        assert shards.lacking(folder, variant) in {*names, "*.safetensors"} - set(there)
    assert shards.lacking(put(tmp_path / "all", *names, index=index, of=names), variant) is None


@pytest.mark.parametrize(
    ("names", "variant", "index"),
    [
        (PLAIN, None, "model.safetensors.index.json"),
        (FP16, "fp16", "model.safetensors.index.fp16.json"),
        (OLD, "fp16", "model.safetensors.index.fp16.json"),
    ],
)
def test_without_an_index_the_names_say_how_many_there_are(
    tmp_path: Path, names: list[str], variant: str | None, index: str
) -> None:
    assert shards.lacking(put(tmp_path / "one", names[1]), variant) == names[0]
    assert shards.lacking(put(tmp_path / "two", *names), variant) == index, "nothing reads shards without it"


def test_what_is_loaded_counts_and_nothing_else(tmp_path: Path) -> None:
    assert shards.lacking(tmp_path / "none", None) == "*.safetensors"
    assert shards.lacking(put(tmp_path / "bin", "model.bin"), None) == "*.safetensors"
    one = put(tmp_path / "one", "model.safetensors")
    assert shards.lacking(one, None) is None
    assert shards.lacking(one, "fp16") is None, "where there is no variant, the plain ones are loaded"
    half = put(tmp_path / "half", "model.fp16.safetensors")
    assert (shards.lacking(half, None), shards.lacking(half, "fp16")) == ("*.safetensors", None)
    both = put(half, PLAIN[0], index="model.safetensors.index.json", of=PLAIN)
    assert (shards.lacking(both, None), shards.lacking(both, "fp16")) == (PLAIN[1], None)
    gone = put(tmp_path / "gone")
    (gone / "model.safetensors").symlink_to(tmp_path / "blob")
    assert shards.lacking(gone, None) == "*.safetensors", "a link into a cache that was cleared"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"weight_map": 3}',
        '{"weight_map": {}}',
        '{"weight_map": {"a": 3}}',
        '{"weight_map": {"a": ["b"]}}',
        '{"weight_map": {"a": "../../model.safetensors"}}',
        '{"weight_map": {"a": "passwd"}}',
        '{"weight_map": {"a": "\\u0000.safetensors"}}',
        "[" * 100_000,
    ],
)
def test_an_index_that_is_none_is_named(tmp_path: Path, content: str) -> None:
    folder = put(tmp_path / "part", *PLAIN)
    index = folder / "model.safetensors.index.json"
    index.write_text(content)
    assert shards.lacking(folder, None) in (index.name, "\0.safetensors")
    with pytest.raises(BrokenFile):
        files.component_files(tmp_path, "part", None)


def test_an_index_is_read_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path / "part", *PLAIN, index="model.safetensors.index.json", of=PLAIN)
    index, read = folder / "model.safetensors.index.json", []
    usual = plain_files.read_json
    monkeypatch.setattr(plain_files, "read_json", lambda path, most: read.append(path) or usual(path, most))
    assert [shards.lacking(folder, None) for _ in range(3)] == [None] * 3
    assert read == [index]
    put(folder, index=index.name, of=[*PLAIN, "model-00003-of-00003.safetensors"])
    os.utime(index, (1, 1))
    assert shards.lacking(folder, None) == "model-00003-of-00003.safetensors"
    assert read == [index, index]
    monkeypatch.setattr(shards, "INDEX_MAX", 10)
    os.utime(index, (2, 2))
    assert shards.lacking(folder, None) == index.name
    assert read == [index, index], "what is too large is not read"
