"""The shipped settings of single files: as large as the published models, and CLIP's own tokens."""

from __future__ import annotations

import pytest
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel

from otterbot_worker.models import configs

PUBLISHED = {
    # https://huggingface.co's own listings of the models' parameters
    ("sd1", "unet"): 859_520_964,
    ("sd1", "vae"): 83_653_863,
    ("sd1", "text_encoder"): 123_060_480,
    ("sd2", "unet"): 865_910_724,
    ("sd2", "text_encoder"): 340_387_840,
    ("sd2-base", "unet"): 865_910_724,
    ("sdxl", "unet"): 2_567_463_684,
    ("sdxl", "vae"): 83_653_863,
    ("sdxl", "text_encoder"): 123_060_480,
    ("sdxl", "text_encoder_2"): 694_659_840,
    ("sdxl-refiner", "unet"): 2_259_526_660,
    ("sdxl-refiner", "text_encoder_2"): 694_659_840,
}


def on_meta(config: str, part: str) -> torch.nn.Module:
    """A part in full size that takes no memory."""
    settings = configs.part(config, part)
    with torch.device("meta"):
        if part == "unet":
            return UNet2DConditionModel.from_config(settings)
        if part == "vae":
            return AutoencoderKL.from_config(settings)
        cls = getattr(transformers, settings["architectures"][0])
        return cls(transformers.CLIPTextConfig.from_dict(settings))  # type: ignore[no-any-return]


@pytest.mark.parametrize(("config", "part"), PUBLISHED)
def test_as_large_as_the_published_models(config: str, part: str) -> None:
    assert sum(parameter.numel() for parameter in on_meta(config, part).parameters()) == PUBLISHED[config, part]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("a photo of an astronaut riding a horse on mars", [320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496]),
    ],
)
def test_words_become_clips_own_tokens(text: str, tokens: list[int]) -> None:
    words = configs.clip()
    assert len(words.tokens) == 49_408
    tokenizer = transformers.CLIPTokenizer(vocab=dict(words.tokens), merges=words.merges)
    assert tokenizer(text).input_ids == [49_406, *tokens, 49_407]
