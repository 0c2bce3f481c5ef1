"""The folders of LoRAs and embeddings: what is listed, what headers say, and what hostile files can do."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hollow_loras import LORA, put, tensors, whole

from otterbot_worker.models import headers
from otterbot_worker.models.loras import Library
from otterbot_worker.models.user_files import good_name
from otterbot_worker.prompts.lora_tags import embedding_words


def test_only_safetensors_with_usable_names_are_there(tmp_path: Path) -> None:
    for name in ("b.safetensors", "A.SafeTensors", "Pixel Art (v1.1).safetensors", "日本.safetensors"):
        put(tmp_path / "loras" / name, tensors(LORA))
    for name in ("c.pt", "d.ckpt", "e.bin", ".safetensors", ".h.safetensors", "x<y.safetensors", "a`b.safetensors",
                 "new\nline.safetensors", "bell\a.safetensors", f"{'l' * 101}.safetensors"):  # fmt: skip
        put(tmp_path / "loras" / name, tensors(LORA))
    (tmp_path / "loras" / "folder.safetensors").mkdir()
    (tmp_path / "loras" / "nowhere.safetensors").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "loras" / "pipe.safetensors")
    library = Library(tmp_path)
    found = library.all("lora")
    assert [name for name, extra in found.items() if extra.problem is None] == ["A", "b", "Pixel Art (v1.1)", "日本"]
    assert library.all("embedding") == {}
    assert Library(tmp_path / "none").all("lora") == {}


@pytest.mark.parametrize("name", ["../b", "loras/b", "/b", "b.safetensors", "", "..", "b\0", "c" * 100_000])
def test_a_name_is_never_a_path(tmp_path: Path, name: str) -> None:
    put(tmp_path / "loras" / "b.safetensors", tensors(LORA))
    put(tmp_path / "b.safetensors", tensors(LORA))
    assert Library(tmp_path).find("lora", name) is None
    assert not good_name("../b")


def test_the_operators_files_come_first_and_capitals_do_not_matter(tmp_path: Path) -> None:
    put(tmp_path / "shipped" / "loras" / "penguin.safetensors", tensors(LORA))
    put(tmp_path / "shipped" / "loras" / "Other.safetensors", tensors(LORA))
    own = put(tmp_path / "own" / "loras" / "penguin.safetensors", tensors(LORA))
    library = Library(tmp_path / "own", tmp_path / "shipped")
    found = library.find("lora", "Penguin")
    assert found is not None
    assert found.path == own
    other = library.find("lora", "other")
    assert other is not None
    assert other.name == "Other"


def test_hashes_and_changed_files(tmp_path: Path) -> None:
    content = tensors(LORA, ss_x="1")
    path = put(tmp_path / "loras" / "b.safetensors", content)
    library = Library(tmp_path)
    extra = library.all("lora")["b"]
    assert library.known_hashes(extra) is None
    hashes = library.hashes(extra)
    assert hashes.file == hashlib.sha256(content).hexdigest()
    start = 8 + struct.unpack("<Q", content[:8])[0]
    assert hashes.tensors == hashlib.sha256(content[start:]).hexdigest()
    path.write_bytes(tensors({**LORA, "more.lora_down.weight": [2, 2]}))
    changed = library.all("lora")["b"]
    assert library.known_hashes(changed) is None
    assert library.hashes(changed).file != hashes.file
    library.hash_some(5.0)
    assert library.known_hashes(changed) is not None
    put(tmp_path / "loras" / "new.safetensors", content)
    library.hash_some(0.0)
    assert library.known_hashes(library.all("lora")["new"]) is not None, "each list goes on where the last one ended"


SAYS_SD1, SAYS_SDXL = {"ss_base_model_version": "sd_v1"}, {"ss_base_model_version": "sdxl_base_v1-0"}
DEEP = "lora_unet_down_blocks_2_attentions_0_transformer_blocks"
FAMILIES: list[tuple[dict[str, list[int]], dict[str, str], str, str | None]] = [
    (LORA, {}, "kohya", "sd"),
    ({"lora_unet_x.lora_down.weight": [4, 32]}, {}, "kohya", None),
    ({"lora_te_x.lora_down.weight": [4, 32]}, {}, "kohya", "sd"),
    ({"lora_te2_x.lora_down.weight": [4, 32]}, {}, "kohya", "sdxl"),
    ({"unet.x.attn2.to_k.lora_A.weight": [4, 2048]}, {}, "diffusers", "sdxl"),
    ({"unet.x.attn2.to_k.lora_A.weight": [4, 1024]}, {}, "diffusers", "sd"),
    ({"unet.x.attn2.to_k.lora_A.weight": [4, 128]}, {}, "diffusers", None),
    ({"text_encoder_2.x.lora_A.weight": [4, 128]}, {}, "diffusers", "sdxl"),
    ({"lora_unet_x.lora_down.weight": [4, 32]}, {"ss_base_model_version": "sdxl_base_v1-0"}, "kohya", "sdxl"),
    ({"lora_unet_x.lora_down.weight": [4, 32]}, {"ss_base_model_version": "sd_v1"}, "kohya", "sd"),
    ({"lora_unet_x.lora_down.weight": [4, 32]}, {"modelspec.architecture": "stable-diffusion-v1/lora"}, "kohya", "sd"),
    (
        {"unet.x.attn2.to_k.lora_A.weight": [4, 128]},
        {"ss_base_model_version": "otter-mini", "modelspec.architecture": "stable-diffusion-v1/lora"},
        "diffusers",
        None,
    ),
    # Shapes and layers go before notes, which are copied from one training to the next.
    ({"lora_unet_mid_block_attn2_to_k.lora_down.weight": [4, 2048]}, SAYS_SD1, "kohya", "sdxl"),
    ({"lora_unet_mid_block_attn2_to_k.lora_down.weight": [4, 768]}, SAYS_SDXL, "kohya", "sd"),
    ({"lora_unet_add_embedding_linear_1.lora_down.weight": [4, 112]}, SAYS_SD1, "kohya", "sdxl"),
    ({"unet.label_emb.0.2.lora_down.weight": [4, 112]}, SAYS_SD1, "diffusers", "sdxl"),
    ({"clip_g.text_model.encoder.layers.0.mlp.fc1.lora_down.weight": [4, 112]}, SAYS_SD1, "diffusers", "sdxl"),
    (
        {"text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1.lora_down.weight": [4, 112]},
        SAYS_SD1,
        "diffusers",
        "sdxl",
    ),
    ({f"{DEEP}_9_ff_net_2.lora_down.weight": [4, 64]}, SAYS_SD1, "kohya", "sdxl"),
    ({"lora_unet_up_blocks_3_attentions_0_proj_in.lora_down.weight": [4, 64]}, SAYS_SDXL, "kohya", "sd"),
    ({"lora_unet_output_blocks_11_1_proj_in.lora_down.weight": [4, 64]}, SAYS_SDXL, "kohya", "sd"),
    ({"unet.input_blocks.4.1.proj_in.lora_A.default.weight": [4, 64]}, SAYS_SDXL, "diffusers", "sdxl"),
    # The first blocks of both are alike but for their attention, as LoRAs of convolutions alone have them.
    ({"lora_unet_input_blocks_1_0_in_layers_2.lora_down.weight": [4, 320, 3, 3]}, SAYS_SDXL, "kohya", "sdxl"),
    ({"lora_unet_input_blocks_1_1_proj_in.lora_down.weight": [4, 320]}, SAYS_SDXL, "kohya", "sd"),
    ({"lora_unet_input_blocks_10_0_in_layers_2.lora_down.weight": [4, 1280, 3, 3]}, SAYS_SDXL, "kohya", "sd"),
    # Shapes of no published model: then notes that name one are wrong.
    ({"lora_unet_mid_block_attn2_to_k.lora_down.weight": [4, 96]}, SAYS_SD1, "kohya", None),
    ({"lora_unet_mid_block_attn2_to_k.lora_down.weight": [4, 96]}, SAYS_SDXL, "kohya", None),
    ({f"{DEEP}_0_attn1_to_q.lora_down.weight": [4, 64]}, SAYS_SD1, "kohya", None),
    ({f"{DEEP}_0_attn1_to_q.lora_down.weight": [4, 640]}, SAYS_SD1, "kohya", "sd"),
    ({"text_encoder.encoder.layers.0.self_attn.q_proj.lora_A.weight": [4, 160]}, SAYS_SD1, "diffusers", None),
    ({"text_encoder.encoder.layers.0.self_attn.q_proj.lora_A.weight": [4, 768]}, SAYS_SD1, "diffusers", "sd"),
    ({"unet.x.attn2.to_k.lora_A.weight": [4, 96], "lora_te2_x.lora_down.weight": [4, 9]}, SAYS_SD1, "kohya", "sdxl"),
    ({"lora_unet_double_blocks_0.lora_down.weight": [4, 32]}, {}, "kohya", "other"),
    ({"diffusion_model.double_blocks.0.img_attn.proj.lora_A.weight": [4, 32]}, {}, "diffusers", "other"),
    ({"diffusion_model.layers.0.attention.to_q.lora_A.weight": [4, 32]}, SAYS_SDXL, "diffusers", "other"),
    ({"transformer.blocks.0.lora_A.weight": [4, 32]}, {}, "diffusers", "other"),
]


@pytest.mark.parametrize(("shapes", "metadata", "layout", "family"), FAMILIES)
def test_families(
    tmp_path: Path, shapes: dict[str, list[int]], metadata: dict[str, str], layout: str, family: str | None
) -> None:
    put(tmp_path / "loras" / "b.safetensors", tensors(whole(shapes), **metadata))
    extra = Library(tmp_path).all("lora")["b"]
    assert (extra.layout, extra.family) == (layout, family)
    assert (extra.problem is None) == (family != "other")


Q = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
PEFT_Q = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
NOT_WHOLE: dict[str, tuple[dict[str, list[int]], str]] = {
    "no up": ({**LORA, f"{Q}.lora_down.weight": [4, 640], f"{Q}.alpha": []}, "lacks the half `up` of one of its"),
    "no down": ({**LORA, f"{PEFT_Q}.lora_B.weight": [640, 4]}, "lacks the half `down` of one of its layers"),
    "rank": ({f"{Q}.lora_down.weight": [4, 640], f"{Q}.lora_up.weight": [640, 8]}, "do not fit each other"),
    "rankless": ({f"{Q}.lora_down.weight": [0, 640], f"{Q}.lora_up.weight": [640, 0]}, "do not fit each other"),
    "numbers": ({f"{Q}.lora_down.weight": [4], f"{Q}.lora_up.weight": [4]}, "do not fit each other"),
    "adapters": (whole({f"{PEFT_Q}.lora_A.{name}.weight": [4, 640] for name in "ab"}), "holds several adapters"),
    "an adapter for each layer": (
        whole({f"{PEFT_Q}.lora_A.a.weight": [4, 640], f"{PEFT_Q.replace('to_q', 'to_k')}.lora_A.b.weight": [4, 640]}),
        "holds several adapters",
    ),
    "two names": (
        whole({f"{Q}.lora_down.weight": [4, 640], f"{PEFT_Q}.lora_A.weight": [4, 640]}),
        "holds one of its layers twice",
    ),
}


@pytest.mark.parametrize("case", NOT_WHOLE)
def test_halves_that_do_not_belong_together_are_found_in_the_header(tmp_path: Path, case: str) -> None:
    """They were listed as usable, and failed when they were drawn with."""
    shapes, why = NOT_WHOLE[case]
    put(tmp_path / "loras" / "b.safetensors", tensors(shapes))
    problem = Library(tmp_path).all("lora")["b"].problem
    assert problem is not None
    assert why in problem


@pytest.mark.parametrize(
    "name",
    [
        f"unet.base_model.model.{PEFT_Q.removeprefix('unet.')}.lora_A.weight",
        "text_encoder.base_model.model.text_model.encoder.layers.0.mlp.fc1.lora_A.weight",
        f"{PEFT_Q}.lora_A.default.weight",
        "lora_unet_down_blocks_0_downsamplers_0_conv.lora_down.weight",
    ],
)
def test_whole_layers_are_none_the_less_usable(tmp_path: Path, name: str) -> None:
    shape = [4, 320, 3, 3] if "conv" in name else [4, 640]
    put(tmp_path / "loras" / "b.safetensors", tensors(whole({name: shape, "lora_unet_x.alpha": []})))
    assert Library(tmp_path).all("lora")["b"].problem is None


OTHERS = {
    "lora_unet_double_stream_blocks_0_block_attn1_to_q": "HiDream",
    "lora_prior_unet_down_blocks_0_0_attn_to_q": "Stable Cascade",
    "lora_unet_joint_blocks_0_x_block_attn_qkv": "Stable Diffusion 3",
    "transformer_blocks.0.img_mlp.net.2": "Qwen-Image",
    "transformer.transformer_blocks.0.attn.to_q": "Stable Diffusion 3, Flux or Qwen-Image",
    "base_model.model.double_blocks.0.img_attn.proj": "Flux or one of its relatives",
    "transformer.single_transformer_blocks.0.attn.to_q": "Flux or one of its relatives",
    "lora_unet_blocks_0_self_attn_q": "Wan",
    "diffusion_model.blocks.0.cross_attn.k_img": "Wan",
    "diffusion_model.layers.0.attention.to_q": "Z-Image or Lumina",
    "diffusion_model.blocks.0.self_attn.q_proj": "another kind of model",
    "transformer.x": "another kind of model",
}


@pytest.mark.parametrize("stem", OTHERS)
def test_for_which_models_a_lora_is_made_that_none_here_can_draw_with(tmp_path: Path, stem: str) -> None:
    half = "lora_down" if stem.startswith("lora_") else "lora_A"
    text = "lora_te1_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"
    put(tmp_path / "loras" / "b.safetensors", tensors(whole({f"{stem}.{half}.weight": [4, 64], text: [4, 768]})))
    extra = Library(tmp_path).all("lora")["b"]
    assert (extra.family, extra.problem) == (
        "other",
        f"is made for {OTHERS[stem]}, and only those for Stable Diffusion 1, 2 and SDXL can be drawn with",
    )


@pytest.mark.parametrize(
    ("shapes", "layout", "family"),
    [
        ({"emb_params": [3, 768]}, "a1111", "sd"),
        ({"<cat>": [768]}, "diffusers", "sd"),
        ({"clip_l": [2, 768], "clip_g": [2, 1280]}, "a1111", "sdxl"),
        ({"clip_l": [2, 768], "other": [2, 1280]}, "?", None),
        ({"emb_params": [3, 2, 768]}, "?", None),
        ({"emb_params": [0, 768]}, "?", None),
        ({}, "?", None),
    ],
)
def test_embeddings(tmp_path: Path, shapes: dict[str, list[int]], layout: str, family: str | None) -> None:
    put(tmp_path / "embeddings" / "b.safetensors", tensors(shapes))
    extra = Library(tmp_path).all("embedding")["b"]
    assert (extra.layout, extra.family) == (layout, family)
    assert extra.triggers == (("<cat>", "b") if "<cat>" in shapes else ("b",))
    assert extra.problem == (None if family else "is no textual inversion")


@pytest.mark.parametrize(
    ("metadata", "triggers"),
    [
        ({}, ()),
        ({"modelspec.trigger_phrase": "a penguin"}, ("a penguin",)),
        ({"modelspec.trigger_phrase": "line\nbreak\x07 " + "x" * 999}, ("line break " + "x" * 49,)),
        ({"ss_tag_frequency": json.dumps({"10_a": {"penguin": 12, "ice": 3}, "5_b": {"hat": 2}})}, ("penguin", "hat")),
        ({"ss_tag_frequency": "[" * 100_000}, ()),
        ({"ss_tag_frequency": json.dumps({"a": {"x": True, "y": "3", "z": 1e999}, "b": [1], "c": 3})}, ()),
        ({"ss_tag_frequency": "[1]"}, ()),
    ],
)
def test_trigger_words(tmp_path: Path, metadata: dict[str, str], triggers: tuple[str, ...]) -> None:
    put(tmp_path / "loras" / "b.safetensors", tensors(LORA, **metadata))
    assert Library(tmp_path).all("lora")["b"].triggers == triggers


def header(value: Any, body: bytes = b"") -> bytes:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack("<Q", len(raw)) + raw + body


def one(**fields: Any) -> bytes:
    return header({"x.lora_down.weight": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4], **fields}}, bytes(4))


HOSTILE = {
    "empty": b"",
    "seven bytes": bytes(7),
    "text": b"this is a text named safetensors",
    "huge header": struct.pack("<Q", 2**63) + b"{}",
    "header beyond the file": struct.pack("<Q", 1000) + b"{}",
    "no json": header(b"\xff\xfe{{"),
    "nested": header(b"[" * 100_000),
    "a list": header([1]),
    "a number": header(7),
    "null tensor": header({"x.lora_": None}),
    "no offsets": header({"x.lora_": {"dtype": "F16", "shape": [2]}}),
    "three offsets": one(data_offsets=[0, 4, 8]),
    "negative": one(data_offsets=[-4, 0]),
    "fraction": one(data_offsets=[0, 4.0]),
    "true": one(shape=[True, 2]),
    "too large": one(data_offsets=[0, 2**70]),
    "long number": header(b'{"x":{"dtype":"F16","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)),
    "overlap": header(
        {n: {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]} for n in ("a.lora_up", "b.lora_up")}, bytes(4)
    ),
    "gap": one(data_offsets=[4, 8]) + bytes(4),
    "other shape": one(shape=[3]),
    "other type": one(dtype="F17"),
    "rest": one() + b"more",
    "cut": tensors(LORA)[:-1],
    "cut header": tensors(LORA)[:40],
    "metadata list": header({"__metadata__": [1]}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_named_and_harm_nobody(tmp_path: Path, case: str) -> None:
    put(tmp_path / "loras" / "bad.safetensors", HOSTILE[case])
    put(tmp_path / "loras" / "good.safetensors", tensors(LORA))
    found = Library(tmp_path).all("lora")
    assert found["good"].problem is None
    assert found["bad"].problem


def test_headers_and_files_have_limits(tmp_path: Path) -> None:
    path = put(tmp_path / "loras" / "b.safetensors", tensors(LORA, note="x" * headers.HEADER_MAX))
    problem = "has a header of 16 MB, more than the 16 MB that are read"
    assert Library(tmp_path).all("lora")["b"].problem == problem
    put(path, struct.pack("<Q", 20 * 1024**2) + b" not JSON" + bytes(20 * 1024**2))
    assert Library(tmp_path).all("lora")["b"].problem == "is no safetensors file"
    with path.open("r+b") as file:
        file.truncate(3 * 1024**3)  # no bytes on the disk
    assert Library(tmp_path).all("lora")["b"].problem == "is larger than 2048 MB"


PICKLE = "is a pickle, which can run code when it is opened: convert it to .safetensors"
NAMELESS = "has a name that it cannot be called by: rename it, with at most 100 letters, digits, . _ and -"


def test_files_that_cannot_be_used_are_there_with_the_reason(tmp_path: Path) -> None:
    for name in ("c.pt", "d.ckpt", "e.BIN", "penguin.pt", "x<y.safetensors", f"{'l' * 101}.safetensors",
                 "new\nline.safetensors", ".h.pt", "._b.safetensors", "notes.txt"):  # fmt: skip
        put(tmp_path / "own" / "loras" / name, b"anything")
    (tmp_path / "own" / "loras" / os.fsdecode(b"caf\xe9.safetensors")).write_bytes(b"")
    (tmp_path / "own" / "loras" / "folder.pt").mkdir()
    put(tmp_path / "shipped" / "loras" / "penguin.safetensors", tensors(LORA))
    library = Library(tmp_path / "own", tmp_path / "shipped")
    assert {name: extra.problem for name, extra in library.all("lora").items()} == {
        "c": PICKLE, "d": PICKLE, "e": PICKLE, "penguin": None,
        "x<y": NAMELESS, "l" * 100: NAMELESS, "new\N{REPLACEMENT CHARACTER}line": NAMELESS,
        "caf\N{REPLACEMENT CHARACTER}": NAMELESS,
    }  # fmt: skip
    found = library.find("lora", "C")
    assert found is not None
    assert found.problem == PICKLE
    assert library.find("lora", "x<y") is None
    library.hash_some(5.0)
    assert library.known_hashes(found) is None, "nothing of it is read"


OTHER_KINDS = {
    "dora_scale": "a DoRA", "lora_magnitude_vector": "a DoRA", "hada_w1_a": "a LoHa", "lokr_w1": "a LoKr",
    "lora_mid.weight": "a LoCon in Tucker form", "oft_blocks": "an OFT", "diff_b": "a full difference",
    "diff": "a full difference", "lora_E": "an AdaLoRA", "lora_E.default": "an AdaLoRA", "on_input": "an (IA)³",
    "vera_lambda_b": "a VeRA",
}  # fmt: skip


def test_names_are_read_alike_for_looking_and_for_loading(tmp_path: Path) -> None:
    """What no engine could find a layer for is not listed as usable, and a word in a bundled name is no kind."""
    put(tmp_path / "loras" / "a.safetensors", tensors({"some.layer.lora_A.weight": [4, 4]}))
    put(tmp_path / "loras" / "b.safetensors", tensors({**LORA, "bundle_emb.soft_oft_.clip_l": [4, 4]}))
    put(tmp_path / "loras" / "c.safetensors", tensors({"bundle_emb.my_lora.down.weight": [4, 4]}))
    put(tmp_path / "loras" / "d.safetensors", tensors({**LORA, "lora_unet_x.lora_up.weight_scale": [1]}))
    problems = {name: extra.problem for name, extra in Library(tmp_path).all("lora").items()}
    assert problems == {
        "a": "is no LoRA that this worker can read: its layers have names that are not known here",
        "b": None,
        "c": "is no LoRA that this worker can read",
        "d": "holds a scale for its weights, which is not read in LoRAs",
    }


@pytest.mark.parametrize("mark", OTHER_KINDS)
@pytest.mark.parametrize("beside", [LORA, {}])
def test_what_is_like_a_lora_and_none_is_named(tmp_path: Path, mark: str, beside: dict[str, list[int]]) -> None:
    """With a plain LoRA's tensors beside, as DoRA and LoCon have them, it was taken for one."""
    shapes = {**beside, f"lora_unet_mid_block_attn2_to_k.{mark}": [4, 4]}
    put(tmp_path / "loras" / "b.safetensors", tensors(shapes))
    problem = Library(tmp_path).all("lora")["b"].problem
    assert problem == f"is {OTHER_KINDS[mark]}, and only plain LoRAs can be drawn with"


def embedding(folder: Path, name: str, key: str, width: int = 768) -> None:
    put(folder / "embeddings" / f"{name}.safetensors", tensors({key: [2, width]}))


def test_an_embedding_answers_to_the_word_that_it_was_trained_as(tmp_path: Path) -> None:
    embedding(tmp_path, "learned_embeds", "<cat-toy>")
    embedding(tmp_path, "mine", "<Cat-Toy>")
    embedding(tmp_path, "style", "Pencil-Style")
    embedding(tmp_path, "furball", "furball")
    embedding(tmp_path, "other", "<style>")
    embedding(tmp_path, "two words", "<two>")
    embedding(tmp_path, "no words", "emb_params")
    embedding(tmp_path, "odd", "a b*")
    put(tmp_path / "embeddings" / "learned.pt", b"")
    put(tmp_path / "embeddings" / "two.pt", b"")
    library = Library(tmp_path)
    words = {word: extra.name for word, extra in library.words().items() if extra.problem is None}
    assert words == {
        "learned_embeds": "learned_embeds", "<cat-toy>": "learned_embeds", "mine": "mine", "style": "style",
        "pencil-style": "style", "furball": "furball", "other": "other", "two words": "two words", "<two>": "two words",
        "odd": "odd",
    }  # fmt: skip
    assert library.words()["learned"].problem == PICKLE
    found = library.all("embedding")
    assert found["no words"].problem == NAMELESS
    assert found["two words"].triggers == ("<two>",)
    assert found["odd"].triggers == ("odd",)


@pytest.mark.parametrize(
    "name", ["furball", "a", "a-b", "a.b_c", "Ö", "日本", "a b", "-a", "a-", "a*", "", "a(1)", "1.5"]
)
def test_what_a_word_is_in_a_prompt_and_in_a_list(tmp_path: Path, name: str) -> None:
    """Two modules say it, which may not import one another."""
    embedding(tmp_path, name or "x", name)
    triggers = Library(tmp_path).all("embedding")[name or "x"].triggers
    assert (name in triggers) == (embedding_words(name, {name.lower()}) == (name.lower(),))
    assert (f"<{name}>" in _triggers_of(tmp_path, f"<{name}>")) == (
        embedding_words(f"<{name}>", {f"<{name}>".lower()}) != ()
    )


def _triggers_of(folder: Path, key: str) -> tuple[str, ...]:
    embedding(folder, "mine", key)
    return Library(folder).all("embedding")["mine"].triggers
