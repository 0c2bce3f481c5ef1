# mypy: disallow-untyped-calls=False
"""Small models in the layout of single files: the settings that ship with the worker, shrunk, with random weights.

``make`` writes the same model twice, as a folder of diffusers' and as a dict with the names that single files have.
The names are spelled here a second time, from the program that trained Stable Diffusion.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from otterbot_worker.models import configs

_TEXT = {"intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
_VAE = {"block_out_channels": [32, 32, 32, 32], "layers_per_block": 1}
_FOUR = {"block_out_channels": [32, 32, 64, 64], "layers_per_block": 1, "cross_attention_dim": 32}
SMALLER: dict[str, dict[str, dict[str, Any]]] = {
    "sd1": {"unet": _FOUR, "vae": _VAE, "text_encoder": {**_TEXT, "hidden_size": 32}},
    "sd2": {
        "unet": {**_FOUR, "attention_head_dim": [2, 2, 4, 4]},
        "vae": _VAE,
        "text_encoder": {**_TEXT, "hidden_size": 32},
    },
    "sdxl": {
        "unet": {
            "block_out_channels": [32, 64, 64],
            "layers_per_block": 1,
            "cross_attention_dim": 96,
            "attention_head_dim": [2, 4, 4],
            "transformer_layers_per_block": [1, 1, 2],
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 64 + 6 * 8,
        },
        "vae": _VAE,
        "text_encoder": {**_TEXT, "hidden_size": 32, "projection_dim": 32},
        "text_encoder_2": {**_TEXT, "hidden_size": 64, "projection_dim": 64},
    },
}


def shrink(kind: str, folder: Path) -> None:
    """The settings of that kind in small."""
    shutil.copytree(configs.folder(kind), folder)
    for part, changes in SMALLER[kind].items():
        path = folder / part / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def build(config: Path) -> Any:
    """A pipeline with random weights."""
    torch.manual_seed(5)
    index = json.loads((config / "model_index.json").read_text())
    parts: dict[str, Any] = {name: value for name, value in index.items() if isinstance(value, bool)}
    words = configs.clip()
    for name in [name for name, value in index.items() if isinstance(value, list) and value[0] is not None]:
        library, cls = {"diffusers": diffusers, "transformers": transformers}[index[name][0]], index[name][1]
        if name.startswith("tokenizer"):
            special = json.loads((config / name / "tokenizer_config.json").read_text())
            parts[name] = transformers.CLIPTokenizer(vocab=dict(words.tokens), merges=list(words.merges), **special)
        elif name.startswith("text_encoder"):
            settings = transformers.CLIPTextConfig(**json.loads((config / name / "config.json").read_text()))
            parts[name] = getattr(library, cls)(settings).eval()
        else:
            parts[name] = getattr(library, cls).from_config(getattr(library, cls).load_config(config, subfolder=name))
    if index["_class_name"] == "StableDiffusionPipeline":
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return getattr(diffusers, index["_class_name"])(**parts)


def make(kind: str, root: Path) -> dict[str, torch.Tensor]:
    """``root``/config and ``root``/folder; what a single file would hold."""
    shrink(kind, root / "config")
    pipe = build(root / "config")
    pipe.save_pretrained(root / "folder", safe_serialization=True)
    # As published: saved ones hold every default, which other samplers then take for a wish.
    shutil.copytree(root / "config" / "scheduler", root / "folder" / "scheduler", dirs_exist_ok=True)
    return {name: tensor.clone().contiguous() for name, tensor in tensors(pipe).items()}


def tensors(pipe: Any) -> dict[str, torch.Tensor]:
    found = {f"model.diffusion_model.{name}": tensor for name, tensor in _unet(pipe.unet).items()}
    found |= {f"first_stage_model.{name}": tensor for name, tensor in _vae(pipe.vae).items()}
    second = getattr(pipe, "text_encoder_2", None)
    if second is not None:
        found |= _clip(pipe.text_encoder, "conditioner.embedders.0.transformer.")
        found |= _open_clip(second, "conditioner.embedders.1.model.")
    elif pipe.text_encoder.config.hidden_act == "quick_gelu":
        found |= _clip(pipe.text_encoder, "cond_stage_model.transformer.")
    else:
        found |= _open_clip(pipe.text_encoder, "cond_stage_model.model.")
    return found


# ---------------------------------------------------------------- names

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_HEAD = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def _unet(unet: Any) -> dict[str, torch.Tensor]:
    layers = unet.config.layers_per_block
    named = {}
    for name, tensor in unet.state_dict().items():
        stem, _, end = name.rpartition(".")
        if stem in _HEAD:
            named[f"{_HEAD[stem]}.{end}"] = tensor
            continue
        kind, *rest = name.split(".")
        block = int(rest.pop(0)) if kind != "mid_block" else 0
        part, number, inner = rest[0], int(rest[1]), ".".join(rest[2:])
        if part == "resnets":
            head, _, tail = inner.partition(".")
            inner = f"{_RESNET[head]}.{tail}"
        if kind == "mid_block":
            place = f"middle_block.{1 if part == 'attentions' else 2 * number}"
        elif part == "downsamplers":
            place, inner = f"input_blocks.{(block + 1) * (layers + 1)}.0", inner.replace("conv", "op")
        elif part == "upsamplers":
            after = 2 if hasattr(unet.up_blocks[block], "attentions") else 1
            place = f"output_blocks.{block * (layers + 1) + layers}.{after}"
        else:
            first = "input_blocks" if kind == "down_blocks" else "output_blocks"
            index = block * (layers + 1) + number + (kind == "down_blocks")
            place = f"{first}.{index}.{int(part == 'attentions')}"
        named[f"{place}.{inner}"] = tensor
    return named


def _vae(vae: Any) -> dict[str, torch.Tensor]:
    last = len(vae.config.block_out_channels) - 1
    named = {}
    for name, tensor in vae.state_dict().items():
        parts = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut").split(".")
        if parts[1] in ("down_blocks", "up_blocks"):
            half, kind, block, layer, number, *inner = parts
            if kind == "up_blocks":
                block = str(last - int(block))
            place = f"block.{number}" if layer == "resnets" else layer.removesuffix("rs")
            parts = [half, kind.removesuffix("_blocks"), block, place, *inner]
        elif parts[1] == "mid_block" and parts[2] == "resnets":
            parts = [parts[0], "mid", f"block_{int(parts[3]) + 1}", *parts[4:]]
        elif parts[1] == "mid_block":
            inner_name, _, end = ".".join(parts[4:]).rpartition(".")
            parts = [parts[0], "mid", "attn_1", _ATTENTION[inner_name], end]
            if tensor.ndim == 2:
                tensor = tensor[:, :, None, None]
        named[".".join(parts)] = tensor
    return named


def _words(model: Any) -> dict[str, torch.Tensor]:
    """transformers has dropped a step of the names where there is no projection."""
    names = model.state_dict().items()
    return {name if name.startswith("text_") else f"text_model.{name}": tensor for name, tensor in names}


def _clip(model: Any, prefix: str) -> dict[str, torch.Tensor]:
    return {prefix + name: tensor for name, tensor in _words(model).items()}


def _open_clip(model: Any, prefix: str) -> dict[str, torch.Tensor]:
    named, words = {}, _words(model)
    for name, tensor in words.items():
        if name == "text_projection.weight":
            named["text_projection"] = tensor.T
        elif name.startswith("text_model.embeddings.position_embedding"):
            named["positional_embedding"] = tensor
        elif name.startswith("text_model.embeddings.token_embedding"):
            named["token_embedding.weight"] = tensor
        elif name.startswith("text_model.final_layer_norm."):
            named["ln_final." + name.rpartition(".")[2]] = tensor
        elif ".k_proj." not in name and ".v_proj." not in name:
            place = name.replace("text_model.encoder.layers.", "transformer.resblocks.").replace("self_attn", "attn")
            for old, new in (("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("fc1", "c_fc"), ("fc2", "c_proj")):
                place = place.replace(old, new)
            if ".q_proj." in name:
                place = place.replace("q_proj.", "in_proj_")
                tensor = torch.cat([words[name.replace("q_proj", f"{letter}_proj")] for letter in "qkv"])
            named[place] = tensor
    return {prefix + name: tensor for name, tensor in named.items()}
