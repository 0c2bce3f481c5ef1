"""Tensors that change what others mean are read for what they are, or the file is refused by name."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import pytest
from hollow_models import SD1, UNET

from otterbot_worker.models import checkpoint_probe, controlnets
from otterbot_worker.models.loras import Library

Tensors = dict[str, tuple[str, tuple[int, ...]]]
LAYER = f"{UNET}input_blocks.4.1.proj_in"
BYTES = {"F32": 4, "F16": 2}
MODEL: Tensors = {name: ("F16", shape) for name, shape in SD1.items()}


def write(path: Path, tensors: Tensors, **metadata: str) -> Path:
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, (kind, shape) in tensors.items():
        size = BYTES.get(kind, 1) * math.prod(shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    with path.open("r+b") as file:
        file.truncate(8 + len(raw) + end)
    return path


def layer(kind: str = "F8_E4M3", **beside: tuple[str, tuple[int, ...]]) -> Tensors:
    return {**MODEL, f"{LAYER}.weight": (kind, (8, 4)), **{f"{LAYER}.{end}": one for end, one in beside.items()}}


@pytest.mark.parametrize(
    "tensors",
    [
        {**layer(scale_weight=("F32", ())), "scaled_fp8": ("F8_E4M3", (2,))},
        layer(scale_weight=("F32", (1,)), scale_input=("F32", ())),
        layer(weight_scale=("F32", (8, 1)), input_scale=("F32", ())),
        layer("F8_E5M2", weight_scale=("F32", ()), comfy_quant=("U8", (27,))),
        layer("F16", scale_weight=("F32", ())),
        layer(bias=("F16", (8,))),
    ],
)
def test_scales_that_are_multiplied(tmp_path: Path, tensors: Tensors) -> None:
    assert checkpoint_probe.look(write(tmp_path / "a.safetensors", tensors)).problem is None


REFUSED: list[tuple[Tensors, str]] = [
    (layer("U8", weight_scale=("F8_E4M3", (8, 1)), weight_scale_2=("F32", ())), "is quantised as NVFP4, "),
    (layer("U8", weight_scale=("F8_E4M3", (8, 1)), comfy_quant=("U8", (20,))), "is quantised as NVFP4, "),
    (layer("I8", weight_scale=("F32", (8, 1))), "is quantised as scaled I8, "),
    (layer("U8", comfy_quant=("U8", (20,))), "is quantised as a form of ComfyUI's in U8, "),
    (layer(comfy_quant=("U8", (20,))), "is quantised as a form of ComfyUI's without scales, "),
    (layer(weight_scale=("F8_E8M0", (8, 2))), "is quantised as weights scaled in blocks (as MXFP8), "),
    (layer(weight_scale_inv=("F32", (1, 1))), "is quantised as FP8 in blocks, "),
    ({**layer("U8"), f"{LAYER}.weight.absmax": ("F32", (4,))}, "is quantised as bitsandbytes, "),
    ({**layer("U8"), f"{LAYER}.weight.quant_state.bitsandbytes__nf4": ("U8", (9,))}, "is quantised as bitsandbytes, "),
    ({**layer(), f"{LAYER}.weight.one.more": ("U8", (9,))}, "holds a tensor of unknown meaning within another's name"),
    (layer("I8", SCB=("F32", (8,))), "is quantised as bitsandbytes, "),
    (layer("I8"), "is quantised as whole numbers without scales (I8), "),
    (
        {**MODEL, f"{LAYER}.weight._data": ("I8", (8, 4)), f"{LAYER}.weight._scale": ("F16", (8, 1))},
        "is quantised as quanto, ",
    ),
    ({**MODEL, f"{LAYER}.W_q": ("U8", (4, 4)), f"{LAYER}.meta": ("U8", (9,))}, "is quantised as HQQ, "),
    (
        {**MODEL, f"{LAYER}._weight_qdata": ("I8", (8, 4)), f"{LAYER}._weight_scale": ("F32", (8, 1))},
        "is quantised as torchao, ",
    ),
    ({**MODEL, f"{LAYER}.qweight": ("I32", (0,)), f"{LAYER}.scales": ("F16", (1,))}, "is quantised as GPTQ or AWQ, "),
    (layer(zero_point=("F16", (8,))), "holds a tensor of unknown meaning beside a weight (`zero_point`)"),
    ({**MODEL, f"{LAYER}.scale_weight": ("F32", ())}, "holds a scale without its weight (`scale_weight`)"),
]


@pytest.mark.parametrize(("tensors", "said"), REFUSED)
def test_what_else_changes_weights_is_named(tmp_path: Path, tensors: Tensors, said: str) -> None:
    problem = checkpoint_probe.look(write(tmp_path / "a.safetensors", tensors)).problem or ""
    assert problem.startswith(said)
    assert checkpoint_probe.transformer_problem(tmp_path / "a.safetensors") == problem, "a transformer is read alike"


@pytest.mark.parametrize(("form", "said"), [("float8_e4m3fn", None), ("nvfp4", "is quantised as nvfp4, ")])
def test_what_the_header_alone_says(tmp_path: Path, form: str, said: str | None) -> None:
    about = json.dumps({"format_version": "1.0", "layers": {LAYER: {"format": form}}})
    file = write(tmp_path / "a.safetensors", layer(weight_scale=("F32", ())), _quantization_metadata=about)
    assert (checkpoint_probe.look(file).problem or "").startswith(said or "")
    assert (checkpoint_probe.look(file).problem is None) == (said is None)


def test_numbers_of_a_kind_that_nobody_here_reads(tmp_path: Path) -> None:
    file = write(tmp_path / "a.safetensors", layer("F4"))
    assert checkpoint_probe.look(file).problem == "holds numbers of a kind that cannot be read here (F4)"


def test_a_difference_is_no_controlnet(tmp_path: Path) -> None:
    net: Tensors = {
        "difference": ("F16", (0,)),
        "control_model.input_hint_block.0.weight": ("F16", (16, 3, 3, 3)),
        "control_model.middle_block_out.0.weight": ("F16", (8, 8, 1, 1)),
    }
    write(tmp_path / "controlnets" / "diff.safetensors", net)
    found = controlnets.ControlNets(tmp_path).find("diff")
    assert found is not None
    assert found.problem == (
        "holds only the difference to another model, as old ControlNets may, and cannot be drawn with by itself"
    )


def test_a_lora_with_scales(tmp_path: Path) -> None:
    stem = "lora_unet_mid_block_attentions_0_proj_in"
    halves: Tensors = {f"{stem}.lora_down.weight": ("F8_E4M3", (4, 8)), f"{stem}.lora_up.weight": ("F8_E4M3", (8, 4))}
    write(tmp_path / "loras" / "a.safetensors", {**halves, f"{stem}.lora_up.weight_scale": ("F32", ())})
    assert Library(tmp_path).all("lora")["a"].problem == "holds a scale for its weights, which is not read in LoRAs"
