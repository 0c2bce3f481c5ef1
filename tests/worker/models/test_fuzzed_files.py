"""Files of people's, changed at random places: each is a line or a model, within the readers' own bounds.

The seeds are fixed, so that what fails once fails again. More of them: ``OTTERBOT_FUZZ=20`` times as many.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hollow_models import SD1, write
from hostile_files import HOSTILE, checkpoint, tensor
from PIL import Image, PngImagePlugin

from otterbot_worker.archive import containers, reading, showing
from otterbot_worker.errors import CannotLook
from otterbot_worker.inputs import check, complexity
from otterbot_worker.models import (
    checkpoint_probe,
    controlnets,
    header_process,
    header_reader,
    headers,
    loras,
    plain_files,
)

TIMES = int(os.environ.get("OTTERBOT_FUZZ", "1"))
COUNT = 60 * TIMES
EVIL = (
    b"\xff" * 8, b"\0" * 8, b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"[" * 2_000, b"{" * 2_000, b'"', b"\\",
    b"\x80\x04", b"(", b"9" * 400, b"-1", b"1e400", b"NaN", b"Infinity", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\x1b[2J",
    b"\n", b"\0", b"u", b"e", b"t", b"R", b"q\x01h\x01", b"\x8b\xff\xff\xff\x7f", b"PK\x05\x06", b"\0" * 7 + b"\x80",
)  # fmt: skip


def changed(data: bytes, seed: int) -> bytes:
    """With one to six changes: bytes, pieces of something evil, repetitions, cuts."""
    rng, made = random.Random(seed), bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(made) + 1)
        kind = rng.randrange(6)
        if kind == 0 and made:
            made[at % len(made)] = rng.randrange(256)
        elif kind == 1:
            made[at:at] = rng.choice(EVIL)
        elif kind == 2:
            piece = rng.choice(EVIL)
            made[at : at + len(piece)] = piece
        elif kind == 3:
            made[at:at] = made[at : at + rng.randrange(64)] * rng.randrange(300)
        elif kind == 4:
            del made[at : at + rng.randrange(64)]
        else:
            del made[at:]
    return bytes(made)


def _safetensors(where: Path) -> bytes:
    """Without what the header is about: of the length that stands before it only."""
    notes = {"ss_tag_frequency": json.dumps({"a": {"cowboy": 5}}), "modelspec.prediction_type": "v"}
    return write(where / "x.safetensors", dict.fromkeys(SD1, (1,)) | {"x": (2, 2)}, notes).read_bytes()


def _zip(where: Path) -> bytes:
    return checkpoint(b"}(" + tensor(b"(K\x01K\x02t") + b"u")


def _gguf(where: Path) -> bytes:
    def text(words: bytes) -> bytes:
        return struct.pack("<Q", len(words)) + words

    keys = text(b"general.architecture") + struct.pack("<I", 8) + text(b"flux")
    keys += text(b"tokens") + struct.pack("<IIQ", 9, 8, 3) + text(b"a") + text(b"b") + text(b"c")
    shape = text(b"w") + struct.pack("<IQQIQ", 2, 32, 4, 8, 0)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + keys + shape
    return header + bytes(-len(header) % 32) + bytes(34 * 4)


def _inside_a_zip(where: Path) -> bytes:
    """A pickle of its own, since a change within a zip mostly breaks the zip."""
    with zipfile.ZipFile(io.BytesIO(_zip(where))) as archive:
        return archive.read("archive/data.pkl")


def _packed(program: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    return file.getvalue()


def _header_alone(data: bytes) -> bytes:
    """With the length that it really has."""
    return struct.pack("<Q", len(data)) + data


FORMATS: dict[str, tuple[str, Callable[[Path], bytes], Callable[[bytes], bytes]]] = {
    "safetensors": (".safetensors", _safetensors, bytes),
    "its header": (".safetensors", lambda where: _safetensors(where)[8:], _header_alone),
    "a zip": (".ckpt", _zip, bytes),
    "a pickle": (".ckpt", _inside_a_zip, _packed),
    "an old pickle": (".ckpt", _inside_a_zip, bytes),
    "gguf": (".gguf", _gguf, bytes),
}
BEYOND = (header_reader.TOO_LONG, header_reader.ENDS, header_process.TOO_MUCH, header_process.UNREADABLE)
"""What is said where a reader's bounds did not suffice."""


@pytest.fixture
def reader() -> Iterator[header_reader.HeaderReader]:
    made = header_reader.HeaderReader()
    yield made
    made.close()


@pytest.mark.parametrize("kind", FORMATS)
def test_headers(tmp_path: Path, kind: str, reader: header_reader.HeaderReader) -> None:
    ending, make, pack = FORMATS[kind]
    good = make(tmp_path)
    asks = ("model", "lora", "embedding", "controlnet", "decoder", "values") if ending == ".safetensors" else ("model",)
    for seed in range(COUNT):
        path = tmp_path / f"{seed}{ending}"
        path.write_bytes(pack(changed(good, seed)))
        for ask in asks:
            options = {"config": None, "decoder": True} if ask == "model" else {}
            try:
                line = json.dumps(reader.ask(ask, path, **options))
            except headers.BadFile as error:
                line = str(error)
            assert "\n" not in line
            assert len(line) < 1_000, (kind, seed, ask)
            assert line not in BEYOND, (kind, seed, ask)
        path.unlink()


def test_what_the_parts_make_of_them_never_raises(tmp_path: Path) -> None:
    """The same by the functions that lists are made of; one that is too much for the bounds is no exception either."""
    for seed in range(20 * TIMES):
        path = tmp_path / f"{seed}.safetensors"
        path.write_bytes(_header_alone(changed(_safetensors(tmp_path)[8:], seed)))
        assert isinstance(checkpoint_probe.look(path), checkpoint_probe.Found)
        assert isinstance(loras.read("lora", path, (1, 1)), loras.Extra)
    for name in ("infinite.ckpt", "half.safetensors"):
        (tmp_path / name).write_bytes(HOSTILE[name])
        assert checkpoint_probe.look(tmp_path / name).problem
    folder = tmp_path / "controlnets"
    folder.mkdir()
    (folder / "a").mkdir()
    (folder / "a" / "config.json").write_text("[" * 100_000)
    assert isinstance(controlnets.ControlNets(tmp_path).listed(), list)


def test_files_of_settings(tmp_path: Path) -> None:
    good, path = (
        json.dumps({"_class_name": "UNet", "sizes": [1, 2, {"a": None}], "width": 768}).encode(),
        tmp_path / "a",
    )
    for seed in range(4 * COUNT):
        path.write_bytes(changed(good, seed))
        try:
            plain_files.read_json(path)
        except ValueError:
            continue
        except CannotLook:
            pytest.fail("it is there")


# ---------------------------------------------------------------- pictures

INFOTEXT = (
    'an otter, (cowboy hat:1.2)\nNegative prompt: ugly\nSteps: 20, Sampler: "Euler a", CFG scale: 7.5, Seed: 5, '
    "Size: 512x512, Model: otter-mini, Variation seed: 3, Variation seed strength: 0.1, "
    "Denoising strength: 0.5, Hires upscale: 2, Hires steps: 10, Hires upscaler: Lanczos"
)
RECORD = {
    "v": 1,
    "asked": {},
    "took": 1.5,
    "used": {
        "prompt": "an otter", "negative_prompt": "x", "model": "otter-mini", "steps": 20, "guidance_scale": 5.0,
        "width": 512, "height": 512, "sampler": "UniPC", "seed": 5, "variation": {"seed": 1, "strength": 0.1},
        "control": {"kind": "canny", "id": "a" * 64, "scale": 1.0, "start": 0.0, "end": 1.0, "name": "n", "hash": "h"},
        "hires": {"scale": 2, "strength": 0.5, "steps": 10, "upscaler": "lanczos", "tile": [1, 2]},
        "loras": [{"name": "a", "weight": 1, "hash": "x"}], "versions": {"a": "b"},
    },
}  # fmt: skip


def _picture(kind: str, **texts: str) -> bytes:
    data, picture = io.BytesIO(), Image.new("RGB", (32, 32), "red")
    if kind == "PNG":
        notes = PngImagePlugin.PngInfo()
        for name, words in texts.items():
            notes.add_text(name, words, zip=len(words) > 500)
        picture.save(data, "PNG", pnginfo=notes)
    else:
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + INFOTEXT.encode("utf-16-be")
        picture.save(data, kind, exif=exif, **({"progressive": True} if kind == "JPEG" else {}))
    return data.getvalue()


PICTURES = {
    "png": _picture("PNG", parameters=INFOTEXT),
    "png of ours": _picture("PNG", otterbot=json.dumps(RECORD)),
    "jpeg": _picture("JPEG"),
    "webp": _picture("WEBP"),
}


def shown(path: Path) -> str:
    """The page, or why there is none."""
    try:
        page = showing.page(reading.read(path))
    except containers.BadPicture as error:
        return str(error)
    return page


def check_page(page: str, what: object) -> None:
    assert not any(c not in "\n\t" and showing.terminal.hidden(c) for c in page), what
    assert len(page) < 3_000_000, what


@pytest.mark.parametrize("kind", PICTURES)
def test_what_pictures_say(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    for seed in range(2 * COUNT):
        path.write_bytes(changed(PICTURES[kind], seed))
        check_page(shown(path), (kind, seed))


@pytest.mark.parametrize("words", [INFOTEXT, json.dumps(RECORD)], ids=["infotext", "record"])
def test_the_texts_in_them(tmp_path: Path, words: str) -> None:
    """Whole, where a change in the file mostly breaks its checksum."""
    path, name = tmp_path / "picture.png", "otterbot" if words[0] == "{" else "parameters"
    for seed in range(3 * COUNT):
        text = changed(words.encode(), seed).decode("utf-8", "replace")
        path.write_bytes(_picture("PNG", **{name: text.replace("\0", " ")}))
        check_page(shown(path), seed)


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "1" + "0" * 5_000, "1e400", "-1e400", "NaN", "Infinity", "[[[[1]]]]"]
)
def test_numbers_beyond_all_numbers(tmp_path: Path, number: str) -> None:
    """In the place of every number of a record, and of the settings."""
    path, record = tmp_path / "picture.png", json.dumps(RECORD)
    places = [at for at in range(len(record)) if record[at].isdigit() and not record[at - 1].isalnum()]
    for at in places:
        end = next(end for end in range(at, len(record)) if record[end] not in "0123456789.")
        path.write_bytes(_picture("PNG", otterbot=record[:at] + number + record[end:]))
        check_page(shown(path), (number, record[at - 20 : end]))
    for setting in ("20", "7.5", "5,", "512", "3", "0.1", "0.5", "2", "10"):
        path.write_bytes(_picture("PNG", parameters=INFOTEXT.replace(f": {setting}", f": {number}")))
        check_page(shown(path), (number, setting))


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_to_start_from(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "sent", tmp_path / "made.png"
    for seed in range(COUNT):
        data = changed(PICTURES[kind], seed)
        complexity.too_complex(data)
        path.write_bytes(data)
        try:
            made = check.convert(str(path), str(target), 1_000_000)
        except check.Refused:
            continue
        assert made.width * made.height <= 1_000_000
