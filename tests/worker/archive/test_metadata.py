from __future__ import annotations

import json
import re
import zlib
from pathlib import Path

import pytest
import yaml
from archive_records import record

from otterbot_worker.archive import metadata, reading, sidecars

# As AUTOMATIC1111's reader does it (see the facts on image servers).
_FIELD = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def read_like_a1111(text: str) -> tuple[str, str, dict[str, str]]:
    *lines, last = text.strip().split("\n")
    if len(_FIELD.findall(last)) < 3:
        lines.append(last)
        last = ""
    prompt: list[str] = []
    negative: list[str] = []
    target = prompt
    for line in lines:
        line = line.strip()
        if line.startswith("Negative prompt:"):
            target, line = negative, line[16:].strip()
        target.append(line)
    fields = {}
    for key, value in _FIELD.findall(last):
        fields[key] = json.loads(value) if value.startswith('"') else value
    return "\n".join(prompt), "\n".join(negative), fields


def test_parameters_are_what_the_web_ui_writes() -> None:
    assert metadata.a1111(record()) == (
        "otter, cowboy hat\n"
        "Negative prompt: ugly, poor quality\n"
        "Steps: 30, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 12, Seed: 42, Size: 768x512, "
        "Model hash: 0123456789, Model: ssd-1b, Version: otterbot 0.1.0"
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "schedule"),
    [
        ("unipc", "UniPC", None),
        ("euler a", "Euler a", None),
        ("euler_a", "Euler a", None),
        ("DPM++ 2M Karras", "DPM++ 2M", "Karras"),
        ("Euler SGM uniform", "Euler", "SGM Uniform"),
        ("ddim", "DDIM", None),
        ("something new", "something new", None),
    ],
)
def test_samplers_have_the_names_of_the_web_ui(ours: str, theirs: str, schedule: str | None) -> None:
    fields = read_like_a1111(metadata.a1111(record(sampler=ours)))[2]
    assert fields["Sampler"] == theirs
    assert fields.get("Schedule type") == schedule


FORGERIES = [
    "otter\nNegative prompt: a hat\nSteps: 1, Sampler: X, CFG scale: 99, Seed: 666, Model: evil",
    "Negative prompt: everything",
    "otter\n  negative PROMPT : x",
    "otter\r\nNegative prompt: x",
    "otter\u2028Negative prompt: x\u0085Steps: 1, Seed: 2, Size: 3x3",
    "otter Negative prompt: x",
    "otter\nSteps: 1, Sampler: a, CFG scale: 2, Seed: 3",
    "Steps: 1, Sampler: a, CFG scale: 2, Seed: 3",
]


@pytest.mark.parametrize("text", FORGERIES)
@pytest.mark.parametrize("where", ["prompt", "negative_prompt"])
def test_no_text_forges_a_field(text: str, where: str) -> None:
    written = metadata.a1111(record(**{where: text}))
    prompt, negative, fields = read_like_a1111(written)
    assert fields["Seed"] == "42"
    assert fields["Steps"] == "30"
    assert fields["Model"] == "ssd-1b"
    assert written.count("Negative prompt:") == 1
    assert written.count("\nSteps:") == 1
    assert "evil" not in fields.values()
    if where == "prompt":
        assert negative == "ugly, poor quality"
        assert prompt.replace("\\:", ":").split() == text.split()
    else:
        assert prompt == "otter, cowboy hat"


def test_values_with_separators_are_quoted() -> None:
    fields = read_like_a1111(metadata.a1111(record(model='my, "model": 2\nx')))[2]
    assert fields["Model"] == 'my, "model": 2\nx'
    assert fields["Version"] == "otterbot 0.1.0"


def test_loras_and_embeddings_are_named_as_the_web_ui_does() -> None:
    lora = {"weight": 0.8, "hash": "f" * 64}
    written = metadata.a1111(
        record(
            prompt="otter <lora:penguin:0.8>",
            loras=[{**lora, "name": "penguin", "autov3": "0123456789ab"}, {**lora, "name": "a, b", "autov3": "c" * 12}],
            embeddings=[{"token": word, "name": "FurBall", "hash": "9" * 64} for word in ("furball", "<fur>")],
        )
    )
    prompt, _, fields = read_like_a1111(written)
    assert prompt == "otter <lora:penguin:0.8>"
    assert fields["Lora hashes"] == f"penguin: 0123456789ab, a b: {'c' * 12}"
    assert fields["TI hashes"] == f"FurBall: {'9' * 12}"
    assert "hashes" not in metadata.a1111(record(loras=[], embeddings=[]))


def test_another_decoder_is_named_as_the_web_ui_does() -> None:
    vae = {"name": "sdxl-vae-fp16-fix", "hash": "0123456789abcdef"}
    _, _, fields = read_like_a1111(metadata.a1111(record(vae=vae)))
    assert (fields["VAE hash"], fields["VAE"]) == ("0123456789", "sdxl-vae-fp16-fix")
    assert "VAE" not in metadata.a1111(record(vae=None))


def test_guidance_that_was_scaled_back_is_named_as_the_web_uis_extension_does() -> None:
    _, _, fields = read_like_a1111(metadata.a1111(record(guidance_rescale=0.7)))
    assert fields["CFG Rescale"] == "0.7"
    assert metadata.a1111(record(guidance_rescale=None)) == metadata.a1111(record())


def test_a_refiner_is_named_as_the_web_ui_does() -> None:
    refiner = {"name": "sdxl-refiner", "hash": "0123456789abcdef", "hand_over": 0.8}
    _, _, fields = read_like_a1111(metadata.a1111(record(refiner=refiner)))
    assert (fields["Refiner"], fields["Refiner switch at"]) == ("sdxl-refiner [0123456789]", "0.8")
    assert "Refiner" not in metadata.a1111(record(refiner=None))


def test_no_negative_prompt_no_line() -> None:
    assert "Negative" not in metadata.a1111(record(negative_prompt=""))


def test_prompts_of_any_script_survive() -> None:
    prompt = "Oregon 💚, выдра\nカワウソ"
    assert read_like_a1111(metadata.a1111(record(prompt=prompt)))[0] == prompt
    metadata.a1111(record(prompt="lone \ud800 surrogate \x00")).encode()


def test_the_sidecar_is_readable_and_complete() -> None:
    whole = record(prompt="otter 💚\ncowboy hat\n", negative_prompt="ugly: 'x'\nprivate: false\n")
    text = sidecars.of_picture(whole, filename="otter_1.png", created="2024-01-21T13:20:50+01:00", private=True)
    assert text.startswith("prompt: |\n  otter 💚\n  cowboy hat\n")
    loaded = yaml.safe_load(text)
    assert loaded["record"] == whole.model_dump(mode="json")
    assert loaded["seed"] == 42
    assert loaded["file"] == "otter_1.png"
    assert list(loaded)[:2] == ["prompt", "negative_prompt"]
    assert sidecars.private(text) is True
    assert sidecars.private(text.replace("private: true", "")) is None


def test_a_nasty_prompt_stays_a_text_in_the_sidecar() -> None:
    for prompt in (
        "yes",
        "1e3",
        "!!python/object:os.system x",
        "- a\n- b",
        "a: b",
        "\u0085x\u2028y",
        "# x",
        "\t",
        "x \n y",
    ):
        text = sidecars.of_picture(record(prompt=prompt), filename="x", created="y", private=False)
        loaded = yaml.safe_load(text)["prompt"]
        assert isinstance(loaded, str)
        assert loaded.split() == prompt.split()


def test_not_a_picture_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    for data in (b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\xff" * 100):
        path.write_bytes(data)
        with pytest.raises(reading.BadPicture):
            reading.read_record(path)


def chunk(kind: bytes, data: bytes, *, damaged: bool = False) -> bytes:
    checksum = zlib.crc32(kind + data) ^ damaged
    return len(data).to_bytes(4, "big") + kind + data + checksum.to_bytes(4, "big")


@pytest.mark.parametrize(
    "body",
    [
        chunk(b"tEXt", b"otterbot\x00{", damaged=False),
        chunk(b"tEXt", b'otterbot\x00{"v":1,"used":{}}', damaged=True),
        chunk(b"tEXt", b"otterbot\x00[]"),
        chunk(b"tEXt", b'otterbot\x00{"v":2,"used":{}}'),
        chunk(b"tEXt", b'otterbot\x00{"v":1,"used":"secret"}'),
    ],
)
def test_a_bad_chunk_is_refused_without_quoting_it(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(reading.BadPicture) as caught:
        reading.read_record(path)
    assert "secret" not in str(caught.value)
