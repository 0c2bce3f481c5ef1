"""Settings as other programs and sites leave them in pictures: read where they are plain, else named."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from otterbot_worker import cli
from otterbot_worker.archive import infotext, reading, showing
from otterbot_worker.archive.containers import NoSettings

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x768, Model hash: abc, Model: dreamshaper_8"
REQUEST = {
    "prompt": "a cat in a hat",
    "negative_prompt": "blurry, bad",
    "model": "dreamshaper_8",
    "steps": 20,
    "guidance_scale": 7,
    "width": 512,
    "height": 768,
    "sampler": "Euler a",
    "seed": 1234,
}
WORDS = "a cat in a hat\nNegative prompt: blurry, bad\n"


def png(texts: dict[str, str]) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        chunks.add_text(keyword, text)
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


def read(tmp_path: Path, data: bytes | dict[str, str]) -> reading.Found:
    path = tmp_path / "x.png"
    path.write_bytes(data if isinstance(data, bytes) else png(data))
    return reading.read(path)


# ---------------------------------------------------------------- A1111's text, taken apart


@pytest.mark.parametrize(
    "text",
    [
        f"{WORDS}{LINE}",
        f"{WORDS}{LINE}, Wildcard prompt: a __animal__\nin the rain, Version: v1.5.1",
        f"{WORDS}{LINE}\nTemplate: epic {{cat|dog}}",
        f"{WORDS}{LINE}\nTemplate: (__style__:1.2),\n__animal__\nNegative Template: ugly, blurry",
        f"{WORDS}{LINE}\nTemplate: a, Foo: b, Bar: c, Baz: d",
        f"{WORDS}" + LINE.replace(", ", "\n"),
        f"{WORDS}" + LINE.replace(", ", ",\n"),
        f"{WORDS}Steps: 20,\n" + LINE.removeprefix("Steps: 20, "),
        f"{WORDS}{LINE}\n\n",
        f"{WORDS.replace(chr(10), chr(13) + chr(10))}{LINE}",
        f"{WORDS.replace('Negative prompt:', 'Negative Prompt:')}{LINE}",
        f"{WORDS.replace('Negative prompt:', 'NEGATIVE PROMPT :')}{LINE}",
        f"{WORDS}{LINE}".replace("\n", "<br>"),
        f"{WORDS}{LINE}".replace("\n", " <BR /> "),
        f"{WORDS}{LINE}".replace("\n", "\\n"),
        f"{WORDS}{LINE}".replace("\n", "\\r\\n"),
        f"{WORDS}{LINE}".replace(", ", "\n")
        .replace("\n", "<br/>")
        .replace("bad", "x")
        .replace("blurry<br/>x", "blurry, bad"),
    ],
)
def test_settings_are_found_wherever_lines_break(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, {"parameters": text}).request == REQUEST


@pytest.mark.parametrize(
    "text",
    [
        f"a cat in a hat.Negative prompt: blurry, bad.{LINE}",
        f"a cat in a hat Negative prompt: blurry, bad {LINE}",
        f"a cat in a hat  Negative prompt: blurry, bad\n{LINE}",
        f"a cat in a hat\nNegative prompt: blurry, bad {LINE}",
    ],
)
def test_words_on_the_line_of_settings_are_not_lost(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, {"parameters": text})
    words = {name: found.request[name] for name in REQUEST}
    if "\n" in text and text.startswith("a cat in a hat  "):
        assert words["prompt"] == "a cat in a hat  Negative prompt: blurry, bad", "a border begins a line"
        return
    assert words == REQUEST
    assert any("run together" in note for note in found.notes)


def test_breaks_stay_where_they_are_part_of_a_text(tmp_path: Path) -> None:
    """In quotes, in words that stand on lines of their own, and in ours."""
    text = f'a cat<br>{LINE}, Template: "a \\"hat\\"\\nb", Foo: "<br>'
    found = infotext.parse(text)
    assert found is not None
    assert (found.prompt, found.fields["Template"], found.fields["Foo"]) == ("a cat", 'a "hat"\nb', '"<br>')
    for words in ("a <br> cat\\n", "a cat\\nSteps: up"):
        assert read(tmp_path, {"parameters": f"{words}\n{LINE}"}).request["prompt"] == words
    ours = infotext.parse(f"a cat\nNegative Prompt: x\nNegative prompt: y\n{LINE}, Version: otterbot 1")
    assert ours is not None
    assert (ours.prompt, ours.negative_prompt) == ("a cat\nNegative Prompt: x", "y")


def test_without_a_negative_prompt(tmp_path: Path) -> None:
    found = read(tmp_path, {"parameters": f"a cat, in: a hat {LINE}"})
    assert (found.request["prompt"], found.request["negative_prompt"]) == ("a cat, in: a hat", "")
    assert read(tmp_path, {"parameters": f"a cat\n{LINE}"}).request["prompt"] == "a cat"


@pytest.mark.parametrize(
    "text", ["Title: x, Author: y, Date: z", "a: b, c: d, e: f", "otter\nSteps: up, and: down", ""]
)
def test_fields_of_something_else_are_no_settings(tmp_path: Path, text: str) -> None:
    with pytest.raises(NoSettings):
        read(tmp_path, {"parameters": text})


@pytest.mark.parametrize("name", ["Steps: 20", "Seed: 5", "Sampler: Euler", "CFG scale: 7", "Size: 64x64"])
def test_one_that_counts_makes_settings(name: str) -> None:
    found = infotext.parse(f"otter\n{name}, Clip skip: 2, Model: m")
    assert found is not None
    assert found.prompt == "otter"


@pytest.mark.parametrize(
    ("fields", "width", "height", "scale"),
    [
        ("Size: 832 x 1216", 832, 1216, None),
        ("Size: 832×1216", 832, 1216, None),
        ("Size: 832X1216", 832, 1216, None),
        ("Size: 512x768, Hires resize: 1024x1536, Hires steps: 10, Denoising strength: 0.5", 512, 768, 2),
        ("Size: 512x768, Hires resize: 768x0, Denoising strength: 0.5", 512, 768, 1.5),
        ("Size: 1024x1536, First pass size: 512x768, Denoising strength: 0.5", 512, 768, 2),
        ("Size: 512x768, Hires upscale: 1.5, Denoising strength: 0.5", 512, 768, 1.5),
    ],
)
def test_sizes(tmp_path: Path, fields: str, width: int, height: int, scale: float | None) -> None:
    found = read(tmp_path, {"parameters": f"a cat\nSteps: 20, Seed: 1, Model: m, {fields}"})
    assert (found.request["width"], found.request["height"]) == (width, height)
    assert found.request.get("hires", {}).get("scale") == scale
    assert not any("another picture" in note for note in found.notes)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("Size: 512x768, Hires resize: 1024x1024, Denoising strength: 0.5", "another shape, 1024x1024"),
        ("Size: 1024x1536, First pass size: 0x0, Denoising strength: 0.5", "own choice"),
    ],
)
def test_sizes_that_a_request_cannot_say(tmp_path: Path, fields: str, said: str) -> None:
    found = read(tmp_path, {"parameters": f"a cat\nSteps: 20, Seed: 1, Model: m, {fields}"})
    assert "hires" not in found.request
    assert said in " ".join(found.notes)


# ---------------------------------------------------------------- where texts stand


def test_a_text_behind_the_pixels(tmp_path: Path) -> None:
    plain, texts = png({}), png({"parameters": WORDS + LINE})
    start = texts.index(b"tEXt") - 4
    chunk = texts[start : start + 12 + int.from_bytes(texts[start : start + 4], "big")]
    assert read(tmp_path, plain[:-12] + chunk + plain[-12:]).request == REQUEST


def test_a_whole_text_counts_where_the_first_is_damaged(tmp_path: Path) -> None:
    data = b"parameters\0" + (WORDS + LINE).encode()
    sound = len(data).to_bytes(4, "big") + b"tEXt" + data + zlib.crc32(b"tEXt" + data).to_bytes(4, "big")
    plain = png({})
    assert read(tmp_path, plain[:33] + sound[:-4] + bytes(4) + sound + plain[33:]).request == REQUEST


UNICODE = b"UNICODE\0"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG"])
@pytest.mark.parametrize("wrong_place", [False, True])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_comment_in_any_form(tmp_path: Path, kind: str, wrong_place: bool, encoding: str) -> None:
    text = "猫, “quotes”, 💚\n" + LINE
    exif = Image.Exif()
    exif[0x0112] = 1
    place: Any = exif if wrong_place else exif.get_ifd(0x8769)
    place[0x9286] = UNICODE + text.encode(encoding)
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, kind, exif=exif)
    found = read(tmp_path, file.getvalue())
    assert (found.request["prompt"], found.request["seed"]) == ("猫, “quotes”, 💚", 1234)


@pytest.mark.parametrize(
    "comment",
    [
        UNICODE + (WORDS + LINE).encode() + b"\0",
        UNICODE + b"\xef\xbb\xbf" + (WORDS + LINE).encode(),
        b"Unicode\0" + (WORDS + LINE).encode("utf-16-le"),
        b"JIS\0\0\0\0\0" + (WORDS + LINE).encode(),
        b"ASCII\0\0\0" + b"\xef\xbb\xbf" + (WORDS + LINE).encode(),
    ],
)
def test_a_comment_with_more_around_it(tmp_path: Path, comment: bytes) -> None:
    assert read(tmp_path, jpeg({0x9286: comment})).request == REQUEST


def test_settings_among_what_people_write(tmp_path: Path) -> None:
    text = WORDS + LINE
    for data in (
        jpeg({0x010E: text}),
        jpeg({}, comment=text.encode()),
        png({"Comment": text}),
        png({"Description": text}),
    ):
        assert read(tmp_path, data).request == REQUEST


@pytest.mark.parametrize("keyword", ["postprocessing", "extras"])
def test_what_was_done_with_a_finished_picture_is_said(tmp_path: Path, keyword: str) -> None:
    found = read(tmp_path, {"parameters": WORDS + LINE, keyword: "Postprocess upscale by: 4, Postprocess upscaler: x"})
    assert found.request == REQUEST
    assert found.notes == (f"Not in the request, because it has no place for it: {keyword}.",)


# ---------------------------------------------------------------- other programs

GRAPH: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {
        "seed": 5, "steps": 20, "cfg": 7.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0,
        "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "xl/dream.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 832, "height": 1216, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "fur.safetensors", "strength_model": 0.7,
                                                  "model": ["4", 0], "clip": ["4", 1]}},
}  # fmt: skip
SWARM = {"prompt": "a cat", "negativeprompt": "blurry", "model": "xl/dream.safetensors", "seed": 5, "steps": 20,
         "cfgscale": 7.5, "width": 832, "height": 1216, "sampler": "dpmpp_2m", "scheduler": "karras",
         "loras": ["fur"], "swarm_version": "0.9"}  # fmt: skip
FOOOCUS = {"prompt": "a cat", "negative_prompt": "blurry", "base_model": "dream.safetensors", "seed": "5", "steps": 20,
           "guidance_scale": 7.5, "resolution": "(832, 1216)", "sampler": "dpmpp_2m", "scheduler": "karras",
           "sharpness": 2.0, "styles": "['Fooocus V2']", "performance": "Speed", "version": "Fooocus v2.5"}  # fmt: skip
INVOKE = {"app_version": "4.2", "generation_mode": "sdxl_txt2img", "positive_prompt": "a cat",
          "negative_prompt": "blurry", "width": 832, "height": 1216, "seed": 5, "cfg_scale": 7.5, "steps": 20,
          "scheduler": "dpmpp_2m_k", "model": {"key": "1", "name": "dream", "base": "sdxl"},
          "loras": [{"weight": 1}]}  # fmt: skip
INVOKE_OLD = {"model_weights": "dream", "app_id": "invoke-ai/InvokeAI", "image": {
    "prompt": [{"prompt": "a cat", "weight": 1.0}], "steps": 20, "cfg_scale": 7.5, "width": 832, "height": 1216,
    "seed": 5, "sampler": "k_euler_a", "type": "txt2img"}}  # fmt: skip
NOVEL = {
    "prompt": "a cat, {hat}",
    "uc": "blurry",
    "seed": 5,
    "steps": 20,
    "scale": 7.5,
    "width": 832,
    "height": 1216,
    "sampler": "k_dpmpp_2m",
    "noise_schedule": "karras",
    "n_samples": 1,
    "sm": False,
    "cfg_rescale": 0.2,
}
EASY = {"prompt": "a cat", "negative_prompt": "blurry", "seed": 5, "num_inference_steps": 20, "guidance_scale": 7.5,
        "width": 832, "height": 1216, "sampler_name": "euler_a", "use_stable_diffusion_model": "dream.ckpt",
        "use_lora_model": "fur"}  # fmt: skip
DRAW_THINGS = {"c": "a cat", "uc": "blurry", "seed": 5, "steps": 20, "scale": 7.5, "size": "832x1216",
               "sampler": "DPM++ 2M Karras", "model": "dream.ckpt", "strength": 1}  # fmt: skip
WHOLE = {"prompt": "a cat", "negative_prompt": "blurry", "model": "dream", "steps": 20, "guidance_scale": 7.5,
         "width": 832, "height": 1216, "sampler": "DPM++ 2M Karras", "seed": 5}  # fmt: skip
PLAIN: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "SwarmUI": ({"parameters": json.dumps({"sui_image_params": SWARM}, indent=2)}, WHOLE, "loras"),
    "Fooocus": ({"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"}, WHOLE, "styles"),
    "InvokeAI": ({"invokeai_metadata": json.dumps(INVOKE)}, WHOLE, "loras"),
    "InvokeAI 2": ({"sd-metadata": json.dumps(INVOKE_OLD)},
                   {k: v for k, v in WHOLE.items() if k != "negative_prompt"} | {"sampler": "Euler a"}, ""),
    "NovelAI": ({"Software": "NovelAI", "Comment": json.dumps(NOVEL)},
                {k: v for k, v in WHOLE.items() if k != "model"} | {"prompt": "a cat, {hat}"}, "cfg_rescale"),
    "ComfyUI": ({"prompt": json.dumps(GRAPH), "workflow": '{"nodes": []}'}, WHOLE, "LoRAs"),
    "Easy Diffusion": ({k: str(v) for k, v in EASY.items()}, WHOLE | {"sampler": "Euler a"}, "use_lora_model"),
    "Easy Diffusion in one": ({"parameters": json.dumps(EASY)}, WHOLE | {"sampler": "Euler a"}, "use_lora_model"),
    "Draw Things": ({"parameters": json.dumps(DRAW_THINGS)}, WHOLE, "strength"),
    "sd-scripts": ({"prompt": "a cat", "seed": "5", "batch_size": "1", "steps": "20", "scale": "7.5", "sampler": "ddim",
                    "negative-prompt": "blurry", "original-height": "1024", "clip-prompt": "a hat"},
                   {k: v for k, v in WHOLE.items() if k not in ("model", "width", "height")} | {"sampler": "DDIM"},
                   "clip-prompt"),
}  # fmt: skip


@pytest.mark.parametrize("program", PLAIN)
def test_plain_settings_are_read(tmp_path: Path, program: str) -> None:
    texts, request, rest = PLAIN[program]
    found = read(tmp_path, texts)
    assert found.request == request
    assert found.source.startswith("the settings of " + program.removesuffix(" in one").removesuffix(" 2"))
    assert rest in " ".join(found.notes)
    assert showing.page(found).startswith("!draw a cat")


def changed(**nodes: Any) -> str:
    return json.dumps({name: node for name, node in (GRAPH | nodes).items() if node is not None})


CLIP_SKIP = {"class_type": "CLIPSetLastLayer", "inputs": {"stop_at_clip_layer": -2, "clip": ["4", 1]}}
BESIDE: dict[str, tuple[dict[str, Any], str]] = {
    "clip skip": ({"20": CLIP_SKIP, "6": {**GRAPH["6"], "inputs": {"text": "a cat", "clip": ["20", 0]}}},
                  "LoRAs, CLIPSetLastLayer."),
    "a decoder of its own": ({"20": {"class_type": "VAELoader", "inputs": {}}}, "LoRAs, VAELoader."),
    "larger afterwards": ({"20": {"class_type": "ImageUpscaleWithModel", "inputs": {"image": ["8", 0]}},
                           "21": {"class_type": "SaveImage", "inputs": {"images": ["20", 0]}}},
                          "LoRAs, ImageUpscaleWithModel."),
    "one of several": ({"5": {**GRAPH["5"], "inputs": {"width": 832, "height": 1216, "batch_size": 4}}},
                       "LoRAs, batch_size."),
    "a lora for the words alone": ({"3": {**GRAPH["3"], "inputs": {**GRAPH["3"]["inputs"], "model": ["4", 0]}}},
                                   "LoRAs."),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE)
def test_what_else_has_a_part_in_a_graph_is_said(tmp_path: Path, case: str) -> None:
    """It was left out in silence, and the line drew another picture."""
    nodes, said = BESIDE[case]
    found = read(tmp_path, {"prompt": changed(**nodes)})
    assert found.request == WHOLE
    assert [note.rpartition(": ")[2] for note in found.notes if "no place for it" in note] == [said]


SECOND = {**GRAPH["3"], "inputs": {**GRAPH["3"]["inputs"], "denoise": 0.5}}
NAMED: dict[str, tuple[dict[str, str], str]] = {
    "only a workflow": ({"workflow": "{}"}, "ComfyUI"),
    "two samplers": ({"prompt": changed(**{"11": SECOND})}, "ComfyUI"),
    "another sampler": ({"prompt": changed(**{"3": {"class_type": "KSamplerAdvanced", "inputs": {}}})}, "ComfyUI"),
    "from a picture": ({"prompt": changed(**{"3": SECOND})}, "ComfyUI"),
    "words from a node": ({"prompt": changed(**{"6": {"class_type": "Concat", "inputs": {"text": "a"}}})}, "ComfyUI"),
    "linked words": ({"prompt": changed(**{"6": {**GRAPH["6"], "inputs": {"text": ["9", 0]}}})}, "ComfyUI"),
    "NovelAI without numbers": ({"Software": "NovelAI", "Comment": "{}"}, "NovelAI"),
    "InvokeAI without a list": ({"invokeai_graph": '{"id": "x"}'}, "InvokeAI"),
    "InvokeAI of old": ({"Dream": '"a cat" -s 20'}, "InvokeAI"),
    "a damaged one of InvokeAI": ({"invokeai_metadata": "{"}, "InvokeAI"),
    "Midjourney": ({"Description": "a cat --v 6 Job ID: 1-2"}, "Midjourney"),
    "nobody known": ({"parameters": '{"what": 1}'}, "another program"),
    "nobody known, elsewhere": ({"generation_data": '{"what": 1}'}, "another program"),
    "nobody known, anywhere": ({"Comment": '{"what": 1}'}, "another program"),
    "nobody known, and a zero": ({"generation_data": '{"what": 1}\0'}, "another program"),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMED)
def test_what_is_not_plain_is_named(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts, program = NAMED[case]
    (tmp_path / "x.png").write_bytes(png(texts))
    assert cli.main(["show", str(tmp_path / "x.png")]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"was made by {program}, " in err


XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description><exif:UserComment><rdf:Alt><rdf:li '
    'xml:lang="x-default">{}</rdf:li></rdf:Alt></exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>'
)


def test_a_comment_in_xmp(tmp_path: Path) -> None:
    """Draw Things leaves its settings there, and nowhere else."""
    text = XMP.format(json.dumps(DRAW_THINGS | {"c": "a cat & a dog"}).replace("&", "&amp;").replace('"', "&quot;"))
    found = read(tmp_path, {"XML:com.adobe.xmp": text})
    assert found.request == WHOLE | {"prompt": "a cat & a dog"}
    assert found.source == "the settings of Draw Things"
    for other in (text[:200], XMP.format(""), text.replace("rdf:li", "rdf:x"), "<exif:UserComment>" * 50_000):
        with pytest.raises(NoSettings, match="has no settings in it"):
            read(tmp_path, {"XML:com.adobe.xmp": other})


def jpeg(tags: dict[int, Any], **options: Any) -> bytes:
    exif = Image.Exif()
    for tag, value in tags.items():
        (exif.get_ifd(0x8769) if tag == 0x9286 else exif)[tag] = value
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", exif=exif, **options)
    return file.getvalue()


def test_settings_in_other_places_of_a_jpeg(tmp_path: Path) -> None:
    swarm = json.dumps({"sui_image_params": SWARM})
    assert read(tmp_path, jpeg({0x0110: swarm})).request == WHOLE
    assert read(tmp_path, jpeg({0x010E: "Workflow: {}", 0x010F: f"Prompt: {json.dumps(GRAPH)}"})).request == WHOLE
    novel = json.dumps({"Software": "NovelAI", "Comment": json.dumps(NOVEL)})
    found = read(tmp_path, jpeg({0x9286: b"ASCII\0\0\0" + novel.encode()}))
    assert (found.source, found.request["seed"]) == ("the settings of NovelAI", 5)
    assert read(tmp_path, jpeg({0x9286: UNICODE + (WORDS + LINE).encode()}, comment=b'{"a": 1}')).request == REQUEST
    for data in (jpeg({0x010E: "A nice day: {}"}), jpeg({}, comment=b"made with care")):
        with pytest.raises(NoSettings, match="has no settings in it"):
            read(tmp_path, data)
    with pytest.raises(NoSettings, match="was made by another program"):
        read(tmp_path, jpeg({}, comment=b'{"prompt": "a cat", "seed": 5}'))


def test_the_camera_that_is_no_camera(tmp_path: Path) -> None:
    """ComfyUI writes its graph there in WebPs."""
    exif = Image.Exif()
    exif[0x0110], exif[0x010F] = f"prompt:{json.dumps(GRAPH)}", 'workflow:{"nodes": []}'
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "WEBP", exif=exif)
    assert read(tmp_path, file.getvalue()).request == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        f'{"{"}"sui_image_params": {"{"}"prompt": {"[" * 5000}',
        json.dumps({"sui_image_params": {"prompt": ["a"], "seed": {}, "steps": True, "width": 1e400}}),
        json.dumps({"sui_image_params": {"x" * 10_000: 1, "seed": 5}}),
        json.dumps({"base_model": [], "sharpness": {}, "resolution": 5}),
        "Steps: x, Seed: y, Size: z",
    ],
)
def test_never_an_empty_line(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.png").write_bytes(png({"parameters": text}))
    code = cli.main(["show", str(tmp_path / "x.png")])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert (code, out) == (1, "") if 'seed": 5' not in text else out.startswith("!draw --seed 5\n")
