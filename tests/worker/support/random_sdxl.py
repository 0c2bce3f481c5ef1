# mypy: disallow-untyped-calls=False
"""A real SDXL pipeline with small random weights: everything about it is real but the picture, which is noise.

The same weights come out every time. Its parts serve other families' random models too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

WORDS = (
    "otter cowboy hat cat dog ball forest playing a the in with photo of red blue castle ocean man woman portrait "
    "painting watercolor pixel art drawing masterpiece best quality low worst blurry ugly text watermark"
)
"""What the tokenizer knows as whole words; everything else is spelled in bytes."""


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes: with them the tokenizer can take any text."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in printable]
    symbols = {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(rest)}
    return [symbols[byte] for byte in range(256)]


def write_tokenizer(folder: Path) -> None:
    """CLIP's format: every byte, every byte at a word's end, merges for a few words, two specials."""
    symbols = byte_symbols()
    vocabulary = dict.fromkeys([*symbols, *(symbol + "</w>" for symbol in symbols)])
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS.split():
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merges[(parts[0], parts[1])] = None
            parts = [parts[0] + parts[1], *parts[2:]]
            vocabulary[parts[0]] = None
    tokens = [*vocabulary, "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    ids = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def tokenizer(folder: Path, *, pad: str) -> Any:
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(folder, model_max_length=77, pad_token=pad, local_files_only=True)


def text_config(tokens: int, *, hidden: int, layers: int) -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=1,
        hidden_size=hidden,
        projection_dim=hidden,
        intermediate_size=hidden * 2,
        num_attention_heads=4,
        num_hidden_layers=layers,
        vocab_size=tokens,
        max_position_embeddings=77,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
    )


def tiny_vae(*channels: int) -> Any:
    """Four blocks, so that a latent is the real eighth of a picture's side."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
        sample_size=256,
        scaling_factor=0.13025,
    )


def _unet(cross_attention: int, pooled: int) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=32,
        block_out_channels=(32, 64, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 1, 1),
        attention_head_dim=(2, 4, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=pooled + 8 * 6,
        cross_attention_dim=cross_attention,
    )


def _give_contrast(vae: Any) -> None:
    """Random decoders give an even grey. Scale the last layer, so that the noise has colours."""
    import torch

    with torch.no_grad():
        latents = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)) / vae.config.scaling_factor
        image = vae.decode(latents, return_dict=False)[0]
        mean, spread = image.mean(dim=(0, 2, 3)), image.std(dim=(0, 2, 3))
        vae.decoder.conv_out.weight.mul_((0.5 / spread).view(-1, 1, 1, 1))
        vae.decoder.conv_out.bias.sub_(mean).mul_(0.5 / spread)


def make(folder: Path, scratch: Path) -> None:
    """Write the model to ``folder``; ``scratch`` is for the tokenizers' files."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    write_tokenizer(scratch)
    first, second = tokenizer(scratch, pad="<|endoftext|>"), tokenizer(scratch, pad="!")
    torch.manual_seed(20240121)
    # Encoders of different sizes: pipelines tell them apart by that.
    parts = {
        "text_encoder": CLIPTextModel(text_config(len(first), hidden=32, layers=3)).eval(),
        "text_encoder_2": CLIPTextModelWithProjection(text_config(len(second), hidden=64, layers=3)).eval(),
        "unet": _unet(cross_attention=96, pooled=64).eval(),
        "vae": tiny_vae(32, 32, 64, 64).eval(),
    }
    _give_contrast(parts["vae"])
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        num_train_timesteps=1000,
        timestep_spacing="leading",
        steps_offset=1,
    )
    pipe = StableDiffusionXLPipeline(
        **parts, tokenizer=first, tokenizer_2=second, scheduler=scheduler, add_watermarker=False
    )
    pipe.save_pretrained(folder, safe_serialization=True)
