"""The names that published files of transformers have, made of diffusers' own."""

from __future__ import annotations

import torch

Weights = dict[str, torch.Tensor]


def published_zimage(weights: Weights) -> Weights:
    """The names of Z-Image's own program, which quantised files have."""
    named: Weights = {}
    for name, tensor in weights.items():
        if ".to_k." in name or ".to_v." in name:
            continue
        if ".to_q." in name:
            tensor = torch.cat([weights[name.replace("to_q", f"to_{letter}")] for letter in "qkv"])
        for ours, theirs in (
            ("all_final_layer.2-1.", "final_layer."),
            ("all_x_embedder.2-1.", "x_embedder."),
            (".attention.to_out.0.", ".attention.out."),
            (".attention.norm_k.", ".attention.k_norm."),
            (".attention.norm_q.", ".attention.q_norm."),
            (".attention.to_q.", ".attention.qkv."),
        ):
            name = name.replace(ours, theirs)
        named[name] = tensor
    return named


def published_klein(weights: Weights) -> Weights:
    """The names of FLUX.2's own program."""
    named: Weights = {}
    double = {
        "attn.norm_q.weight": "img_attn.norm.query_norm.scale",
        "attn.norm_k.weight": "img_attn.norm.key_norm.scale",
        "attn.norm_added_q.weight": "txt_attn.norm.query_norm.scale",
        "attn.norm_added_k.weight": "txt_attn.norm.key_norm.scale",
        "attn.to_out.0.weight": "img_attn.proj.weight",
        "attn.to_add_out.weight": "txt_attn.proj.weight",
        "attn.to_q.weight": "img_attn.qkv.weight",
        "attn.add_q_proj.weight": "txt_attn.qkv.weight",
        "ff.linear_in.weight": "img_mlp.0.weight",
        "ff.linear_out.weight": "img_mlp.2.weight",
        "ff_context.linear_in.weight": "txt_mlp.0.weight",
        "ff_context.linear_out.weight": "txt_mlp.2.weight",
    }
    single = {
        "attn.to_qkv_mlp_proj.weight": "linear1.weight",
        "attn.to_out.weight": "linear2.weight",
        "attn.norm_q.weight": "norm.query_norm.scale",
        "attn.norm_k.weight": "norm.key_norm.scale",
    }
    head = {
        "x_embedder": "img_in",
        "context_embedder": "txt_in",
        "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
        "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
        "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
        "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
        "single_stream_modulation.linear": "single_stream_modulation.lin",
        "proj_out": "final_layer.linear",
    }
    for name, tensor in weights.items():
        block, _, rest = name.partition(".")
        number, _, inner = rest.partition(".")
        if inner.endswith(("to_k.weight", "to_v.weight", "add_k_proj.weight", "add_v_proj.weight")):
            continue
        if inner in ("attn.to_q.weight", "attn.add_q_proj.weight") and block == "transformer_blocks":
            joined = [weights[name.replace("_q", f"_{letter}")] for letter in "qkv"]
            tensor = torch.cat(joined)
        if block == "transformer_blocks":
            named[f"double_blocks.{number}.{double[inner]}"] = tensor
        elif block == "single_transformer_blocks":
            named[f"single_blocks.{number}.{single[inner]}"] = tensor
        elif name == "norm_out.linear.weight":
            scale, shift = tensor.chunk(2)
            named["final_layer.adaLN_modulation.1.weight"] = torch.cat([shift, scale])
        else:
            stem, _, end = name.rpartition(".")
            named[f"{head[stem]}.{end}"] = tensor
    return named
