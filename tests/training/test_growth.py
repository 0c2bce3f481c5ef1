"""A grown autoencoder begins as the old one of halved and doubled pictures; known words keep their vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from otter_mini import diffusion, growth, tokenizer, vae
from otter_mini.few_shot import same_bytes
from otter_mini.recipe import Recipe

SMALL = Recipe.tiny()
OLD = replace(SMALL.vae, channels=SMALL.vae.channels[1:])


@pytest.fixture(scope="module", autouse=True)
def reproducible() -> Iterator[None]:
    with same_bytes(1), torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        yield


@pytest.fixture(scope="module")
def old() -> Any:
    """Random everywhere, biases and norms too: whatever the growth forgets would show."""
    made = vae.new(OLD, 64)
    for parameter in made.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    return made.eval()


@pytest.fixture(scope="module")
def grown(old: Any) -> Any:
    return vae.started(replace(SMALL, size=128), old).eval()


def doubled(pictures: torch.Tensor) -> torch.Tensor:
    return F.interpolate(pictures, scale_factor=2, mode="nearest")


def halved(pictures: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(pictures, 2)


def test_it_encodes_a_doubled_picture_as_the_old_one_did(old: Any, grown: Any) -> None:
    pictures = torch.rand(2, 3, 64, 48) * 2 - 1
    before, after = vae.mean_latents(old, pictures), vae.mean_latents(grown, doubled(pictures))
    assert before.shape == after.shape == (2, 4, 8, 6)
    assert before.std() > 0.1
    assert torch.allclose(before, after, atol=1e-5)


def test_it_decodes_to_what_halves_to_the_old_picture(old: Any, grown: Any) -> None:
    """Borders included."""
    latents = torch.randn(2, 4, 8, 6)
    before, after = old.decode(latents).sample, grown.decode(latents).sample
    assert (before.shape, after.shape) == ((2, 3, 64, 48), (2, 3, 128, 96))
    assert before.std() > 0.1
    assert torch.allclose(before, halved(after), atol=1e-5)


def test_every_weight_of_the_new_level_can_learn(grown: Any) -> None:
    """Zeros that multiply zeros would stay."""
    with torch.enable_grad():
        picture = torch.rand(1, 3, 64, 64) * 2 - 1
        grown.decode(vae.mean_latents(grown, picture)).sample.square().sum().backward()
    levels = {"encoder.down_blocks.0": grown.encoder.down_blocks[0], "decoder.up_blocks.4": grown.decoder.up_blocks[4]}
    for name, level in levels.items():
        for block in level.resnets:
            assert block.conv2.weight.grad.abs().max() > 0, name
            assert block.conv1.weight.abs().max() > 0, name
    grown.zero_grad()


def test_latents_with_more_channels_begin_as_those_that_were(old: Any) -> None:
    more = replace(SMALL, size=128, vae=replace(SMALL.vae, latent_channels=6))
    grown = vae.started(more, old).eval()
    pictures = torch.rand(2, 3, 64, 48) * 2 - 1
    before, after = old.encode(pictures).latent_dist, grown.encode(doubled(pictures)).latent_dist
    assert after.mean.shape == (2, 6, 8, 6)
    assert torch.allclose(before.mean, after.mean[:, :4], atol=1e-5)
    assert torch.allclose(before.std, after.std[:, :4], atol=1e-5)
    assert after.mean[:, 4:].std() > 0.1, "something to learn from"
    assert torch.allclose(old.decode(before.mean).sample, halved(grown.decode(after.mean).sample), atol=1e-5)


def test_of_the_same_levels_more_channels_begin_as_those_that_were(old: Any) -> None:
    six = replace(SMALL, size=128, vae=replace(SMALL.vae, latent_channels=6))
    wide = vae.started_small(six, old).eval()
    pictures = torch.rand(2, 3, 64, 48) * 2 - 1
    before, after = vae.mean_latents(old, pictures), vae.mean_latents(wide, pictures)
    assert after.shape == (2, 6, 8, 6)
    assert torch.allclose(before, after[:, :4], atol=1e-5)
    assert torch.allclose(old.decode(before).sample, wide.decode(after).sample, atol=1e-5)
    same = vae.started_small(replace(SMALL, size=128), old).eval()
    assert torch.equal(vae.mean_latents(same, pictures), before)
    thin = vae.new(replace(OLD, channels=(8, 16, 16, 16)), 64)
    with pytest.raises(growth.DoesNotFit, match="8 channels cannot grow: it takes 12"):
        vae.started_small(SMALL, thin)


def test_a_unet_begins_as_the_old_one_whatever_stands_in_new_channels() -> None:
    old, new = (diffusion.new_unet(SMALL.diffusion, channels, 8) for channels in (4, 6))
    growth.grow_unet(new, old)
    latents, words = torch.randn(2, 6, 8, 8), torch.randn(2, 77, SMALL.diffusion.text_width)
    before, after = (unet(seen, 500, words).sample for unet, seen in ((old, latents[:, :4]), (new, latents)))
    assert torch.allclose(before, after[:, :4], atol=1e-5)
    wide = diffusion.new_unet(replace(SMALL.diffusion, channels=(32, 16, 16)), 4, 8)
    with pytest.raises(growth.DoesNotFit, match=r"does not fit: conv_in\.weight is"):
        growth.grow_unet(wide, old)


def test_another_shape_is_refused(old: Any) -> None:
    wide = replace(SMALL, vae=replace(SMALL.vae, channels=(24, 16, 16, 16, 16)))
    with pytest.raises(growth.DoesNotFit, match=r"grows to \(16, 16, 16, 16, 16\) alone"):
        vae.started(wide, old)
    thin = vae.new(replace(OLD, channels=(8, 16, 16, 16)), 64)
    with pytest.raises(growth.DoesNotFit, match="8 channels cannot grow: it takes 12"):
        vae.started(SMALL, thin)
    less = replace(SMALL, vae=replace(SMALL.vae, latent_channels=2))
    with pytest.raises(growth.DoesNotFit, match=r"does not fit: encoder\.conv_out\.weight is"):
        vae.started(less, old)


def test_known_words_keep_their_vectors_and_new_ones_get_their_own(tmp_path: Path) -> None:
    for name, words in (("old", ["otter", "hat"]), ("new", ["a", "hat", "scarf", "otter"])):
        tokenizer.write(tmp_path / name, words)
    before, after = (tokenizer.load(tmp_path / name) for name in ("old", "new"))
    old, new = (diffusion.new_text_encoder(SMALL.diffusion, len(words)) for words in (before, after))
    kept = growth.grow_words(new, after, old, before, seed=1)
    assert kept == len(set(before.get_vocab()) & set(after.get_vocab())) > 500
    rows, known = (encoder.get_input_embeddings().weight for encoder in (new, old))
    ids, known_ids = after.get_vocab(), before.get_vocab()
    for token in ("otter</w>", "hat</w>", "x</w>", tokenizer.START, tokenizer.END):
        assert torch.equal(rows[ids[token]], known[known_ids[token]]), token
    assert ids["otter</w>"] != known_ids["otter</w>"], "so that the numbers alone do not do"
    assert len(torch.unique(rows, dim=0)) == len(after)
    assert rows[ids["scarf</w>"]].std() == pytest.approx(float(known.std()), rel=0.5)
    alike = [new(torch.tensor([words("an otter").input_ids])).last_hidden_state for words in (after,)]
    again = old(torch.tensor([before("an otter").input_ids])).last_hidden_state
    assert torch.allclose(alike[0], again, atol=1e-5), "a prompt of known words means what it did"


def test_a_text_encoder_of_another_width_is_refused(tmp_path: Path) -> None:
    tokenizer.write(tmp_path / "words", ["otter"])
    words = tokenizer.load(tmp_path / "words")
    old = diffusion.new_text_encoder(SMALL.diffusion, len(words))
    new = diffusion.new_text_encoder(replace(SMALL.diffusion, text_width=32), len(words))
    with pytest.raises(growth.DoesNotFit, match="does not fit"):
        growth.grow_words(new, words, old, words, seed=1)
