# mypy: disallow-untyped-calls=False
"""Trains U-Net and text encoder together, on cached latents: from scratch, or from a finished model's weights.

The model predicts v. Latents are N×C×16×16 with standard deviation 1, prompts N×77 token numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from . import checkpoints, dataset, faces, loop
from .recipe import Diffusion as DiffusionRecipe
from .recipe import Recipe
from .scenes import COLOURED, NONE, Scene, value_of

TIME_STEPS = 1000
NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": TIME_STEPS,
    "prediction_type": "v_prediction",
}
"""As in Stable Diffusion, so that every sampler knows it."""


def new_text_encoder(recipe: DiffusionRecipe, tokens: int) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=tokens,
        bos_token_id=tokens - 2,
        eos_token_id=tokens - 1,
        pad_token_id=tokens - 1,
        hidden_size=recipe.text_width,
        projection_dim=recipe.text_width,
        intermediate_size=recipe.text_width * 4,
        num_attention_heads=recipe.text_heads,
        num_hidden_layers=recipe.text_layers,
        max_position_embeddings=77,
        hidden_act="quick_gelu",
    )
    return CLIPTextModel(config)


def new_unet(recipe: DiffusionRecipe, channels: int, side: int) -> Any:
    from diffusers import UNet2DConditionModel

    down = ["CrossAttnDownBlock2D" if reads else "DownBlock2D" for reads in recipe.attention]
    up = ["CrossAttnUpBlock2D" if reads else "UpBlock2D" for reads in reversed(recipe.attention)]
    return UNet2DConditionModel(
        sample_size=side,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.layers,
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        cross_attention_dim=recipe.text_width,
        attention_head_dim=recipe.heads,
        norm_num_groups=recipe.norm_groups,
        use_linear_projection=True,
    )


class Both(torch.nn.Module):
    """U-Net and text encoder as one module."""

    def __init__(self, recipe: DiffusionRecipe, *, tokens: int, channels: int, side: int) -> None:
        super().__init__()
        self.text_encoder = new_text_encoder(recipe, tokens)
        self.unet = new_unet(recipe, channels, side)

    def learn_fast(self) -> None:
        """Plain matrix products: on CPUs the backward pass of the fused attention takes four times as long."""
        from diffusers.models.attention_processor import AttnProcessor

        self.unet.set_attn_processor(AttnProcessor())
        self.text_encoder.set_attn_implementation("eager")

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, prompts: torch.Tensor) -> torch.Tensor:
        words = self.text_encoder(prompts).last_hidden_state
        made: torch.Tensor = self.unet(noisy, times, words, return_dict=False)[0]
        return made


def build(recipe: Recipe, tokens: int) -> Both:
    """Both models with the random weights that the seed gives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(checkpoints.number(recipe.seed, "diffusion", "start"))
        return Both(
            recipe.diffusion, tokens=tokens, channels=recipe.vae.latent_channels, side=recipe.size // recipe.vae.factor
        )


def signal_shares() -> torch.Tensor:
    """The signal's share of the variance at each of the 1000 time steps."""
    from diffusers import DDPMScheduler

    scheduler: Any = DDPMScheduler(**NOISE)
    shares: torch.Tensor = scheduler.alphas_cumprod
    return shares


def loss_weights(recipe: DiffusionRecipe, shares: torch.Tensor) -> torch.Tensor:
    """Min-SNR for v, but never less than ``least_weight``; one weight for each time step."""
    ratio = shares / (1 - shares)
    return (ratio.clamp(max=recipe.snr_gamma) / (ratio + 1)).clamp(min=recipe.least_weight)


def spread_times(count: int, chance: torch.Generator) -> torch.Tensor:
    """One random time step from each of ``count`` equal parts of the range, in random order."""
    places = (torch.arange(count) + torch.rand(count, generator=chance)) / count
    return (places * TIME_STEPS).long().clamp(max=TIME_STEPS - 1)[torch.randperm(count, generator=chance)]


@dataclass(frozen=True)
class Noised:
    """``noisy`` inputs and the ``velocity`` that is to be seen in them, both N×C×16×16."""

    noisy: torch.Tensor
    velocity: torch.Tensor


def noised(
    recipe: DiffusionRecipe, pictures: torch.Tensor, times: torch.Tensor, shares: torch.Tensor, chance: torch.Generator
) -> Noised:
    """Latents with the noise of their time step."""
    noise = torch.randn(pictures.shape, generator=chance)
    share = shares[times].view(-1, 1, 1, 1)
    velocity = share.sqrt() * noise - (1 - share).sqrt() * pictures
    # Train pure noise too: even the last step of this schedule contains a trace of the picture, while drawing
    # starts without any.
    pure = (times >= recipe.pure_from) & (torch.rand(len(pictures), generator=chance) < recipe.pure)
    visible = torch.where(pure.view(-1, 1, 1, 1), 0.0, share.sqrt())
    return Noised(visible * pictures + (1 - visible.square()).sqrt() * noise, velocity)


def tokens_of(texts: list[list[str]], tokenizer: Any) -> npt.NDArray[np.int16]:
    """N×captions×77."""
    flat = [text for several in texts for text in several]
    numbers = tokenizer(flat, padding="max_length", truncation=True, max_length=77)["input_ids"]
    return np.asarray(numbers, dtype=np.int16).reshape(len(texts), -1, 77)


def shown_often(own: DiffusionRecipe, scenes: Sequence[Scene]) -> torch.Tensor:
    """How often the picture of each of the ``scenes`` is shown in the second part, relative to others."""
    often = torch.ones(len(scenes))
    for index, scene in enumerate(scenes):
        if value_of(scene, "item_colour") != NONE:
            often[index] = own.coloured_held
        elif value_of(scene, "neck_colour") != NONE or scene.face is not None:
            often[index] = own.coloured_worn
    return often


def holds_up(scenes: Sequence[Scene]) -> torch.Tensor:
    """For each of the ``scenes``: 1 where a balloon or an umbrella is held, else 0."""
    return torch.tensor([int(scene.item in COLOURED["item"]) for scene in scenes])


def loss_function(
    recipe: Recipe, both: Both, latents: torch.Tensor, prompts: npt.NDArray[np.int16], empty: Any, device: torch.device
) -> Callable[[int], tuple[torch.Tensor, str]]:
    """The loss of a training step. ``empty``: the 77 tokens of the empty prompt."""
    own = recipe.diffusion
    shares = signal_shares()
    weights = loss_weights(own, shares)
    blank = torch.as_tensor(empty)
    height, width = latents.shape[-2:]
    where = [faces.importance(height, width, own.face_weight, weight) for weight in (0.0, own.held_weight)]
    importance = torch.stack(where)[:, None].to(device)
    scenes = [dataset.scene_of(recipe.seed, index) for index in range(len(latents))]
    often, held = shown_often(own, scenes), holds_up(scenes)
    captions = prompts.shape[1] // 2

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        chance = checkpoints.generator(recipe.seed, "diffusion", step)
        late = own.restart is not None and step >= own.restart
        if late:
            which = torch.multinomial(often, own.batch, replacement=True, generator=chance)
        else:
            which = torch.randint(len(latents), (own.batch,), generator=chance)
        wording = late * captions + torch.randint(captions, (own.batch,), generator=chance)
        said = torch.from_numpy(prompts[which.numpy(), wording.numpy()]).long()
        unsaid = torch.rand(own.batch, generator=chance) < own.empty
        said = torch.where(unsaid[:, None], blank, said)
        times = spread_times(own.batch, chance)
        seen = noised(own, latents[which].float(), times, shares, chance)
        with torch.autocast(device.type, torch.bfloat16):
            made = both(seen.noisy.to(device), times.to(device), said.to(device))
        errors = (made.float() - seen.velocity.to(device)).square()
        off = (errors * importance[late * held[which]]).mean(dim=(1, 2, 3))
        loss = (off * weights[times].to(device)).mean()
        plain = f"(unweighted {float(off.detach().mean()):.3f})" if (step + 1) % loop.REPORT_EVERY == 0 else ""
        return loss, plain

    return loss_of


def plan_of(recipe: Recipe, directory: Path, stop_at: int | None = None) -> loop.Plan:
    own = recipe.diffusion
    return loop.Plan(
        name="diffusion",
        path=directory / "diffusion.ckpt",
        fingerprint=recipe.fingerprint("diffusion"),
        steps=own.steps,
        learning_rate=own.learning_rate,
        last_rate=own.last_rate,
        warm_up=own.warm_up,
        weight_decay=own.weight_decay,
        ema=own.ema,
        check_every=own.check_every,
        restart=own.restart,
        restart_rate=own.restart_rate,
        stop_at=stop_at,
    )
