# mypy: disallow-untyped-calls=False
"""Small random pipelines of the families that have a transformer in the place of a U-Net, and SDXL's refiner.

Their tokenizers are made here too: bytes, and a few merges.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import random_sdxl
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLImg2ImgPipeline,
    UNet2DConditionModel,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPTextModelWithProjection,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if not enable_thinking %}<think></think>\n{% endif %}"
    "{% endif %}"
)


def language_tokenizer() -> Any:
    """Every byte a token, as Qwen's has them, with a form for chats."""
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    vocabulary = {token: number for number, token in enumerate([*random_sdxl.byte_symbols(), *specials])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(specials)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token=specials[0], eos_token=specials[2], model_max_length=1024, chat_template=CHAT
    )


def t5_tokenizer() -> Any:
    """Every byte a token, and a mark of the end behind."""
    tokens = ["<pad>", "</s>", "<unk>", *random_sdxl.byte_symbols()]
    made = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=512
    )


def _vae(channels: int, **settings: Any) -> Any:
    return AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        layers_per_block=1,
        sample_size=64,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=True,
        **settings,
    ).eval()


def _qwen(cls: Any, layers: int) -> Any:
    """With its first and last layer one, as published."""
    config = Qwen3Config(
        vocab_size=272,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    return cls(config).eval()


def _flow(**settings: Any) -> Any:
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0, **settings)


def make_sd3(folder: Path, scratch: Path) -> None:
    random_sdxl.write_tokenizer(scratch)
    first, second = (random_sdxl.tokenizer(scratch, pad=pad) for pad in ("<|endoftext|>", "!"))
    torch.manual_seed(3)
    t5 = T5Config(
        vocab_size=272, d_model=64, d_kv=8, d_ff=64, num_layers=2, num_heads=4, is_encoder_decoder=False, eos_token_id=1
    )
    StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=16,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=64,
            caption_projection_dim=32,
            pooled_projection_dim=48,
            out_channels=16,
            pos_embed_max_size=24,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ).eval(),
        vae=_vae(16, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=CLIPTextModelWithProjection(random_sdxl.text_config(len(first), hidden=16, layers=3)).eval(),
        tokenizer=first,
        text_encoder_2=CLIPTextModelWithProjection(random_sdxl.text_config(len(second), hidden=32, layers=3)).eval(),
        tokenizer_2=second,
        text_encoder_3=T5EncoderModel(t5).eval(),
        tokenizer_3=t5_tokenizer(),
        scheduler=_flow(),
    ).save_pretrained(folder, safe_serialization=True)


def make_zimage(folder: Path, _scratch: Path) -> None:
    torch.manual_seed(4)
    ZImagePipeline(
        transformer=ZImageTransformer2DModel(
            in_channels=16,
            dim=32,
            n_layers=2,
            n_refiner_layers=1,
            n_heads=2,
            n_kv_heads=2,
            cap_feat_dim=16,
            axes_dims=[8, 4, 4],
            axes_lens=[1024, 64, 64],
        ).eval(),
        vae=_vae(16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_qwen(Qwen3Model, 3),
        tokenizer=language_tokenizer(),
        scheduler=_flow(),
    ).save_pretrained(folder, safe_serialization=True)


def make_klein(folder: Path, _scratch: Path) -> None:
    torch.manual_seed(5)
    vae = AutoencoderKLFlux2(
        block_out_channels=(32, 32, 32, 32),
        layers_per_block=1,
        latent_channels=4,
        sample_size=64,
    ).eval()
    vae.bn.running_mean.uniform_(-0.5, 0.5)
    vae.bn.running_var.uniform_(0.5, 2.0)
    Flux2KleinPipeline(
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            timestep_guidance_channels=32,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ).eval(),
        vae=vae,
        text_encoder=_qwen(Qwen3ForCausalLM, 28),  # the pipeline reads layers 9, 18 and 27
        tokenizer=language_tokenizer(),
        scheduler=_flow(use_dynamic_shifting=True),
        is_distilled=True,
    ).save_pretrained(folder, safe_serialization=True)


def make_refiner(folder: Path, scratch: Path) -> None:
    """For ``otter-noise``: its second text encoder is 64 wide."""
    random_sdxl.write_tokenizer(scratch)
    tokenizer = random_sdxl.tokenizer(scratch, pad="!")
    torch.manual_seed(6)
    StableDiffusionXLImg2ImgPipeline(
        vae=random_sdxl.tiny_vae(32, 32, 64, 64).eval(),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=CLIPTextModelWithProjection(random_sdxl.text_config(len(tokenizer), hidden=64, layers=3)).eval(),
        tokenizer_2=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=32,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 1),
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=64 + 8 * 5,
            cross_attention_dim=64,
        ).eval(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    ).save_pretrained(folder, safe_serialization=True)
