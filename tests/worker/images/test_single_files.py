"""Models from single files: the same pictures as from a folder, or one sentence that names the file."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldm
import pytest
import safetensors.torch
import torch
from engine_lab import Watcher, alike

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.images.load import single_file_loader
from otterbot_worker.models.entries import ModelEntry

FAMILIES = {"sd1": "sd", "sd2": "sd", "sdxl": "sdxl"}
Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Weights]]:
    """By kind, a folder with a model in small, and what a single file of it holds."""
    made: dict[str, tuple[Path, Weights]] = {}

    def get(kind: str) -> tuple[Path, Weights]:
        if kind not in made:
            root = tmp_path_factory.mktemp(kind)
            made[kind] = root, ldm.make(kind, root)
        return made[kind]

    return get


@pytest.fixture
def entry_of(entries: dict[str, ModelEntry]) -> Callable[..., ModelEntry]:
    def make(kind: str, root: Path, **changes: Any) -> ModelEntry:
        given: dict[str, Any] = {"name": "mine", "family": FAMILIES[kind], "folder": None, **changes}
        if given.get("file") is not None:
            given |= {"file": str(given["file"]), "config": given.get("config", str(root / "config"))}
        return replace(entries["sd"], **given)

    return make


@pytest.fixture
def drawn(process: GpuProcess, make_task: Callable[..., Draw]) -> Callable[..., Awaitable[tuple[bytes, str]]]:
    """The pixels that an entry draws, and the hash of its model."""

    async def draw(entry: ModelEntry, **fields: Any) -> tuple[bytes, str]:
        task = make_task(entry=entry, **fields)
        answer = await process.draw(task, lambda _: None)
        return task.output.read_bytes(), answer.model_hash

    return draw


@pytest.mark.parametrize("kind", FAMILIES)
async def test_a_single_file_draws_what_its_folder_draws(
    kind: str,
    small: Callable[[str], tuple[Path, Weights]],
    entry_of: Callable[..., ModelEntry],
    drawn: Callable[..., Awaitable[tuple[bytes, str]]],
    tmp_path: Path,
) -> None:
    root, weights = small(kind)
    file = tmp_path / "my model.safetensors"
    safetensors.torch.save_file(weights, file)
    words = {"prompt": "an (otter)1.3 in a hat", "negative_prompt": "blurry"}
    usual, _ = await drawn(entry_of(kind, root, folder=str(root / "folder")), **words)
    single, model_hash = await drawn(entry_of(kind, root, file=file), **words)
    assert len(set(usual)) > 20
    # The values are the same, bit by bit. The two files' headers are of other lengths, so they lie elsewhere in memory,
    # and the processor's library adds up in another order where a row begins within a cache line.
    assert alike(usual, single)
    assert model_hash == hashlib.sha256(file.read_bytes()).hexdigest()


async def test_a_pickled_file_of_the_first_years(
    small: Callable[[str], tuple[Path, Weights]],
    entry_of: Callable[..., ModelEntry],
    drawn: Callable[..., Awaitable[tuple[bytes, str]]],
    tmp_path: Path,
) -> None:
    root, weights = small("sd1")
    old = OrderedDict((name.replace(".transformer.text_model.", ".transformer."), weights[name]) for name in weights)
    old |= {
        "model_ema.decay": torch.zeros(()),
        "cond_stage_model.transformer.embeddings.position_ids": torch.arange(77),
    }
    assert not any("text_model" in name for name in old)
    torch.save({"state_dict": old, "global_step": 7}, tmp_path / "old.ckpt")
    usual, _ = await drawn(entry_of("sd1", root, folder=str(root / "folder")))
    pickled, _ = await drawn(entry_of("sd1", root, file=tmp_path / "old.ckpt"))
    assert alike(usual, pickled)


_OF_DIFFUSERS = {"q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0", "norm": "group_norm"}
_OF_ITS_FIRST_YEAR = {"q": "query", "k": "key", "v": "value", "proj_out": "proj_attn"}


def renamed(weights: Weights, layers: dict[str, str], *, flat: bool) -> Weights:
    """The decoder's attention with other names for its layers, which are matrices there."""
    found = {}
    for name, tensor in weights.items():
        head, middle, layer = name.partition(".mid.attn_1.")
        kind, _, end = layer.partition(".")
        if middle and kind in layers:
            name = f"{head}{middle}{layers[kind]}.{end}"
            tensor = tensor[:, :, 0, 0].contiguous() if flat and tensor.ndim == 4 else tensor
        found[name] = tensor
    return found


def turned(weights: Weights) -> Weights:
    """The second encoder's projection as transformers keeps it."""
    name = "conditioner.embedders.1.model.text_projection"
    rest = {key: tensor for key, tensor in weights.items() if key != name}
    return {**rest, f"{name}.weight": weights[name].T.contiguous()}


OTHER_NAMES: dict[str, tuple[str, Callable[[Weights], Weights]]] = {
    "vae": ("sd1", lambda weights: renamed(weights, _OF_DIFFUSERS, flat=True)),
    "vae, as convolutions": ("sd1", lambda weights: renamed(weights, _OF_DIFFUSERS, flat=False)),
    "vae of the first year": ("sdxl", lambda weights: renamed(weights, _OF_ITS_FIRST_YEAR, flat=True)),
    "projection": ("sdxl", turned),
}


@pytest.mark.parametrize("case", OTHER_NAMES)
def test_other_names_for_the_same_thing(
    case: str,
    small: Callable[[str], tuple[Path, Weights]],
    entry_of: Callable[..., ModelEntry],
    tmp_path: Path,
) -> None:
    kind, rename = OTHER_NAMES[case]
    root, weights = small(kind)
    other = rename(weights)
    assert other.keys() != weights.keys()
    parts = []
    for name, state in (("usual", weights), ("other", other)):
        file = tmp_path / f"{name}.safetensors"
        safetensors.torch.save_file(state, file)
        entry = entry_of(kind, root, file=file)
        assert entry.file_problem() is None
        pipe, _ = single_file_loader.load(entry, entry.abilities, file, torch.float32, monitor=Watcher())
        parts.append([part.state_dict() for part in pipe.components.values() if isinstance(part, torch.nn.Module)])
    for one, same in zip(*parts, strict=True):
        assert one.keys() == same.keys()
        assert all(torch.equal(one[key], same[key]) for key in one)


def test_a_dictionary_in_itself_has_an_end(tmp_path: Path) -> None:
    content: dict[str, object] = {"weight": torch.zeros(2)}
    content["state_dict"] = content
    torch.save(content, tmp_path / "loop.ckpt")
    assert list(single_file_loader._read(tmp_path / "loop.ckpt")) == ["weight"]


async def test_a_file_or_its_entry_may_say_what_it_predicts(
    small: Callable[[str], tuple[Path, Weights]],
    entry_of: Callable[..., ModelEntry],
    drawn: Callable[..., Awaitable[tuple[bytes, str]]],
    tmp_path: Path,
) -> None:
    root, weights = small("sdxl")
    plain, marked = tmp_path / "plain.safetensors", tmp_path / "marked.safetensors"
    safetensors.torch.save_file(weights, plain)
    safetensors.torch.save_file({**weights, "v_pred": torch.zeros(1)}, marked)
    cases = ((plain, None), (plain, "v_prediction"), (marked, None), (marked, "epsilon"))
    entries = [entry_of("sdxl", root, file=file, prediction=prediction) for file, prediction in cases]
    pictures = [(await drawn(entry))[0] for entry in entries]
    assert pictures[0] == pictures[3] != pictures[1] == pictures[2]


def without(prefix: str) -> Callable[[Weights], Weights]:
    return lambda weights: {name: tensor for name, tensor in weights.items() if not name.startswith(prefix)}


@pytest.mark.parametrize(
    ("kind", "broken", "said"),
    [
        ("sdxl", without("first_stage_model."), "is not complete: it holds no decoder (VAE)"),
        ("sdxl", without("conditioner.embedders.1."), "is not complete: it holds no second text encoder"),
        ("sd1", without("cond_stage_model."), "is not complete: it holds no text encoder"),
        ("sd1", without("first_stage_model.decoder.mid"), "is not complete: weights of its decoder (VAE) are missing"),
        (
            "sd1",
            without("cond_stage_model.transformer.text_model.encoder.layers.1."),
            "is not complete: weights of its text encoder are missing",
        ),
        (
            "sdxl",
            without("model.diffusion_model.output_blocks.5"),
            "is not complete: weights of its U-Net are missing",
        ),
        ("sdxl", without("model.diffusion_model.label_emb"), "is not complete: weights of its U-Net are missing"),
        (
            "sd1",
            lambda weights: {**weights, "model.diffusion_model.out.2.bias": torch.zeros(9)},
            "does not fit the kind of model that it seems to be",
        ),
    ],
)
async def test_what_is_missing_is_said_with_the_files_name(
    kind: str,
    broken: Callable[[Weights], Weights],
    said: str,
    small: Callable[[str], tuple[Path, Weights]],
    entry_of: Callable[..., ModelEntry],
    process: GpuProcess,
    make_task: Callable[..., Draw],
    tmp_path: Path,
) -> None:
    root, weights = small(kind)
    safetensors.torch.save_file(broken(weights), tmp_path / "half.safetensors")
    task = make_task(entry=entry_of(kind, root, file=tmp_path / "half.safetensors"))
    with pytest.raises(JobFailed) as failed:
        await process.draw(task, lambda _: None)
    assert failed.value.code == "model_broken"
    assert failed.value.message == f"The model mine cannot be used: the file half.safetensors {said}."


async def test_a_file_of_another_family(
    small: Callable[[str], tuple[Path, Weights]],
    entry_of: Callable[..., ModelEntry],
    process: GpuProcess,
    make_task: Callable[..., Draw],
    tmp_path: Path,
) -> None:
    root, weights = small("sd1")
    safetensors.torch.save_file(weights, tmp_path / "a.safetensors")
    task = make_task(entry=entry_of("sdxl", root, file=tmp_path / "a.safetensors"))
    with pytest.raises(JobFailed, match=r"the file a.safetensors is made for Stable Diffusion 1 and 2, not for SDXL\."):
        await process.draw(task, lambda _: None)
