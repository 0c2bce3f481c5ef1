# mypy: disallow-untyped-calls=False
"""The stages in their order. Each leaves its files in one directory, is skipped when it is done, and can be stopped.

================  =====================================================
``draw``          ``pictures.npy``, ``captions.json``
``vae``           ``vae/`` (``vae-small.ckpt``, ``vae.ckpt`` on the way)
``latents``       ``latents.npy``
``diffusion``     ``tokenizer/``, ``diffusion.ckpt`` (the moving average in it is what learned)
``negatives``     ``negatives.ckpt``, from the moving average of the diffusion
``export``        ``otter-mini/``
================  =====================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from . import checkpoints, dataset, diffusion, export, growth, loop, negatives_training, tokenizer, vae
from .recipe import STAGES, Recipe


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training in ``directory``. ``stop_at`` ends the named stage before that step, for tests.

    ``start``: the folder of the model that it grows from, whose hash is ``recipe.start``.
    """

    recipe: Recipe
    directory: Path
    start: Path | None = None
    processes: int = 2
    device: str = "cpu"
    stop_at: tuple[str, int] | None = None

    def run(self, until: str = STAGES[-1]) -> None:
        """Every stage up to ``until`` that is not done yet.

        ``ForeignFiles`` if the directory belongs to another recipe, ``InUse`` if another process trains in it.
        """
        with checkpoints.locked(self.directory):
            self._run(until)

    def _run(self, until: str) -> None:
        log = checkpoints.Log(self.directory)
        for stage in STAGES[: STAGES.index(until) + 1]:
            mark, fingerprint = self.directory / f"{stage}.done", self.recipe.fingerprint(stage)
            if checkpoints.is_done(mark, fingerprint):
                log(f"{stage}: done before")
                continue
            log(f"{stage}: begins")
            getattr(self, f"_{stage}")(log)
            checkpoints.mark_done(mark, fingerprint)
            log(f"{stage}: done")

    @property
    def model(self) -> Path:
        return self.directory / "otter-mini"

    def _stop(self, stage: str) -> int | None:
        return self.stop_at[1] if self.stop_at is not None and self.stop_at[0] == stage else None

    def _draw(self, log: checkpoints.Log) -> None:
        dataset.make(
            self.directory,
            seed=self.recipe.seed,
            size=self.recipe.size,
            pictures=self.recipe.data.pictures,
            captions=self.recipe.data.captions,
            spoilt=self.recipe.data.spoilt,
            processes=self.processes,
            tell=log,
        )

    def _vae(self, log: checkpoints.Log) -> None:
        pictures = dataset.load_pictures(self.directory, self.recipe.vae.pictures)
        device = torch.device(self.device)
        old = growth.read(self.start).vae if self.start else None
        stops = {"small_stop_at": self._stop("vae-small"), "stop_at": self._stop("vae")}
        made = vae.train(self.recipe, self.directory, pictures, log, device=device, grown_from=old, **stops)
        made.cpu().save_pretrained(self.directory / "vae")

    def _load_vae(self) -> Any:
        from safetensors.torch import load_file

        # Not by from_pretrained: it notes the folder's path in the configuration, which is then exported.
        made = vae.new(self.recipe.vae, self.recipe.size)
        made.load_state_dict(load_file(self.directory / "vae" / "diffusion_pytorch_model.safetensors"))
        return made.eval()

    def _latents(self, log: checkpoints.Log) -> None:
        device = torch.device(self.device)
        pictures = dataset.load_pictures(self.directory)
        latents = vae.encode_all(self._load_vae().to(device), pictures, device, log)
        checkpoints.write_atomically(self.directory / "latents.npy", lambda file: np.save(file, latents.numpy()))

    def _diffusion(self, log: checkpoints.Log) -> None:
        words = tokenizer.make(self.directory / "tokenizer")
        prompts = diffusion.tokens_of(dataset.load_captions(self.directory), words)
        latents = self._load_latents()
        device = torch.device(self.device)
        both = diffusion.build(self.recipe, len(words))
        if self.start:
            old = growth.read(self.start)
            growth.grow_unet(both.unet, old.unet)
            kept = growth.grow_words(both.text_encoder, words, old.text_encoder, old.tokenizer, self.recipe.seed)
            log(f"diffusion: grows from {self.start.name}, {kept} of its {len(old.tokenizer)} tokens")
        both.to(device).learn_fast()
        size = sum(parameter.numel() for parameter in both.parameters()) / 1e6
        log(f"diffusion: {len(latents)} pictures, {len(words)} tokens, {size:.2f} million parameters")
        plan = diffusion.plan_of(self.recipe, self.directory, self._stop("diffusion"))
        empty = self._empty(words)
        loop.run(plan, both, diffusion.loss_function(self.recipe, both, latents, prompts, empty, device), log)

    def _negatives(self, log: checkpoints.Log) -> None:
        words = tokenizer.load(self.directory / "tokenizer")
        texts, strengths = negatives_training.texts_of(self.recipe, words)
        device = torch.device(self.device)
        both = diffusion.build(self.recipe, len(words))
        learned = diffusion.plan_of(self.recipe, self.directory)
        loop.load_average(both, learned.path, learned.fingerprint)
        both.to(device).learn_fast()
        negatives_training.learners(both)
        plan = negatives_training.plan_of(self.recipe, self.directory, self._stop("negatives"))
        latents, empty = self._load_latents(), self._empty(words)
        loss_of = negatives_training.loss_function(self.recipe, both, latents, texts, strengths, empty, device)
        loop.run(plan, both, loss_of, log)

    def _load_latents(self) -> torch.Tensor:
        return torch.from_numpy(np.load(self.directory / "latents.npy"))

    def _empty(self, words: Any) -> Any:
        """The 77 tokens of the empty prompt."""
        return diffusion.tokens_of([[""]], words)[0, 0].astype(np.int64)

    def pipeline(self) -> tuple[Any, int]:
        """What the newest checkpoint draws with, and its step. ``FileNotFoundError`` if there is none yet."""
        plan = negatives_training.plan_of(self.recipe, self.directory)
        if not plan.path.exists():
            plan = diffusion.plan_of(self.recipe, self.directory)
        if not plan.path.exists():
            raise FileNotFoundError(f"there is no {plan.path} yet: the diffusion training writes it now and then")
        words = tokenizer.load(self.directory / "tokenizer")
        both = diffusion.build(self.recipe, len(words))
        step = loop.load_average(both, plan.path, plan.fingerprint)
        return export.pipeline(self._load_vae(), both.text_encoder, words, both.unet), step

    def _export(self, log: checkpoints.Log) -> None:
        pipe, _ = self.pipeline()
        export.write(pipe, self.model)
        picture = export.draw(export.read(self.model), export.CHECK_PROMPT, seed=1)
        picture.save(self.directory / "check.png")
        log(f"export: {self.model.name}/, {export.size_of(self.model) / 1e6:.1f} MB; it drew check.png")

    def preview(self, prompts: list[str], *, seeds: int, steps: int, guidance: float) -> tuple[Image.Image, int]:
        """A sheet with one row for each prompt, and the step that drew it."""
        pipe, step = self.pipeline()
        pictures = [
            export.draw(pipe, prompt, seed=seed, steps=steps, guidance=guidance)
            for prompt in prompts
            for seed in range(seeds)
        ]
        return export.sheet(pictures, seeds), step
