# mypy: disallow-untyped-calls=False
"""Grows a finished model into the start of a larger one: pictures of twice the side, and more words.

**Autoencoder.** A new outermost level that begins as plain halving and doubling. With ``double`` each pixel to 2×2 and
``halve`` their mean, ``old`` the model that it grew from and ``new`` the grown one::

    new.encode(double(picture)) == old.encode(picture)
    halve(new.decode(latents)) == old.decode(latents)

so latents keep their meaning and their size. Both are exact because the grown level has as many channels as the old
outermost one, and its residual blocks add nothing yet. Latents may get more channels: the decoder and the U-Net look at
them, but do not see anything in them yet.

**Words.** The table of embeddings gets a row for each token of the new tokenizer. Tokens that the old one knew keep
their rows, whatever their number is now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import checkpoints, export

State = dict[str, torch.Tensor]
HALVED, BEFORE = (0.0, 0.5, 0.5), (1.0, 0.0, 0.0)
"""Along one axis, at the first pixel of a pair: the pair's mean, and the pixel before the pair, which stands for the
mean of the pair before (that pair's first pixel is out of reach; in a doubled picture both are the same)."""
TAPS = ((BEFORE, 0), (HALVED, 0), (HALVED, 2))
"""For each tap of an old 3×3 convolution along one axis: which of the two, and how many pixels further on."""


class DoesNotFit(ValueError):
    """The model to grow from has other levels or other shapes; the message says which."""


def read(folder: Path) -> Any:
    """The pipeline to grow from, in single precision. ``OSError``, ``ValueError`` if it is not whole."""
    export.quiet()
    return export.read(folder)


def check_levels(old: Any, channels: Sequence[int]) -> None:
    """``DoesNotFit`` if ``old`` cannot grow to an autoencoder of these ``channels``."""
    wanted = (old.config.block_out_channels[0], *old.config.block_out_channels)
    needed = 4 * old.config.in_channels
    if wanted[0] < needed:
        raise DoesNotFit(f"an autoencoder whose first level has {wanted[0]} channels cannot grow: it takes {needed}")
    if tuple(channels) != wanted:
        raise DoesNotFit(f"an autoencoder of {old.config.block_out_channels} grows to {wanted} alone")


def grow_vae(new: Any, old: Any) -> None:
    """Give ``new``, of ``old``'s levels and one more, its start. ``DoesNotFit`` if the levels are others.

    Spare filters of the new level keep the random weights that they have.
    """
    check_levels(old, new.config.block_out_channels)
    grown = {_outer(name): tensor for name, tensor in old.state_dict().items()}
    channels = old.config.latent_channels, new.config.latent_channels
    if channels[0] < channels[1]:
        grown |= _more_latents(grown, new.state_dict(), *channels)
    load(new, {**new.state_dict(), **grown})
    with torch.no_grad():
        _halving(new.encoder, old.encoder.conv_in)
        _doubling(new.decoder, old.decoder.conv_out)


def widen_latents(new: Any, old: Any) -> None:
    """Give ``new``, of ``old``'s levels and at least as many channels of latents, its start."""
    widths = old.config.latent_channels, new.config.latent_channels
    state = old.state_dict()
    load(new, state if widths[0] == widths[1] else {**state, **_more_latents(state, new.state_dict(), *widths)})


def _outer(name: str) -> str:
    """The name of an old layer in the grown model. The encoder's levels move up by one; the decoder's, which are
    counted from the latents, stay."""
    return re.sub(r"^encoder\.down_blocks\.(\d+)", lambda found: f"encoder.down_blocks.{int(found[1]) + 1}", name)


def _more_latents(old: State, new: State, before: int, after: int) -> State:
    """The layers around the latents, with channels behind those that are there. Random filters fill the new ones."""
    found: State = {}
    rows = [*range(before), *range(after, after + before)]  # means, then logarithms of variances
    for name in ("encoder.conv_out.weight", "encoder.conv_out.bias"):
        found[name] = new[name].clone()
        found[name][rows] = old[name]
    found["quant_conv.weight"] = torch.eye(2 * after)[:, :, None, None]
    found["quant_conv.bias"] = torch.zeros(2 * after)
    found["quant_conv.bias"][rows] = old["quant_conv.bias"]
    for row, weights in zip(rows, old["quant_conv.weight"], strict=True):
        found["quant_conv.weight"][row] = 0
        found["quant_conv.weight"][row, rows] = weights
    found["post_quant_conv.weight"] = torch.eye(after)[:, :, None, None]
    found["post_quant_conv.weight"][:before, :before] = old["post_quant_conv.weight"]
    found["post_quant_conv.bias"] = _wider(old["post_quant_conv.bias"], torch.zeros(after))
    columns = new["decoder.conv_in.weight"]
    found["decoder.conv_in.weight"] = _wider(old["decoder.conv_in.weight"], torch.zeros_like(columns))
    return found


def grow_unet(new: Any, old: Any) -> None:
    """``DoesNotFit`` if more differs than the number of the latents' channels."""
    state, own = old.state_dict(), new.state_dict()
    if old.config.in_channels < new.config.in_channels:
        state = dict(state)
        for name in ("conv_in.weight", "conv_out.weight", "conv_out.bias"):
            state[name] = _wider(state[name], torch.zeros_like(own[name]))
    load(new, state)


def _wider(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """``new`` with ``old`` in its first rows and columns."""
    new[tuple(slice(length) for length in old.shape)] = old
    return new


def _halving(encoder: Any, first: nn.Conv2d) -> None:
    """``first``, the old first convolution, of the halved picture."""
    level = encoder.down_blocks[0]
    _add_nothing(level.resnets)
    down = level.downsamplers[0].conv
    colours = first.in_channels
    kinds = [(y, x) for y in (HALVED, BEFORE) for x in (HALVED, BEFORE)]
    down.weight.zero_()
    down.bias.copy_(first.bias)
    for number, (y, x) in enumerate(kinds):
        filters = torch.outer(torch.tensor(y), torch.tensor(x))
        for colour in range(colours):
            channel = number * colours + colour
            encoder.conv_in.weight[channel] = 0
            encoder.conv_in.weight[channel, colour] = filters
            encoder.conv_in.bias[channel] = 0
    for row, (y, below) in enumerate(TAPS):
        for column, (x, right) in enumerate(TAPS):
            start = kinds.index((y, x)) * colours
            down.weight[:, start : start + colours, below, right] += first.weight[:, :, row, column]


def _doubling(decoder: Any, last: nn.Conv2d) -> None:
    """``last``, the old last convolution, so that the mean of each 2×2 pixels is what it gave for one."""
    up = decoder.up_blocks[-2].upsamplers[0].conv
    up.weight.zero_()
    up.bias.zero_()
    for channel in range(len(up.weight)):
        up.weight[channel, channel, 1, 1] = 1
    _add_nothing(decoder.up_blocks[-1].resnets)
    # Of two pixels that share a feature one sees the feature before, the other the one behind: each twice as much.
    spread = torch.tensor([[2.0, 0, 0], [-1, 1, -1], [0, 0, 2]])
    decoder.conv_out.weight.copy_(torch.einsum("ya,xb,ocab->ocyx", spread, spread, last.weight))
    decoder.conv_out.bias.copy_(last.bias)


def _add_nothing(blocks: Any) -> None:
    for block in blocks:
        block.conv2.weight.zero_()
        block.conv2.bias.zero_()


def grow_words(new: Any, tokenizer: Any, old: Any, old_tokenizer: Any, seed: int) -> int:
    """Give the text encoder ``new`` the weights of ``old``; returns how many tokens keep their row.

    New rows are random, and as far apart as the old ones. ``DoesNotFit`` if another shape than the table's differs.
    """
    table = "embeddings.token_embedding.weight"
    state = old.state_dict()
    name = next(name for name in state if name.endswith(table))
    known, ids, count = state[name], tokenizer.get_vocab(), len(tokenizer)
    rows = torch.randn((count, known.shape[1]), generator=checkpoints.generator(seed, "new words"))
    rows = known.mean(dim=0) + rows * known.std(dim=0)
    kept = {token: number for token, number in old_tokenizer.get_vocab().items() if token in ids}
    for token, number in kept.items():
        rows[ids[token]] = known[number]
    load(new, {**state, name: rows})
    return len(kept)


def load(module: nn.Module, state: State) -> None:
    """``DoesNotFit`` where the weights are of another shape; it names the first."""
    own = module.state_dict()
    for name in own:
        if name not in state or state[name].shape != own[name].shape:
            found = tuple(state[name].shape) if name in state else "not there"
            raise DoesNotFit(f"the model to grow from does not fit: {name} is {found}, not {tuple(own[name].shape)}")
    module.load_state_dict(state)
