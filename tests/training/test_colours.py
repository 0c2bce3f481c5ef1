"""Colours of latents: the fit finds a map that is there, and the shipped one fits the shipped model."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from otter_mini import colours

MODEL = Path(__file__).resolve().parents[2] / "worker" / "otterbot_worker" / "models" / "otter-mini"


class Autoencoder:
    """Four latents, which are sums of the colours they stand for."""

    config = SimpleNamespace(scaling_factor=0.5)
    into = torch.tensor([[2.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 2.0], [1.0, 1.0, 1.0]])

    def encode(self, pictures: torch.Tensor) -> Any:
        mean = torch.einsum("lc,nchw->nlhw", self.into, avg_pool2d(pictures, 8) - 0.25)
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=mean))


def test_a_map_that_is_there_is_found() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 16, 24, 3), dtype=np.uint8)
    factors, bias, explained = colours.fit(Autoencoder(), pixels)
    assert explained == pytest.approx(1.0, abs=1e-6)
    back = 0.5 * Autoencoder.into.T.double() @ torch.tensor(factors, dtype=torch.float64)
    assert torch.allclose(back, torch.eye(3, dtype=torch.float64), atol=1e-4)
    assert bias == pytest.approx([0.25] * 3, abs=1e-4)


def test_the_shipped_map_is_that_of_the_shipped_model() -> None:
    from diffusers import AutoencoderKL

    from otter_mini.dataset import example

    vae = AutoencoderKL.from_pretrained(MODEL / "vae", local_files_only=True).float()
    pixels = np.stack([example(5, 128, 1, index)[0] for index in range(100)])
    factors, bias, explained = colours.fit(vae, pixels)
    assert explained > 0.9
    shipped = json.loads((MODEL / "vae" / colours.NAME).read_text("utf-8"))
    assert np.allclose(shipped["factors"], factors, atol=0.03)
    assert np.allclose(shipped["bias"], bias, atol=0.06)
