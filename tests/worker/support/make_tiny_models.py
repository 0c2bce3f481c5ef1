# mypy: disallow-untyped-calls=False
"""Makes models with random weights: ``python make_tiny_models.py DIRECTORY [NAME…]``, all of them if none is named.

``otter-noise`` is an SDXL, ``noise-canny`` a ControlNet for it, made after it, ``tiny-refiner`` its refiner,
``tiny-sd`` an SD 1.5, ``captioner`` a Florence-2, the others what their names say. Needs the worker's libraries, not
the worker.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    gc.disable()  # half of its time would go into looking through the libraries again and again
os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"

import diffusers
import random_sdxl
import tiny_controlnets
import tiny_florence
import tiny_transformers
import torch
import transformers
from diffusers import PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

for library in (diffusers, transformers):
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()


def make_sd(folder: Path, scratch: Path) -> None:
    random_sdxl.write_tokenizer(scratch)
    tokenizer = random_sdxl.tokenizer(scratch, pad="<|endoftext|>")
    torch.manual_seed(0)
    pipe: Any = StableDiffusionPipeline(
        tokenizer=tokenizer,
        text_encoder=CLIPTextModel(random_sdxl.text_config(len(tokenizer), hidden=32, layers=2)).eval(),
        unet=UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(32, 64),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=32,
            attention_head_dim=8,
        ),
        vae=random_sdxl.tiny_vae(32, 32, 32, 32),
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
    pipe.save_pretrained(folder, safe_serialization=True)


def make_control(folder: Path, _scratch: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(folder.with_name("otter-noise") / "unet", local_files_only=True)
    tiny_controlnets.save_folder(tiny_controlnets.make(unet), folder)


MAKERS = {
    "otter-noise": random_sdxl.make,
    "noise-canny": make_control,
    "tiny-sd": make_sd,
    "tiny-refiner": tiny_transformers.make_refiner,
    "tiny-sd3": tiny_transformers.make_sd3,
    "tiny-zimage": tiny_transformers.make_zimage,
    "tiny-klein": tiny_transformers.make_klein,
    "captioner": tiny_florence.make,
}

if __name__ == "__main__":
    directory, *names = sys.argv[1:]
    for name in names or MAKERS:
        with tempfile.TemporaryDirectory() as scratch:
            MAKERS[name](Path(directory) / name, Path(scratch))
