"""LoRAs as trainers name them: each is the same LoRA, and what is left out of a file is counted and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ldm
import lora_files as files
import pytest
import torch
from engine_lab import FAMILIES, Draws, difference, drawer, pipe_of

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.models import lora_names
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")
LAYERS = (
    r"(attn[12]\.to_[qkv]|to_out\.0|ff\.net\.2|proj_in|conv[12]|time_emb_proj|samplers\.0\.conv|linear_[12]|conv_in)$"
)
State = dict[str, torch.Tensor]


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    return drawer(engine, make_task, entries, steps=2)


def kohyas_suffix(made: files.Pairs, name: Callable[[str, str], str]) -> State:
    state: State = {}
    for (component, module), (down, up) in made.items():
        stem = name(component, module)
        state |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(4.0)}
    return state


@pytest.mark.parametrize("family", FAMILIES)
def test_every_way_of_naming_is_the_same_lora(draw: Draws, engine: Engine, tmp_path: Path, family: str) -> None:
    plain = draw(family=family)[1]
    pipe = pipe_of(engine)
    # Spelled a second time in `ldm`, from the program that trained Stable Diffusion.
    original = dict(zip(pipe.unet.state_dict(), ldm._unet(pipe.unet), strict=True))
    made = files.pairs(pipe, text=False, unet=LAYERS, size=0.1)
    assert family == "sd" or any("add_embedding.linear_2" in name for _, name in made)

    def published(name: str) -> str:
        return original[f"{name}.weight"].removesuffix(".weight")

    peft = files.peft(made)
    ways = {
        "peft": peft,
        "adapter": {key.replace(".weight", ".my-adapter.weight"): tensor for key, tensor in peft.items()},
        "base": {f"base_model.model.{key}": tensor for key, tensor in peft.items()},
        "wrapped": {key.replace("unet.", "unet.base_model.model."): tensor for key, tensor in peft.items()},
        "bare": {key.removeprefix("unet."): tensor for key, tensor in peft.items()},
        "paths": kohyas_suffix(made, lambda _, name: f"unet.{name}"),
        "kohya": kohyas_suffix(made, lambda _, name: f"lora_unet_{name.replace('.', '_')}"),
        "omi": kohyas_suffix(made, lambda _, name: f"unet.{published(name)}"),
        "sgm": kohyas_suffix(made, lambda _, name: f"lora_unet_{published(name).replace('.', '_')}"),
        "whole": kohyas_suffix(made, lambda _, name: f"model.diffusion_model.{published(name)}"),
    }
    if family == "sdxl":
        assert any("add_embedding_linear_1" in key for key in ways["kohya"])
        assert any("unet.output_blocks" in key for key in ways["omi"])
    pictures = {}
    for name, state in ways.items():
        drawn, pictures[name] = draw(
            family=family, loras=[files.wanted(files.write(tmp_path / f"{name}.safetensors", state), 0.7)]
        )
        assert drawn.notes == [], name
    assert difference(plain, pictures["peft"]) > 1
    assert all(difference(picture, pictures["peft"]) < 0.02 for picture in pictures.values())


def test_text_encoders_have_as_many_names(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    draw(family="sdxl")
    pipe = pipe_of(engine)
    made = {at: both for at, both in files.pairs(pipe).items() if at[0] != "unet"}
    omi = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}
    numbered = {"text_encoder": "lora_te1", "text_encoder_2": "lora_te2"}

    def whole(name: str) -> str:
        return name if name.startswith("text_") else f"text_model.{name}"

    ways = [
        files.peft(made),
        kohyas_suffix(made, lambda part, name: f"{omi[part]}.{whole(name)}"),
        kohyas_suffix(made, lambda part, name: f"text_encoders.{omi[part]}.transformer.{whole(name)}"),
        kohyas_suffix(made, lambda part, name: f"{numbered[part]}_{whole(name).replace('.', '_')}"),
    ]
    pictures = []
    for number, state in enumerate(ways):
        path = files.write(tmp_path / f"{number}.safetensors", state)
        drawn, picture = draw(family="sdxl", loras=[files.wanted(path)])
        assert drawn.notes == []
        pictures.append(picture)
    assert all(difference(picture, pictures[0]) < 0.02 for picture in pictures)
    assert difference(pictures[0], draw(family="sdxl")[1]) > 0.1


def test_what_is_no_layer_is_left_out_and_said(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    draw(family="sdxl")
    state = files.kohya(files.pairs(pipe_of(engine)), xl=True)
    alone = draw(family="sdxl", loras=[files.wanted(files.write(tmp_path / "alone.safetensors", state))])[1]
    bundle = {"bundle_emb.ema yasuhara.clip_g": torch.ones(4, 64), "bundle_emb.ema yasuhara.clip_l": torch.ones(4, 32)}
    norms = {f"lora_unet_mid_block_resnets_0_norm1.{end}": torch.full((64,), torch.nan) for end in ("w_norm", "b_norm")}
    cases = {
        "bundle": (bundle, "2 tensors were left out: embeddings that it brings along."),
        "norms": (norms, "2 tensors were left out: changes of norms."),
        "word": ({"optimizer": torch.ones(1)}, "1 tensor was left out: names that are not known here."),
        "alpha": ({"lora_unet_x.alpha": torch.ones(())}, "1 tensor was left out: names that are not known here."),
        "all": (
            {**bundle, **norms, "unet.something.else": torch.ones(1)},
            "5 tensors were left out: changes of norms (2), embeddings that it brings along (2), "
            "names that are not known here (1).",
        ),
    }
    for name, (more, said) in cases.items():
        path = files.write(tmp_path / f"{name}.safetensors", {**state, **more})
        drawn, picture = draw(family="sdxl", loras=[files.wanted(path)])
        assert difference(picture, alone) < 0.02
        assert drawn.notes == [f"Of the LoRA {name}, {said}"]


def test_a_layer_that_is_there_twice_is_refused(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    """Under two names: nobody can say which one counts."""
    draw()
    peft = files.peft(files.pairs(pipe_of(engine)))
    both = {
        **peft,
        **{key.replace("unet.", "base_model.model.unet."): tensor.clone() for key, tensor in peft.items()},
    }
    with pytest.raises(JobFailed, match="The LoRA twice cannot be used"):
        draw(loras=[files.wanted(files.write(tmp_path / "twice.safetensors", both))])
    layer = {"lora_down.weight": torch.zeros(4, 64), "lora_up.weight": torch.zeros(64, 4)}
    stems = ("lora_unet_mid_block_attentions_0_proj_in", "unet.middle_block.1.proj_in")
    state = {f"{stem}.{end}": tensor.clone() for stem in stems for end, tensor in layer.items()}
    with pytest.raises(JobFailed, match="The LoRA two cannot be used: one of its layers is there twice"):
        draw(family="sdxl", loras=[files.wanted(files.write(tmp_path / "two.safetensors", state))])


@pytest.mark.parametrize(
    "name", ["unet.down_blocks.0.x.alpha.x", "unet.x.lora_B.bias", "lora_down.weight", ".lora_A.weight", "x", ""]
)
def test_what_is_no_part_of_a_layer(name: str) -> None:
    assert lora_names.read(name) is None
