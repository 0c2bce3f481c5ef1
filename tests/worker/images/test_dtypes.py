"""In which numbers weights are kept and computed with: what is lost by it, and what the estimates know of it.

There is no card here; its facts are a double's, and so is the stream that brings single layers to one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers.hooks import group_offloading
from PIL import Image

from otterbot_worker.families import FAMILIES
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.draw import decoding, img2img
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import dtypes
from otterbot_worker.images.memory import placing
from otterbot_worker.memory import placement
from otterbot_worker.memory.device_info import DeviceInfo, Precision
from otterbot_worker.models import estimates
from otterbot_worker.models.catalogue import Catalogue

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import full_size

pytestmark = pytest.mark.filterwarnings("ignore")
CPU = torch.device("cpu")
PROCESSOR = DeviceInfo(kind="cpu", total=8 * 10**9, available=8 * 10**9, ram_available=8 * 10**9)
TURING = replace(PROCESSOR, kind="cuda", capability=(7, 5))
PASCAL = replace(PROCESSOR, kind="cuda", capability=(6, 1))
AMPERE_BF16 = Precision(storage="bfloat16", compute="bfloat16")
TURING_BF16 = Precision(storage="bfloat16", compute="float32")


class Quiet:
    def progress(self, *_: Any) -> None: ...
    def check(self) -> None: ...
    def preview(self, _: bytes, __: int = 0) -> None: ...


def pipeline(catalogue: Catalogue, name: str, **settings: Any) -> Any:
    entry = catalogue.images[name]
    family = entry.abilities
    cls = getattr(diffusers, family.pipeline)
    return cls.from_pretrained(entry.folder, local_files_only=True, **family.load_arguments, **settings)


@pytest.mark.parametrize(("name", "least"), [("tiny-sd3", 0.95), ("tiny-zimage", 0.15), ("tiny-klein", 0.95)])
def test_what_is_kept_in_bf16_and_computed_in_full_precision_loses_nothing_more(
    name: str, least: float, catalogue: Catalogue, make_task: Callable[..., Draw], tmp_path: Path
) -> None:
    """``least``: how much of the transformer is kept so."""
    rounded = pipeline(catalogue, name, dtype=torch.bfloat16).to(dtype=torch.float32)
    rounded.save_pretrained(tmp_path / "rounded")
    entry = catalogue.images[name].as_dict()
    pictures = []
    for facts, model in ((TURING, entry), (PROCESSOR, {**entry, "folder": str(tmp_path / "rounded")})):
        engine = Engine(device="cpu", threads=1, measure=lambda _device, _held, facts=facts: facts)
        task = make_task(entry=model, sampler="Euler", guidance_scale=4.0 if name == "tiny-sd3" else 0.0)
        engine.draw(task, Quiet())
        pictures.append(task.output.read_bytes())
        assert engine.residency.loaded is not None
        kept = engine.residency.loaded.pipe.transformer
        halves = sum(one.numel() for one in kept.parameters() if one.dtype == torch.bfloat16)
        share = halves / sum(one.numel() for one in kept.parameters())
        assert (share > least) is (facts is TURING)
    # Where the weights lie in memory decides on some processors in which order sums are made: a level at most.
    one, other = (np.frombuffer(picture, np.uint8).astype(int) for picture in pictures)
    assert np.abs(one - other).max() <= 1
    assert np.mean(one != other) < 0.05


def test_frequencies_that_a_model_computes_itself_stay_as_exact_as_they_are(catalogue: Catalogue) -> None:
    encoder = pipeline(catalogue, "tiny-zimage", dtype=torch.bfloat16).text_encoder
    before = encoder.rotary_emb.inv_freq.clone()
    assert before.dtype == torch.float32
    dtypes.cast(encoder, AMPERE_BF16, eight_bits=True)
    assert torch.equal(encoder.rotary_emb.inv_freq, before)


# ---------------------------------------------------------------- the estimates


def test_the_sizes_are_what_the_command_prints() -> None:
    shipped = Path(estimates.__file__).with_name("sizes.json").read_text("utf-8")
    assert shipped.strip() == full_size.table(), "put what benchmarks/full_size.py prints into models/sizes.json"


@pytest.mark.parametrize("plan", [placement.OFFLOAD, placement.QUANTISED], ids=lambda plan: plan.name)
@pytest.mark.parametrize("precision", [AMPERE_BF16, TURING_BF16], ids=["bf16", "full"])
@pytest.mark.parametrize(("kind", "name"), [("sd35-medium", "sd3"), ("flux2-klein-4b", "flux2"), ("sdxl", "sdxl")])
def test_the_weights_take_what_is_estimated(kind: str, name: str, precision: Precision, plan: placement.Plan) -> None:
    with torch.device("meta"):
        parts = {part: full_size.build(made).to(torch.bfloat16) for part, made in full_size.kinds()[kind].items()}
    placing.prepare(plan, SimpleNamespace(components=parts), precision)
    assert FAMILIES[name].computing.kind == kind
    for part, needed in estimates.published(kind).items():
        names = parts[part].state_dict()
        buffers = [buffer for name, buffer in parts[part].named_buffers() if name in names]
        taken = sum(tensor.nbytes for tensor in (*parts[part].parameters(), *buffers))
        estimated = placement._weights(part, needed, plan, precision)
        assert estimated == pytest.approx(taken, rel=0.002), part


# ---------------------------------------------------------------- layers that come one by one


class Backend:
    """In the place of a card's: one stream, on which everything has happened already."""

    def __init__(self, _device: Any = None) -> None: ...

    def current_stream(self) -> Any:
        return SimpleNamespace(synchronize=lambda: None)

    def stream(self, _: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


@pytest.fixture
def in_groups(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    monkeypatch.setattr(group_offloading, "TorchDeviceBackend", Backend)
    monkeypatch.setattr(torch.Tensor, "is_pinned", lambda *_: True)

    def place(pipe: Any) -> None:
        config = group_offloading.GroupOffloadingConfig(
            onload_device=CPU,
            offload_device=CPU,
            offload_type=group_offloading.GroupOffloadingType.LEAF_LEVEL,
            non_blocking=False,
            record_stream=False,
            low_cpu_mem_usage=True,
            stream=SimpleNamespace(synchronize=lambda: None),
        )
        for part in pipe.components.values():
            if isinstance(part, torch.nn.Module):
                group_offloading._apply_group_offloading(part, config)

    return place


@pytest.mark.parametrize("cast", [False, True], ids=["turing", "pascal"])
@pytest.mark.parametrize(("family", "name"), [("sd", "tiny-sd"), ("sdxl", "tiny-xl")])
def test_a_decoder_in_full_precision_whose_layers_come_one_by_one(
    family: str, name: str, cast: bool, catalogue: Catalogue, in_groups: Callable[[Any], None]
) -> None:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1)).half()
    found = []
    for groups in (False, True):
        pipe = pipeline(catalogue, name, dtype=torch.float16)
        pipe.vae.register_to_config(force_upcast=True)
        if cast:
            dtypes.compute_in(pipe, Precision(storage="float16", compute="float32"))
        if groups:
            in_groups(pipe)
        loaded: Any = SimpleNamespace(pipe=pipe, family=FAMILIES[family])
        pixels = [decoding.decode(loaded, latents, 1)[0] for _ in range(2)]
        assert (pixels[0] == pixels[1]).all(), "and back again"
        read = img2img.encode(loaded, Image.new("RGB", (64, 64), "teal"), CPU, torch.Generator().manual_seed(1))
        found.append((pixels[0], read))
        assert {one.dtype for one in pipe.vae.decoder.conv_out.parameters()} == {torch.float16}
    assert (found[0][0] == found[1][0]).all()
    assert torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize(("name", "full"), [("tiny-sd", False), ("tiny-xl", True)])
def test_only_sdxls_decoders_compute_in_full_precision_by_themselves(
    name: str, full: bool, catalogue: Catalogue
) -> None:
    """As in diffusers' own pipelines. A decoder of SD 1 asks for it by accident: its settings do not say, and then
    diffusers says that it does."""
    pipe = pipeline(catalogue, name, dtype=torch.float16)
    loaded: Any = SimpleNamespace(pipe=pipe, family=catalogue.images[name].abilities)
    seen: list[torch.dtype] = []
    for layer in (pipe.vae.encoder.conv_out, pipe.vae.decoder.conv_out):
        layer.register_forward_hook(lambda _layer, _arguments, output: seen.append(output.dtype))
    for asks, computes in ((True, full), (False, False)):
        pipe.vae.register_to_config(force_upcast=asks)
        assert decoding.upcasts(loaded) is computes
        latents = img2img.encode(loaded, Image.new("RGB", (64, 64), "teal"), CPU, torch.Generator().manual_seed(1))
        decoding.decode(loaded, latents, 1)
        assert seen == [torch.float32 if computes else torch.float16] * 2
        seen.clear()
    pipe.vae.to(torch.float32)
    assert not decoding.upcasts(loaded), "it does in any case"
