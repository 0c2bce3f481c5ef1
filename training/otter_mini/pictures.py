# mypy: disallow-untyped-calls=False
"""Draws many pictures with a model's folder: in batches, each picture from a seed of its own.

Two ways to say what: ``plain`` hands the prompt to ``StableDiffusionPipeline`` as anybody would, ``worded`` reads the
marks of weight as the worker does, with the worker's own code.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import diffusers
import numpy as np
import torch
from PIL import Image
from transformers.utils import logging as transformers_logging

from .drawing_defaults import GUIDANCE, STEPS
from .judge import Pixels

REPOSITORY = Path(__file__).resolve().parents[2]

if importlib.util.find_spec("otterbot_worker") is None:
    sys.path.append(str(REPOSITORY / "worker"))


class Painter:
    """A loaded pipeline on the CPU. ``steps`` and ``guidance`` are what a call uses that names none."""

    def __init__(
        self, folder: Path, *, steps: int = STEPS, guidance: float = GUIDANCE, batch: int = 25, bf16: bool = False
    ) -> None:
        """:raises OSError: there is no model in the folder, or not all of it"""
        for logging in (diffusers.utils.logging, transformers_logging):
            logging.set_verbosity_error()
            logging.disable_progress_bar()
        self.folder, self.steps, self.guidance = folder, steps, guidance
        self._batch, self._bf16 = batch, bf16
        self.pipe: Any = diffusers.StableDiffusionPipeline.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self.pipe.set_progress_bar_config(disable=True)
        self._scheduler = dict(self.pipe.scheduler.config)
        self._scheduler_class = type(self.pipe.scheduler)

    @property
    def size(self) -> int:
        """Pixels on each side of a picture."""
        return int(self.pipe.vae.config.sample_size)

    @property
    def scheduler_name(self) -> str:
        return str(self._scheduler_class.__name__)

    def plain(self, prompt: str, seeds: Sequence[int]) -> Pixels:
        """N×H×W×3, one for each seed, exactly as the pipeline draws the prompt by itself."""
        self.use_sampler(None, self.steps)
        return self._in_batches(seeds, lambda part: self._draw(self.pipe, part, {"prompt": prompt}))

    def worded(
        self,
        prompt: str,
        seeds: Sequence[int],
        *,
        negative: str = "",
        steps: int | None = None,
        guidance: float | None = None,
        sampler: str | None = None,
    ) -> Pixels:
        """As the worker draws it: with weights, a negative prompt and any of its samplers."""
        self.use_sampler(sampler, steps or self.steps)
        words = self._encode(prompt, negative)
        wanted = {**words, "num_inference_steps": steps or self.steps, "guidance_scale": guidance or self.guidance}
        return self._in_batches(seeds, lambda part: self._draw(self.pipe, part, wanted))

    def over(self, sources: Pixels, prompt: str, seeds: Sequence[int], *, strength: float) -> Pixels:
        """Picture i from source i and seed i by image-to-image."""
        self.use_sampler(None, self.steps)
        view: Any = diffusers.StableDiffusionImg2ImgPipeline(**self.pipe.components, requires_safety_checker=False)
        view.set_progress_bar_config(disable=True)
        words = self._encode(prompt, "")
        pictures: dict[int, Image.Image] = dict(zip(seeds, map(Image.fromarray, sources), strict=True))

        def draw(part: Sequence[int]) -> Pixels:
            each = {name: tensor.repeat(len(part), 1, 1) for name, tensor in words.items()}
            wanted = {**each, "image": [pictures[seed] for seed in part], "strength": strength}
            return self._draw(view, part, {**wanted, "num_images_per_prompt": 1})

        return self._in_batches(seeds, draw)

    def through_vae(self, sources: Pixels) -> Pixels:
        """The pictures encoded and decoded, nothing else: the best that image-to-image can keep."""
        processor, vae = self.pipe.image_processor, self.pipe.vae
        parts = []
        with torch.inference_mode():
            for start in range(0, len(sources), self._batch):
                pictures = [Image.fromarray(source) for source in sources[start : start + self._batch]]
                decoded = vae.decode(vae.encode(processor.preprocess(pictures)).latent_dist.mode()).sample
                parts.append(_pixels(processor.postprocess(decoded, output_type="np")))
        return np.concatenate(parts)

    def use_sampler(self, name: str | None, steps: int) -> None:
        """A fresh scheduler: they keep state. ``None`` is the folder's own. :raises KeyError: no such sampler"""
        if name is None:
            self.pipe.scheduler = self._scheduler_class.from_config(self._scheduler)
            return
        from otterbot_worker.sampling.samplers import SAMPLERS

        sampler = SAMPLERS[name]
        arguments = dict(sampler.arguments)
        if sampler.name == "LCM":  # refuses more steps than this
            arguments["original_inference_steps"] = max(50, steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about settings that this class has no use for
            self.pipe.scheduler = getattr(diffusers, sampler.scheduler).from_config(self._scheduler, **arguments)

    @contextmanager
    def lora(self, path: Path, weight: float) -> Iterator[None]:
        """Within it the file acts with that weight; behind it nothing of it is left."""
        try:
            self.pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name="extra")
            self.pipe.set_adapters(["extra"], [weight])
            yield
        finally:
            self.pipe.unload_lora_weights()

    def learn(self, path: Path, token: str) -> None:
        """Add a textual inversion's token, for good: unloading leaves orphans in the tokenizer."""
        self.pipe.load_textual_inversion(str(path), token=token)

    def _encode(self, prompt: str, negative: str) -> dict[str, torch.Tensor]:
        from otterbot_worker.families.clip import for_sd
        from otterbot_worker.families.prompt import Prompt
        from otterbot_worker.schemas.settings import Settings

        tokenizer = self.pipe.tokenizer
        # A textual inversion of several vectors stands for several tokens.
        prompt, negative = (self.pipe.maybe_convert_prompt(text, tokenizer) for text in (prompt, negative))
        words: dict[str, torch.Tensor] = for_sd(
            self.pipe,
            torch.device("cpu"),
            Prompt(prompt, tokenizer, what="prompt"),
            Prompt(negative, tokenizer, what="negative prompt"),
            Settings(),
        )
        return words

    def _in_batches(self, seeds: Sequence[int], draw: Any) -> Pixels:
        parts = [draw(seeds[start : start + self._batch]) for start in range(0, len(seeds), self._batch)]
        return np.concatenate(parts)

    def _draw(self, pipe: Any, seeds: Sequence[int], wanted: dict[str, Any]) -> Pixels:
        """One batch. The noise comes from a generator for each picture, so that a batch's size changes none of it."""
        generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        usual = {
            "num_inference_steps": self.steps,
            "guidance_scale": self.guidance,
            "num_images_per_prompt": len(seeds),
        }
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bf16):
            pictures = pipe(**{**usual, **wanted}, generator=generators, output_type="np").images
        return _pixels(pictures)


def _pixels(pictures: Any) -> Pixels:
    """From 0 … 1. What is not a number becomes black, which the judge takes for nothing."""
    pixels: Pixels = (np.nan_to_num(pictures, nan=0.0).clip(0, 1) * 255).round().astype(np.uint8)
    return pixels
