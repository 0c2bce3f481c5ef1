"""What the engine uses of diffusers without its promise is still there, and does what the engine takes it to do.

A failure here names what a new version has changed; ``images/diffusers_private.py`` is the one place to mend.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from diffusers.hooks import HookRegistry, apply_group_offloading
from diffusers.hooks.group_offloading import _get_top_level_group_offload_hook
from diffusers.loaders import single_file_utils

from otterbot_worker.families import FAMILIES
from otterbot_worker.images import diffusers_private

NAMES = {
    "diffusers.hooks.group_offloading": (
        "_GROUP_OFFLOADING",
        "_LAYER_EXECUTION_TRACKER",
        "_LAZY_PREFETCH_GROUP_OFFLOADING",
        "_maybe_remove_and_reapply_group_offloading",
    ),
    "diffusers.hooks.layerwise_casting": ("DEFAULT_SKIP_MODULES_PATTERN", "apply_layerwise_casting_hook"),
    "diffusers.loaders.single_file_model": ("SINGLE_FILE_LOADABLE_CLASSES",),
    "diffusers.loaders.single_file_utils": (
        "convert_ldm_unet_checkpoint",
        "convert_ldm_vae_checkpoint",
        "convert_open_clip_checkpoint",
        "convert_controlnet_checkpoint",
    ),
    "diffusers.quantizers.gguf.utils": ("GGUFLinear", "GGUFParameter", "dequantize_gguf_tensor"),
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_the_name_is_there(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name), f"diffusers {diffusers.__version__} has no {module}.{name}"


@pytest.mark.parametrize(
    ("convert", "arguments"),
    [
        (single_file_utils.convert_ldm_unet_checkpoint, ["checkpoint", "config"]),
        (single_file_utils.convert_ldm_vae_checkpoint, ["checkpoint", "config"]),
        (single_file_utils.convert_open_clip_checkpoint, ["text_model", "checkpoint", "prefix"]),
        (single_file_utils.convert_controlnet_checkpoint, ["checkpoint", "config"]),
    ],
)
def test_tensors_are_renamed_from_the_same_arguments(convert: Callable[..., Any], arguments: list[str]) -> None:
    assert list(inspect.signature(convert).parameters)[: len(arguments)] == arguments


@pytest.mark.parametrize("family", [name for name, family in FAMILIES.items() if family.transformer is not None])
def test_a_familys_transformer_has_rules_for_single_files(family: str) -> None:
    rules = diffusers_private.SINGLE_FILE_LOADABLE_CLASSES[FAMILIES[family].transformer]
    assert {"checkpoint", "config"} <= set(inspect.signature(rules["checkpoint_mapping_fn"]).parameters) or any(
        one.kind is one.VAR_KEYWORD for one in inspect.signature(rules["checkpoint_mapping_fn"]).parameters.values()
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_pipelines_prepare_latents_from_the_same_arguments(family: str) -> None:
    """Another name would be passed over without an error: noise of another kind, and other pictures."""
    kind = FAMILIES[family]
    begins = inspect.signature(getattr(diffusers, kind.pipeline).prepare_latents).parameters
    assert "generator" in begins, f"{kind.pipeline}.prepare_latents"
    if kind.from_picture is None:
        return
    taken = inspect.signature(getattr(diffusers, kind.from_picture).prepare_latents).parameters
    missing = {"timestep", "dtype", "device", "generator"} - set(taken)
    assert not missing, f"{kind.from_picture}.prepare_latents has no {missing}"


def test_latents_are_handed_on_by_name() -> None:
    class Pipe:
        def prepare_latents(self, image: str, timestep: int, batch: int, dtype: str, generator: str) -> None: ...

    pipe: Any = Pipe()
    diffusers_private.replace_prepare_latents(pipe, lambda **given: given)  # type: ignore[arg-type, return-value]
    found = pipe.prepare_latents("picture", 7, 1, "float16", generator="seed 1")
    assert found == {"timestep": 7, "dtype": "float16", "generator": "seed 1"}


def hooks_of(module: torch.nn.Module) -> set[str]:
    registries = (getattr(part, "_diffusers_hook", None) for part in module.modules())
    return {name for registry in registries if isinstance(registry, HookRegistry) for name in registry.hooks}


def test_offloading_is_put_on_again_and_taken_off() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Linear(4, 4))
    cpu = torch.device("cpu")
    apply_group_offloading(module, onload_device=cpu, offload_device=cpu, offload_type="leaf_level")
    assert hooks_of(module), "else this test sees nothing"
    before = _get_top_level_group_offload_hook(module)
    diffusers_private.reapply_group_offload(module)
    after = _get_top_level_group_offload_hook(module)
    assert after is not None
    assert after is not before
    diffusers_private.remove_group_offload(module)
    assert not hooks_of(module)
    diffusers_private.remove_group_offload(torch.nn.Linear(1, 1))  # without hooks there is nothing to do


def test_a_layer_is_kept_in_8_bits_and_computes_in_more() -> None:
    layer = torch.nn.Linear(4, 4)
    diffusers_private.cast_layer(layer, torch.float8_e4m3fn, torch.float32)
    assert layer.weight.dtype == torch.float8_e4m3fn
    assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float8_e4m3fn


def test_models_name_their_sensitive_layers() -> None:
    """In an attribute that is read by its name: without it, more would be kept in 8 bits, and pictures get worse."""
    assert "norm" in diffusers_private.SENSITIVE_LAYERS
    assert "norm" in diffusers_private.sensitive_layers(diffusers.UNet2DConditionModel)
    assert diffusers_private.sensitive_layers(torch.nn.Linear(1, 1)) == ()


def test_a_model_knows_its_folder(tmp_path: Path) -> None:
    made = diffusers.AutoencoderKL(block_out_channels=(32,), latent_channels=4)
    assert diffusers_private.folder_of(made) is None
    made.save_pretrained(tmp_path)
    assert diffusers_private.folder_of(diffusers.AutoencoderKL.from_pretrained(tmp_path)) == tmp_path
