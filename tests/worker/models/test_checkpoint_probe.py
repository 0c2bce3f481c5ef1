"""What a single file holds is told from its header."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hollow_models import BOTH, CLIP, DEEP, SD1, SD2, SDXL, UNET, VAE, Shapes, unet, write

from otterbot_worker.models import checkpoint_probe
from otterbot_worker.models.checkpoint_probe import Found


@pytest.mark.parametrize(
    ("name", "shapes", "metadata", "config"),
    [
        ("a", SD1, {}, "sd1"),
        ("a", SDXL, {}, "sdxl"),
        ("a", SD2, {}, "sd2"),
        ("v2-1_512-ema-pruned", SD2, {}, "sd2-base"),
        ("512-base-ema", SD2, {}, "sd2-base"),
        ("768-v-ema", SD2, {}, "sd2"),
        ("base768", SD2, {}, "sd2"),
        ("512", SD2, {"modelspec.architecture": "stable-diffusion-v2-768-v"}, "sd2"),
        ("768", SD2, {"modelspec.architecture": "stable-diffusion-v2-512"}, "sd2-base"),
        ("512", SD2, {"modelspec.prediction_type": "v"}, "sd2"),
        ("768", SD2, {"modelspec.prediction_type": "epsilon"}, "sd2-base"),
    ],
)
def test_kinds(tmp_path: Path, name: str, shapes: Shapes, metadata: dict[str, str], config: str) -> None:
    found = checkpoint_probe.look(write(tmp_path / f"{name}.safetensors", shapes, metadata))
    assert (found.config, found.problem) == (config, None)


def test_what_a_file_says_of_its_noise(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    assert checkpoint_probe.look(write(file, SDXL)) == Found(config="sdxl")
    found = checkpoint_probe.look(write(file, {**SDXL, "v_pred": (0,), "ztsnr": (0,)}))
    assert found.scheduler == {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}
    assert checkpoint_probe.look(write(file, SDXL, {"modelspec.prediction_type": "v"})).scheduler == {
        "prediction_type": "v_prediction"
    }
    trained = {"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}
    assert checkpoint_probe.look(write(file, SDXL, trained)).scheduler == found.scheduler


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({**unet(768), **CLIP}, "no decoder (VAE)"),
        ({**unet(768), **VAE}, "no text encoder"),
        ({**SDXL, **VAE, **dict.fromkeys(BOTH, (1,))}, None),
        ({**unet(2048), **DEEP, **VAE, **dict(list(BOTH.items())[:1])}, "no second text encoder"),
        (unet(768), "no decoder"),
        ({**unet(1280), **VAE, **BOTH}, "SDXL's refiner"),
        ({**unet(768, 9), **VAE, **CLIP}, "for inpainting alone"),
        ({**unet(768, 8), **VAE, **CLIP}, "for another task (its U-Net takes 8 channels, not 4)"),
        ({**SD2, f"{UNET}label_emb.0.0.weight": (1280, 2048)}, "takes more than a prompt: label_emb"),
        ({**SDXL, f"{UNET}label_emb.0.0.weight": (1280, 2816)}, None),
        ({**SD1, f"{UNET}position_net.linears.0.weight": (512, 900)}, "takes more than a prompt: position_net"),
        ({**SD1, f"{UNET}time_embed.cond_proj.weight": (320, 256)}, "takes more than a prompt: cond_proj"),
        ({**unet(2048), **VAE, **BOTH}, "SDXL that was made smaller"),
        ({**SDXL, "edm_mean": (4,)}, "(EDM)"),
        ({**unet(640), **VAE, **CLIP}, "only Stable Diffusion 1, 2 and SDXL"),
        ({f"{UNET}joint_blocks.0.x_block.mlp.fc1.weight": (4, 4)}, "is a transformer"),
        ({"double_blocks.0.img_attn.norm.key_norm.scale": (4,)}, "is a transformer"),
        ({"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": (4, 4)}, "is a LoRA"),
        ({"emb_params": (2, 768)}, "is an embedding"),
        ({"clip_l": (2, 768), "clip_g": (2, 1280)}, "is an embedding"),
        ({"control_model.input_blocks.0.0.weight": (320, 4, 3, 3)}, "is a ControlNet"),
        ({"controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3)}, "is a ControlNet"),
        ({"input_blocks.0.0.weight": (320, 4, 3, 3)}, "is a U-Net alone"),
        ({"down_blocks.0.resnets.0.conv1.weight": (320, 320, 3, 3)}, "is a U-Net alone"),
        (VAE, "is a decoder (VAE) alone"),
        (
            {"decoder.conv_in.weight": (512, 4, 3, 3)},
            "is a decoder (VAE) alone",
        ),
        ({"text_model.embeddings.position_embedding.weight": (77, 768)}, "is a text encoder alone"),
        ({"model.layers.0.mlp.weight": (4, 4), "lm_head.weight": (4, 4)}, "holds no image model"),
        ({}, "holds no weights"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, shapes: Shapes, said: str | None) -> None:
    found = checkpoint_probe.look(write(tmp_path / "a.safetensors", shapes))
    assert (found.config is None) == (said is not None)
    assert (said or "") in (found.problem or "")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.safetensors", b"These are words, and no model.", "is no safetensors file"),
        ("a.safetensors", b"", "is cut off"),
        ("a.ckpt", b"These are words, and no model.", "is no checkpoint"),
        ("a.ckpt", b"PK\x03\x04 and nothing more", "is cut off or no checkpoint"),
        ("a.gguf", b"These are words, and no model.", "is no GGUF file"),
    ],
)
def test_files_that_are_broken(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert checkpoint_probe.look(tmp_path / name) == Found(problem=said)


def test_a_file_that_is_cut_off(tmp_path: Path) -> None:
    file = write(tmp_path / "a.safetensors", SD1)
    os.truncate(file, file.stat().st_size - 1)
    assert checkpoint_probe.look(file) == Found(problem="is cut off")
    assert checkpoint_probe.look(tmp_path / "none.safetensors") == Found(problem="cannot be read")


def test_a_family_that_is_not_the_entrys() -> None:
    assert checkpoint_probe.family_problem("sd2", "sd") is None
    assert checkpoint_probe.family_problem("sdxl", "sdxl") is None
    assert checkpoint_probe.family_problem("sd1", "sdxl") == "is made for Stable Diffusion 1 and 2, not for SDXL"
    problem = checkpoint_probe.family_problem("sdxl-refiner", "sdxl")
    assert problem == "is made for no family that Otterbot knows, not for SDXL"
