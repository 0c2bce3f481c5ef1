"""From a file back to the request: what the worker wrote, what other tools write, and what somebody means badly."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from archive_records import record, unchecked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from otterbot_worker import cli, yamlfile
from otterbot_worker.archive import containers, infotext, metadata, reading, showing, sidecars
from otterbot_worker.prompts import dialects
from otterbot_worker.sampling import samplers, sampling_steps
from otterbot_worker.schemas.records import Record
from otterbot_worker.schemas.requests import ImageRequest

REPOSITORY = Path(__file__).resolve().parents[3]


def plugin_flags() -> ModuleType:
    """The plugin's parser without the plugin's own ``__init__``: as a whole it needs Maubot."""
    package = ModuleType("plugin_language")
    package.__path__ = [str(REPOSITORY / "plugin/otterbot")]
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.language.flags")


FLAGS = plugin_flags()
TYPED = importlib.import_module("plugin_language.language.typed")
"""What the room does first with every text."""


def typed(request: dict[str, Any]) -> dict[str, Any]:
    """What the room understands of the line."""
    line = showing.command(request)
    assert line.startswith("!draw ")
    options, problem = FLAGS.parse_options(TYPED.clean(line.removeprefix("!draw ")).strip())
    assert problem is None, line
    asked: dict[str, Any] = options.asked()
    return asked


def png(texts: dict[str, str], **how: Any) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text, **how)
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def ours(whole: Record) -> bytes:
    return png({"parameters": metadata.a1111(whole), "otterbot": metadata.own_chunk(whole)})


def read(tmp_path: Path, data: bytes, name: str = "x.png") -> reading.Found:
    path = tmp_path / name
    path.write_bytes(data)
    return reading.read(path)


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


THEIRS = (
    "masterpiece, (otter:1.2) <lora:fur:0.7>,\ncowboy hat\n"
    "Negative prompt: blurry, text\n"
    "Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 2847192, Size: 512x768, "
    "Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Clip skip: 2, "
    'Token merging ratio: 0.5, Lora hashes: "fur: 0123456789ab", Version: v1'
)
THEIR_REQUEST = {
    "prompt": "masterpiece, (otter:1.2) <lora:fur:0.7>,\ncowboy hat",
    "negative_prompt": "blurry, text",
    "model": "v1-5-pruned-emaonly",
    "steps": 25,
    "guidance_scale": 6.5,
    "width": 512,
    "height": 768,
    "sampler": "DPM++ 2M Karras",
    "seed": 2847192,
    "clip_skip": 2,
}
OUR_REQUEST = {
    "prompt": "otter, cowboy hat",
    "negative_prompt": "ugly, poor quality",
    "model": "ssd-1b",
    "steps": 30,
    "guidance_scale": 12.0,
    "width": 768,
    "height": 512,
    "sampler": "DPM++ 2M Karras",
    "seed": 42,
}

# ---------------------------------------------------------------- what is read


def test_our_own_picture(tmp_path: Path) -> None:
    found = read(tmp_path, ours(record()))
    assert found.request == OUR_REQUEST
    assert found.notes == ()
    assert showing.page(found).split("\n")[:5] == [
        "!draw otter, cowboy hat --no ugly, poor quality --steps 30 --cfg 12 --size 768x512 --seed 42 "
        '--sampler "DPM++ 2M Karras" --model ssd-1b',
        "",
        "read from        Otterbot's own record",
        "model hash       0123456789abcdef0123",
        "parser           otterbot-1",
    ]
    assert typed(dict(found.request)) == OUR_REQUEST


def test_our_own_text_where_the_record_is_gone(tmp_path: Path) -> None:
    found = read(tmp_path, png({"parameters": metadata.a1111(record())}))
    assert found.request == OUR_REQUEST
    assert "Otterbot" in found.source


@pytest.mark.parametrize("how", ["our record", "A1111's text", "the sidecar"])
def test_a_variation(tmp_path: Path, how: str) -> None:
    whole = record(variation={"seed": 4294967295, "strength": 0.2})
    text = metadata.a1111(whole)
    assert "Variation seed: 4294967295, Variation seed strength: 0.2" in text
    assert "Variation" not in metadata.a1111(record(variation=None))
    sidecar = sidecars.of_picture(whole, filename="x.png", created="", private=False).encode()
    data = {"our record": ours(whole), "A1111's text": png({"parameters": text}), "the sidecar": sidecar}[how]
    found = read(tmp_path, data, "x.yml" if how == "the sidecar" else "x.png")
    assert found.request == OUR_REQUEST | {"variation": {"seed": 4294967295, "strength": 0.2}}
    assert found.notes == ()
    assert "--seed 42 --variation 4294967295:0.2 --" in showing.command(found.request)
    assert typed(dict(found.request)) == found.request


@pytest.mark.parametrize(
    ("variation", "said"),
    [
        ({"seed": 1, "strength": 0}, None),
        ({"seed": 1, "strength": 7}, "variation"),
        ({"seed": 1}, "variation"),
        ([[]], "variation"),
        ("1:0.2", "variation"),
    ],
)
def test_no_variation(tmp_path: Path, variation: Any, said: str | None) -> None:
    found = read(tmp_path, png({"otterbot": json.dumps(unchecked(variation=variation))}))
    assert found.request == OUR_REQUEST
    notes = () if said is None else ("The variation in it is nothing that Otterbot takes: left out.",)
    assert found.notes == notes


HIRES = {"scale": 1.5, "strength": 0.35, "steps": 20, "upscaler": "lanczos"}


def test_a_second_pass(tmp_path: Path) -> None:
    whole = record(hires={**HIRES, "width": 1152, "height": 768, "tile": [768, 512]})
    text = metadata.a1111(whole)
    assert "Size: 768x512," in text
    assert "Denoising strength: 0.35, Hires upscale: 1.5, Hires steps: 7, Hires upscaler: Lanczos," in text
    assert "Hires" not in metadata.a1111(record(hires=None))
    for data in (ours(whole), png({"parameters": text})):
        found = read(tmp_path, data)
        assert found.request == OUR_REQUEST | {"hires": HIRES}
        assert found.notes == ()
        assert " --hires 1.5:0.35:lanczos --" in showing.command(found.request)
        asked = typed(dict(found.request))
        assert asked == found.request | {"hires": {name: HIRES[name] for name in ("scale", "strength", "upscaler")}}
        assert any("one of 20" in line for line in showing.page(found).split("\n")), "its own steps are no flag"
    details = read(tmp_path, ours(whole)).details
    assert ("second pass", "1.5 0.35 20 lanczos 1152 768") in details
    assert ("in tiles of", "768 512") in details
    assert ImageRequest.model_validate(found.request).hires is not None


@pytest.mark.parametrize("drawn", [1, 2, 7, 12, 15, 30])
@pytest.mark.parametrize("strength", [0.07, 0.3, 0.35, 0.58, 0.7, 1])
def test_as_many_steps_are_drawn_as_a1111_counts(tmp_path: Path, drawn: int, strength: float) -> None:
    line = f"Steps: 30, Seed: 1, Size: 512x512, Model: m, Denoising strength: {strength}, Hires upscale: 2, "
    found = read(tmp_path, png({"parameters": f"otter\n{line}Hires steps: {drawn}, Hires upscaler: Latent"}))
    if drawn / strength > 200:
        assert any("second pass" in note for note in found.notes)
        return
    hires = found.request["hires"]
    assert (hires["scale"], hires["upscaler"]) == (2, "latent")
    assert sampling_steps.true_steps(hires["steps"], hires["strength"]) == drawn


def test_their_upscalers_are_named_where_they_are_not_ours(tmp_path: Path) -> None:
    line = "Steps: 15, Seed: 1, Size: 512x512, Model: m, Denoising strength: 0.5, Hires upscale: 2"
    found = read(tmp_path, png({"parameters": f"otter\n{line}, Hires upscaler: R-ESRGAN 4x+"}))
    assert found.request["hires"] == {"scale": 2, "strength": 0.5, "steps": 30, "upscaler": "lanczos"}
    assert any("R-ESRGAN 4x+" in note for note in found.notes)
    assert not any("another picture" in note for note in found.notes)
    found = read(tmp_path, png({"parameters": f"otter\n{line.replace('upscale: 2', 'upscale: 8')}"}))
    assert "hires" not in found.request
    assert "The second pass in it is nothing that Otterbot takes: left out." in found.notes


def test_what_was_scaled_back_of_the_guidance_is_shown(tmp_path: Path) -> None:
    whole = record(guidance_rescale=0.7)
    found = read(tmp_path, ours(whole))
    assert ("guidance rescale", "0.7") in found.details
    assert "guidance rescale  " in showing.page(found)
    found = read(tmp_path, png({"parameters": metadata.a1111(whole)}))
    assert ("CFG Rescale", "0.7") in found.details
    assert found.notes == read(tmp_path, png({"parameters": metadata.a1111(record())})).notes, "the model's own"
    assert "guidance rescale" not in showing.page(read(tmp_path, ours(record(guidance_rescale=None))))
    [note] = read(tmp_path, png({"parameters": f"{THEIRS}, CFG Rescale: 0.2"})).notes
    assert "CFG Rescale" in note


@pytest.mark.parametrize("hires", [7, "2", [2], {"scale": 2, "steps": [1]}, {"scale": "2"}])
def test_no_second_pass(tmp_path: Path, hires: Any) -> None:
    found = read(tmp_path, png({"otterbot": json.dumps(unchecked(hires=hires))}))
    assert found.request == OUR_REQUEST
    assert found.notes == ("The second pass in it is nothing that Otterbot takes: left out.",)


def test_an_upscaled_picture(tmp_path: Path) -> None:
    """Its size is the picture's, so many times; words it needs none."""
    whole = record(prompt="", upscale=4, init_image="a" * 64, strength=0.3, width=3072, height=2048, tile=[768, 768])
    found = read(tmp_path, ours(whole))
    assert (found.request["upscale"], found.request["init_image"]) == (4, {"id": "a" * 64})
    assert not {"width", "height"} & set(found.request)
    ImageRequest.model_validate(found.request)
    assert {("upscaled", "4"), ("in tiles of", "768 768")} <= set(found.details)
    assert showing.command(found.request).startswith("!upscale 4 --no ugly, poor quality --steps 30 ")
    assert " --strength 0.3 " in showing.command(found.request)
    assert not any("no prompt" in note for note in found.notes)


def test_our_sidecar(tmp_path: Path) -> None:
    text = sidecars.of_picture(record(), filename="x.png", created="2024-01-21T13:20:50+01:00", private=False)
    assert read(tmp_path, text.encode(), "x.yml").request == OUR_REQUEST


@pytest.mark.parametrize("how", [{}, {"zip": True}])
@pytest.mark.parametrize("more", ["", " カワウソ 💚"])
def test_their_png(tmp_path: Path, how: dict[str, Any], more: str) -> None:
    found = read(tmp_path, png({"parameters": THEIRS.replace("masterpiece", f"masterpiece{more}", 1)}, **how))
    assert found.request == THEIR_REQUEST | {"prompt": THEIR_REQUEST["prompt"].replace("piece", f"piece{more}")}
    assert ("Model hash", "6ce0161689") in found.details
    assert found.notes == ("Not in the request, because it has no place for it: Token merging ratio.",)
    assert typed(dict(found.request)) == found.request


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize(
    "comment",
    [
        b"UNICODE\x00" + THEIRS.encode("utf-16-be"),
        b"UNICODE\x00" + THEIRS.encode("utf-16-le"),
        b"UNICODE\x00" + THEIRS.encode("utf-16"),
        b"ASCII\x00\x00\x00" + THEIRS.encode(),
    ],
    ids=["as A1111", "little-endian", "with a mark", "ASCII"],
)
def test_their_exif(tmp_path: Path, kind: str, comment: bytes) -> None:
    picture = Image.new("RGB", (16, 16))
    exif = picture.getexif()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0x9286] = comment
    file = io.BytesIO()
    picture.save(file, kind, exif=exif)
    assert read(tmp_path, file.getvalue(), "x").request == THEIR_REQUEST


def test_exif_in_the_other_order(tmp_path: Path) -> None:
    comment = b"UNICODE\x00" + THEIRS.encode("utf-16-be")
    entry = (0x8769).to_bytes(2, "big") + b"\x00\x04" + (1).to_bytes(4, "big") + (26).to_bytes(4, "big")
    inner = (0x9286).to_bytes(2, "big") + b"\x00\x07" + len(comment).to_bytes(4, "big") + (44).to_bytes(4, "big")
    tiff = (
        b"MM\x00*" + (8).to_bytes(4, "big") + b"\x00\x01" + entry + bytes(4) + b"\x00\x01" + inner + bytes(4) + comment
    )
    app1 = b"Exif\x00\x00" + tiff
    data = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xe1" + (len(app1) + 2).to_bytes(2, "big") + app1 + b"\xff\xda"
    assert read(tmp_path, data).request == THEIR_REQUEST


@pytest.mark.parametrize("name", samplers.names())
def test_each_sampler_comes_back_from_the_webs_words(name: str, tmp_path: Path) -> None:
    found = read(tmp_path, png({"parameters": metadata.a1111(record(sampler=name))}))
    assert found.request["sampler"] == name
    assert typed(dict(found.request))["sampler"] == name


@pytest.mark.parametrize(
    ("sampler", "schedule", "known"),
    [
        ("DPM++ 2M Karras", None, "DPM++ 2M Karras"),
        ("Euler a", "Automatic", "Euler a"),
        ("Euler", "SGM Uniform", "Euler SGM uniform"),
        ("PLMS", None, "PNDM"),
        ("DPM++ 2M", "Automatic", None),
        ("DPM++ 2M SDE", "Exponential", None),
        ("DPM adaptive", None, None),
        ("Restart", "Karras", None),
    ],
)
def test_a_sampler_is_known_or_said(tmp_path: Path, sampler: str, schedule: str | None, known: str | None) -> None:
    line = f"Steps: 9, Sampler: {sampler}, {f'Schedule type: {schedule}, ' if schedule else ''}Seed: 1, CFG scale: 2"
    found = read(tmp_path, png({"parameters": f"otter\n{line}"}))
    assert found.request.get("sampler") == known
    assert any(sampler in note for note in found.notes) == (known is None)


def test_what_a_request_cannot_hold_is_said(tmp_path: Path) -> None:
    line = "Steps: 250, Sampler: Euler, CFG scale: x, Seed: -1, Size: 9000x16, Denoising strength: 0.5, Model: m"
    found = read(tmp_path, png({"parameters": f"otter\n{line}"}))
    assert found.request == {"prompt": "otter", "negative_prompt": "", "sampler": "Euler", "model": "m"}
    said = " ".join(found.notes)
    for word in ("steps", "CFG", "seed", "size", "Denoising strength", "another picture"):
        assert word in said
    assert showing.command(found.request) == '!draw otter --no "" --sampler Euler --model m'


def test_a_start_picture_is_named(tmp_path: Path) -> None:
    found = read(tmp_path, ours(record(init_image="a" * 64, strength=0.6, mask="b" * 64)))
    assert found.request["init_image"] == {"id": "a" * 64}
    assert found.request["mask"] == {"id": "b" * 64}
    assert ("mask", "b" * 64) in found.details
    assert found.request["strength"] == 0.6
    assert "another picture" in found.notes[0]
    assert "a" * 64 in showing.page(found)


A, B = {"id": "a" * 64}, {"id": "b" * 64}
REPLY = "The line is a reply to the picture that it was drawn from."


@pytest.mark.parametrize(
    ("changes", "says", "notes"),
    [
        ({"init_image": A, "strength": 0.55}, {"strength": 0.55}, [REPLY]),
        ({"init_image": A, "strength": 1.0, "mask": A}, {"strength": 1.0, "inpaint": True}, [REPLY]),
        ({"init_image": A, "strength": 0.6, "mask": B}, {"strength": 0.6}, [REPLY, "Another picture was its mask"]),
        ({"control": {"kind": "canny", "scale": 0.7, **A}}, {"control": ("canny", 0.7)}, ["that steered it."]),
        ({"control": {"kind": "my: depth", "scale": 1e-05, **A}}, {"control": ("my: depth", 1e-05)}, ["steered it."]),
        (
            {"control": {"kind": "canny", "scale": 1.0, "start": 0.0, "end": 0.8, **A}},
            {"control": ("canny", 1.0)},
            ["that steered it.", "in a part of the steps only"],
        ),
        (
            {"init_image": A, "strength": 0.5, "control": {"kind": "canny", "scale": 1.0, **B}},
            {"strength": 0.5},
            [REPLY, "A second picture steered it"],
        ),
    ],
)
def test_the_line_is_a_reply_to_a_picture(changes: dict[str, Any], says: dict[str, Any], notes: list[str]) -> None:
    """The plugin reads in it what it can say, and what it cannot is named."""
    line = showing.command({"prompt": "otter", **changes})
    options, problem = FLAGS.parse_options(line.removeprefix("!draw ").strip())
    assert problem is None, line
    found = {name: getattr(options, name) for name in ("strength", "inpaint", "control")}
    if found["control"] is not None:
        found["control"] = (found["control"].kind, found["control"].scale)
    assert {name: value for name, value in found.items() if value is not None} == says
    said = list(showing.differences({"prompt": "otter", **changes}))
    assert len(said) == len(notes)
    assert all(words in one for words, one in zip(notes, said, strict=True)), said


@pytest.mark.parametrize("hires", [None, {**HIRES, "width": 1152, "height": 768}])
def test_a_start_picture_is_named_where_the_record_is_gone(tmp_path: Path, hires: Any) -> None:
    """The web UI has one strength: the second pass's, if there is one."""
    text = metadata.a1111(record(init_image="a" * 64, strength=0.55, hires=hires))
    fields = infotext.fields(text.splitlines()[-1])
    assert fields["Init image hash"] == "a" * 64
    assert (fields["Denoising strength"], fields.get("Init image strength")) == (
        ("0.55", None) if hires is None else ("0.35", "0.55")
    )
    found = read(tmp_path, png({"parameters": text}))
    assert found.request == (OUR_REQUEST if hires is None else OUR_REQUEST | {"hires": HIRES})
    assert "It was drawn from another picture, which this file does not hold." in found.notes
    lost = "Denoising strength" if hires is None else "Init image strength"
    assert f"Not in the request, because it has no place for it: {lost}." in found.notes
    assert ("Init image hash", "a" * 64) in found.details
    assert "Init image" not in metadata.a1111(record(hires=hires, strength=None))


def test_what_steered_it(tmp_path: Path) -> None:
    control = {"kind": "canny", "id": "a" * 64, "scale": 0.7, "start": 0.0, "end": 0.8}
    written = record(control={**control, "name": "a, canny: net", "hash": "0123456789abcdef"})
    found = read(tmp_path, ours(written))
    assert found.request["control"] == control
    assert ("steered by", f"canny a, canny: net 0123456789abcdef {'a' * 64} 0.7 0.0 0.8") in found.details
    assert any(note.startswith("Another picture steered it: ") for note in found.notes)
    fields = infotext.fields(metadata.a1111(written).splitlines()[-1])
    assert fields["ControlNet 0"].startswith("Module: canny, Model: a canny net [01234567], Weight: 0.7, ")
    for bad in ("canny", {"kind": "canny"}, {**control, "scale": 9}, [control]):
        found = read(tmp_path, png({"otterbot": json.dumps(unchecked(control=bad))}))
        assert "control" not in found.request
        assert "The picture that steers in it is nothing that Otterbot takes: left out." in found.notes


# ---------------------------------------------------------------- nobody's words win

FORGED = [
    "otter\nSteps: 99, Sampler: DDIM, CFG scale: 1, Seed: 1, Size: 64x64, Model: evil",
    "otter\nNegative prompt: no\nSteps: 99, Sampler: DDIM, Seed: 1, Version: otterbot 9",
    "Negative prompt: otter",
    "Negative prompt\\: otter \\\\: Steps\\\\\\: 3",
    "Steps: 99, Seed: 1, Sampler: DDIM",
    "otter, Init image hash: 0, Init image strength: 1, Size: 8x8",
    "a\x00\x1b[2J Negative\u2028prompt: x\r\nsteps\n: 4",
    '", "seed": 1, "x": "',
]
WORDS = st.lists(
    st.one_of(
        st.text(max_size=12), st.sampled_from([*FORGED, "\n", "Negative prompt", "Steps", ":", "\\", " ", '"', ", "])
    ),
    max_size=8,
).map("".join)


def as_written(text: str) -> str:
    """What the writer keeps of somebody's text: no control characters, no empty lines."""
    lines = (line.strip() for line in metadata.clean(text).split("\n"))
    return "\n".join(line for line in lines if line)


@pytest.mark.parametrize("text", FORGED)
@pytest.mark.parametrize("where", ["prompt", "negative_prompt"])
def test_no_words_win_over_the_settings(tmp_path: Path, text: str, where: str) -> None:
    for data in (ours(record(**{where: text})), png({"parameters": metadata.a1111(record(**{where: text}))})):
        found = read(tmp_path, data)
        assert not any("another picture" in note for note in found.notes)
        others = {name: value for name, value in OUR_REQUEST.items() if name != where}
        assert {name: value for name, value in found.request.items() if name != where} == others
        assert as_written(found.request[where]) == as_written(text)


@given(prompt=WORDS, negative=WORDS)
@settings(deadline=None)
def test_writer_and_reader_agree(prompt: str, negative: str) -> None:
    text = infotext.parse(metadata.a1111(record(prompt=prompt, negative_prompt=negative)))
    assert text is not None
    assert text.prompt == as_written(prompt)
    assert text.negative_prompt == as_written(negative)
    assert (text.fields["Seed"], text.fields["Steps"], text.fields["Model"]) == ("42", "30", "ssd-1b")
    assert metadata.START not in text.fields
    text = infotext.parse(metadata.a1111(record(prompt=prompt, negative_prompt=negative, init_image="a" * 64)))
    assert text is not None
    assert text.fields[metadata.START] == "a" * 64


def test_in_other_tools_files_the_last_line_counts(tmp_path: Path) -> None:
    found = read(tmp_path, png({"parameters": f"otter\nSteps: 99, Seed: 1, Size: 8x8, Model: evil\n{THEIRS}, Seed: 7"}))
    assert found.request["seed"] == 2847192
    assert found.request["steps"] == 25
    assert "Steps: 99" in found.request["prompt"]
    twice = read(tmp_path, png({"parameters": f"otter\nNegative prompt: forged\n{THEIRS}"}))
    assert any("Negative prompt" in note for note in twice.notes)


# ---------------------------------------------------------------- the line survives the room

LINES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "--ar 3:2",
                " --no ",
                "—steps 5",
                "–help",
                "--",
                " - ",
                '"',
                '" ',
                "' ",
                "”",
                "’ ",
                "» ",
                "« ",
                "<lora:a:0.5>",
            ]
        ),
        st.sampled_from(
            [
                "--steps=9",
                "(a)++",
                "hat--",
                "\n",
                " ",
                "C++",
                "\\",
                "=",
                ":",
                ",",
                "--Größe",
                "—-seed 4",
                "-n 4",
                "−−",
                "\\-",
            ]
        ),
    ),
    min_size=1,
    max_size=8,
).map("".join)


def drawn(prompt: str) -> list[dialects.Fragment]:
    return dialects.parse(prompt)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    prompt=LINES,
    negative=LINES,
    name=LINES,
    guidance=st.floats(0, 30),
    seed=st.integers(0, 2**32 - 1),
    side=st.integers(16, 4096),
)
def test_the_line_says_the_same_to_the_room(
    prompt: str, negative: str, name: str, guidance: float, seed: int, side: int
) -> None:
    model = " ".join(showing.printable(name).split())
    model = model if model.isprintable() and TYPED.clean(model) == model and model[-1:].isalnum() else "x"
    request = {
        "prompt": f"otter {prompt}",
        "negative_prompt": negative,
        "model": model or "x",
        "steps": 30,
        "guidance_scale": guidance,
        "width": side,
        "height": 64,
        "sampler": "Euler a",
        "seed": seed,
    }
    asked = typed(request)
    words = TYPED.clean(showing.printable(request["prompt"])).strip()
    assert drawn(asked.pop("prompt")) == drawn(words) or showing._FLAG_LIKE.search(words)
    assert asked.pop("negative_prompt") == TYPED.clean(showing.printable(negative).strip()).strip()
    assert asked.pop("guidance_scale") == pytest.approx(guidance, abs=1e-15)
    assert asked == {key: request[key] for key in asked}
    assert asked.keys() == {"model", "steps", "width", "height", "sampler", "seed"}


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("otter --ar 3:2 --no hat", "otter (--:1)ar 3:2 (--:1)no hat"),
        ("otter−−steps 5 -n 4 \\-\\-wings,——no x", "otter(−−:1)steps 5 (-:1)n 4 (\\-\\-:1)wings,(——:1)no x"),
        ("semi-portrait, salt—pepper -no", "semi-portrait, salt—pepper -no"),
        ("otter —steps 5, (x —no:1.2)", "otter (—:1)steps 5, (x (—:1)no:1.2)"),
        ("otter -- a dash — and C++", "otter -- a dash — and C++"),
        ("two\nlines <lora:a b:-0.5>", "two\nlines <lora:a b:-0.5>"),
    ],
)
def test_words_like_flags_are_marked_and_draw_the_same(prompt: str, line: str) -> None:
    assert showing.command({"prompt": prompt}) == f"!draw {line}"
    assert drawn(line) == drawn(prompt)


def test_nothing_reaches_the_terminal_that_it_obeys(tmp_path: Path) -> None:
    found = read(tmp_path, ours(record(prompt="a\x1b]0;x\x07\x9b31m\rb", model="m\x1b[2J\nnote  all is well")))
    page = showing.page(found)
    assert not [c for c in page if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]
    assert "Control characters" in page
    assert found.request["prompt"] == "a\x1b]0;x\x07\x9b31m\rb", "the request itself is whole"


# ---------------------------------------------------------------- files that mean harm

PNG = b"\x89PNG\r\n\x1a\n"
BOMB = zlib.compress(bytes(20_000_000), 9)


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"zTXt", b"parameters\x00\x00" + BOMB),
        chunk(b"iTXt", b"parameters\x00\x01\x00\x00\x00" + BOMB),
        chunk(b"zTXt", b"otterbot\x00\x00" + BOMB),
        chunk(b"zTXt", b"parameters\x00\x00no zlib"),
        chunk(b"iTXt", b"parameters\x00"),
        chunk(b"tEXt", b"parameters"),
        chunk(b"tEXt", b"otterbot\x00" + b"[" * 100_000),
        chunk(b"tEXt", b"otterbot\x00" + b'{"v":1,"used":{},"took":' + b"9" * 10_000 + b"}"),
        b"\xff\xff\xff\xfftEXtparameters\x00",
        b"\x00\x00\x00\x00abcd\x00\x00\x00\x00" * 20_000,
        chunk(b"eXIf", b"MM\x00*" + b"\xff" * 100),
        chunk(b"tEXt", b"parameters\x00" + b"a: " * 300_000),
        chunk(b"tEXt", b"parameters\x00" + b'ab: "x, ' * 100_000),
        chunk(b"tEXt", b"parameters\x00" + b"a" * 1_000_000),
        chunk(b"tEXt", b"workflow\x00{}"),
        b"",
    ],
    ids=range(16),
)
def test_a_hostile_png_is_a_sentence(tmp_path: Path, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(PNG + body)
    code = cli.main(["show", str(path)])
    out, err = capsys.readouterr()
    assert (code, out) in ((1, ""), (0, out))
    assert err.count("\n") == (code == 1)


def test_many_long_texts_do_not_fill_the_memory(tmp_path: Path) -> None:
    megabyte = zlib.compress(bytes(1024 * 1024), 9)
    texts = b"".join(chunk(b"zTXt", b"text %d\x00\x00" % number + megabyte) for number in range(500))
    path = tmp_path / "x.png"
    path.write_bytes(PNG + texts)
    assert len(containers.texts(path)) < 100


def test_a_damaged_record_gives_way_to_the_text(tmp_path: Path) -> None:
    data = PNG + chunk(b"tEXt", b"otterbot\x00{") + chunk(b"tEXt", b"parameters\x00" + THEIRS.encode())
    found = read(tmp_path, data)
    assert found.request == THEIR_REQUEST
    assert "damaged" in found.notes[0]


def test_types_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    nasty = {"steps": "30", "seed": True, "width": 1e400, "sampler": ["x"], "prompt": "otter\ud800", "model": {"a": 1}}
    nasty |= {"tile": [[1] * 9, {}], "hires": {"scale": "2", "tile": "x"}}
    whole = unchecked(**nasty, loras=[1, {"name": [2]}], embeddings="x", versions=[3], strength="much")
    found = read(tmp_path, png({"otterbot": json.dumps(whole)}))
    assert found.request == {"prompt": "otter?", "negative_prompt": "ugly, poor quality", "guidance_scale": 12.0}
    showing.page(found)


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 17)),
        "a: 1" + ":00" * 5_000,
        "a: 1" + ":00" * 300 + ".5",
    ],
    ids=["merged again and again", "a long number", "a number without end"],
)
def test_yaml_that_means_harm_is_refused(text: str) -> None:
    with pytest.raises(yamlfile.Unreadable):
        yamlfile.parse(text)


def test_yaml_may_merge_and_count_in_sixties() -> None:
    text = "a: &a {x: 1, y: 0x10}\nb: {<<: *a, y: 1:30:00, z: -1.5e+3}"
    assert yamlfile.parse(text)["b"] == {"x": 1, "y": 5400, "z": -1500.0}
    text = "a: &a {x: 1, y: 1}\nb: &b {<<: *a, x: 2}\nc: {<<: *b}\nd: {<<: *b, y: 3}"
    assert yamlfile.parse(text)["d"] == {"x": 2, "y": 3}, "what was merged is no second key"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "record: 5",
        "record: {v: 2, used: {}}",
        "record: {v: 1, used: {}}",
        "{",
        "!!bool x",
        "!!int ''",
        "\x00",
        "a: &a [x]\nb: &b [*a, *a]\nrecord: {v: 1, used: {prompt: *b, versions: {x: *b}, seed: 1}}",
        "[" * 2_000,
    ],
)
def test_a_strange_sidecar_is_a_sentence(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.yml"
    path.write_text(text)
    assert cli.main(["show", str(path)]) in (0, 1, 2)
    assert "Traceback" not in capsys.readouterr().err


@given(data=st.binary(max_size=200), start=st.sampled_from([b"", PNG, b"\xff\xd8\xff\xe1", b"RIFF\0\0\0\0WEBPEXIF"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes(tmp_path: Path, data: bytes, start: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(start + data)
    with pytest.raises(reading.BadPicture):
        reading.read(path)


@given(tiff=st.binary(max_size=120), order=st.sampled_from([b"MM\x00*", b"II*\x00"]))
@settings(deadline=None)
def test_any_exif(tiff: bytes, order: bytes) -> None:
    list(containers._of_exif(order + tiff))


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("name", "data", "code", "words"),
    [
        ("gone.png", None, 2, "No such file"),
        ("folder", b"", 2, "is not a file"),
        ("text.png", b"hello", 2, "is not a PNG, JPEG or WebP picture"),
        ("plain.png", png({}), 1, "has no settings in it"),
        ("comfy.png", png({"workflow": "{}"}), 1, "ComfyUI"),
        ("notes.yml", b"a: b", 1, "holds no record"),
    ],
)
def test_errors_are_one_sentence(
    tmp_path: Path, name: str, data: bytes | None, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif data is not None:
        path.write_bytes(data)
    assert cli.main(["show", str(path)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"otterbot-worker: {path} ")
    assert words in err
    assert err.count("\n") == 1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.png")
    assert cli.main(["show", str(tmp_path / "x.png")]) == 2


def test_json_is_the_request_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.png").write_bytes(png({"parameters": THEIRS}))
    assert cli.main(["show", "--json", str(tmp_path / "x.png")]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == THEIR_REQUEST
    assert "Token merging ratio" in err


def test_it_needs_no_torch_and_no_decoder(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(ours(record()))
    code = (
        "import sys; from otterbot_worker import cli; cli.main(['show', sys.argv[1]]);"
        "print([name for name in ('torch', 'numpy', 'diffusers', 'PIL', 'aiohttp.web') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "worker")}
    command = [sys.executable, "-c", code, str(tmp_path / "x.png")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("!draw otter, cowboy hat --no ")
    assert done.stdout.strip().endswith("[]")


def test_the_sidecar_of_any_words_comes_back(tmp_path: Path) -> None:
    text = sidecars.of_picture(record(prompt=FORGED[0]), filename="x.png", created="y", private=True)
    assert yaml.safe_load(text)["record"]["used"]["prompt"] == FORGED[0]
    assert read(tmp_path, text.encode(), "x.yaml").request["prompt"] == FORGED[0]
