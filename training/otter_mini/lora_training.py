# mypy: disallow-untyped-calls=False
"""Trains the layers of a LoRA and writes them; ``lora`` says from what."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from . import checkpoints, diffusion, few_shot
from .captions import naming
from .few_shot import Batch, Pictures, Tell
from .lora import TRIGGER, Recipe, own_prompts, scenes

UNET_LAYERS = r".*(to_q|to_k|to_v|to_out\.0|proj_in|proj_out|ff\.net\.0\.proj|ff\.net\.2|conv1|conv2|conv_shortcut)"
TEXT_LAYERS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]


class Memory:
    """What the model said as it drew with its own prompts: to each latent on the way, with and without the prompt."""

    def __init__(self, pipe: Any, prompts: list[str], *, seed: int, guidance: float = 5.0, at_once: int = 8) -> None:
        blank = torch.from_numpy(diffusion.tokens_of([[""]], pipe.tokenizer)[0].astype("int64"))
        said = torch.from_numpy(diffusion.tokens_of([[text] for text in prompts], pipe.tokenizer)[:, 0].astype("int64"))
        parts = []
        for part, start in enumerate(range(0, len(said), at_once)):
            tokens = said[start : start + at_once]
            chance = checkpoints.generator(seed, "lora memory", part)
            # Another number of steps for each part: the times of one schedule alone would leave gaps between them.
            parts += self._drawing(pipe, tokens, blank.expand_as(tokens), chance, 13 + part % 5 * 3, guidance)
        self._all = few_shot.joined(parts)

    @staticmethod
    @torch.no_grad()
    def _drawing(
        pipe: Any, tokens: torch.Tensor, blank: torch.Tensor, chance: torch.Generator, steps: int, guidance: float
    ) -> list[Batch]:
        scheduler = copy.deepcopy(pipe.scheduler)
        scheduler.set_timesteps(steps)
        side, channels = pipe.unet.config.sample_size, pipe.unet.config.in_channels
        latents = torch.randn((len(tokens), channels, side, side), generator=chance) * scheduler.init_noise_sigma
        parts = []
        for now in scheduler.timesteps:
            twice = scheduler.scale_model_input(torch.cat([latents, latents]), now)
            times, prompts = now.expand(len(twice)), torch.cat([blank, tokens])
            velocity = few_shot.predicted(pipe, twice, times, prompts)
            parts.append(
                Batch(noisy=twice, times=times, prompts=prompts, velocity=velocity, weights=torch.ones(len(twice)))
            )
            without, within = velocity.chunk(2)
            latents = scheduler.step(without + guidance * (within - without), now, latents).prev_sample
        return parts

    def batch(self, count: int, weight: float, chance: torch.Generator) -> Batch:
        which = torch.randint(len(self._all.times), (count,), generator=chance)
        return Batch(
            noisy=self._all.noisy[which],
            times=self._all.times[which],
            prompts=self._all.prompts[which],
            velocity=self._all.velocity[which],
            weights=self._all.weights[which] * weight,
        )


def learn(pipe: Any, recipe: Recipe, seed: int, tell: Tell) -> None:
    """Adds the layers to the pipeline's models, under the name of the trigger, and trains them."""
    memory = Memory(pipe, own_prompts(seed, recipe.prompts), seed=seed)
    words = random.Random(f"{seed}/lora/captions")
    subject = scenes(seed)
    pictures = Pictures(pipe, subject, [[naming(scene, words) for _ in range(recipe.wordings)] for scene in subject])
    parameters = _add_layers(pipe, recipe, seed)
    tell(f"lora: {sum(parameter.numel() for parameter in parameters)} parameters")

    def loss_of(step: int) -> tuple[torch.Tensor, str]:
        chance = checkpoints.generator(seed, "lora", step)
        batch = [pictures.batch(recipe.batch, chance), memory.batch(recipe.remembered, recipe.memory_weight, chance)]
        losses = few_shot.loss_of(pipe, few_shot.joined(batch))
        new, old = (float(part.mean()) for part in losses.detach().split([recipe.batch, recipe.remembered]))
        return losses.mean(), f"(new {new:.3f}, old {old / recipe.memory_weight:.4f})"

    few_shot.descend(
        parameters,
        loss_of,
        steps=recipe.steps,
        learning_rate=recipe.learning_rate,
        warm_up=recipe.warm_up,
        tell=tell,
    )


def _add_layers(pipe: Any, recipe: Recipe, seed: int) -> list[torch.nn.Parameter]:
    from peft import LoraConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(checkpoints.number(seed, "lora start"))
        for part, layers in ((pipe.unet, UNET_LAYERS), (pipe.text_encoder, TEXT_LAYERS)):
            config = LoraConfig(r=recipe.rank, lora_alpha=recipe.rank, target_modules=layers)
            part.add_adapter(config, adapter_name=TRIGGER)
    return [
        parameter
        for part in (pipe.unet, pipe.text_encoder)
        for parameter in part.parameters()
        if parameter.requires_grad
    ]


def learns(name: str, layers: str | list[str]) -> bool:
    """Whether a layer of that name gets a LoRA, by PEFT's rule."""
    return bool(re.fullmatch(layers, name)) if isinstance(layers, str) else name.split(".")[-1] in layers


def write(pipe: Any, path: Path, notes: Mapping[str, str]) -> None:
    """The layers in half precision, in the form that ``load_lora_weights`` reads."""
    from diffusers import StableDiffusionPipeline
    from peft.utils import get_peft_model_state_dict

    # PEFT's own names. Diffusers' converter renames the attention's layers only, and its reader, which looks at the
    # first name alone, then leaves them out without an error.
    layers = [
        {name: tensor.half() for name, tensor in get_peft_model_state_dict(part, adapter_name=TRIGGER).items()}
        for part in (pipe.unet, pipe.text_encoder)
    ]
    StableDiffusionPipeline.save_lora_weights(
        str(path.parent),
        unet_lora_layers=layers[0],
        text_encoder_lora_layers=layers[1],
        weight_name=path.name,
        save_function=lambda tensors, file: few_shot.write_tensors(Path(file), tensors, notes),
    )
