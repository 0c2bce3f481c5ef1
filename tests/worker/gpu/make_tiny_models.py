# mypy: disallow-untyped-calls=False
"""Makes otter-noise and a small random SD 1.5: ``python make_tiny_models.py DIRECTORY``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"

import diffusers
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from otterbot_worker.models import testmodel

diffusers.utils.logging.disable_progress_bar()


def make_sd(directory: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        testmodel.write_tokenizer(Path(scratch))
        tokenizer = testmodel.tokenizer(Path(scratch), pad="<|endoftext|>")
        torch.manual_seed(0)
        pipe: Any = StableDiffusionPipeline(
            tokenizer=tokenizer,
            text_encoder=CLIPTextModel(testmodel.text_config(len(tokenizer), hidden=32, layers=2)).eval(),
            unet=UNet2DConditionModel(
                sample_size=8,
                block_out_channels=(32, 64),
                layers_per_block=1,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                cross_attention_dim=32,
                attention_head_dim=8,
            ),
            vae=testmodel.tiny_vae(32, 32, 32, 32),
            scheduler=PNDMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                num_train_timesteps=1000,
                skip_prk_steps=True,
                steps_offset=1,
                set_alpha_to_one=False,
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipe.save_pretrained(directory, safe_serialization=True)


if __name__ == "__main__":
    testmodel.make(Path(sys.argv[1]) / "otter-noise")
    make_sd(Path(sys.argv[1]) / "tiny-sd")
