"""A decoder (VAE) of the operator's own: what it may be, that it draws, and the sentence where it cannot."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldm
import pytest
import safetensors.torch
import torch
from engine_lab import alike

from otterbot_worker.errors import JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.models import files
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.models.entry_file import CatalogueError
from otterbot_worker.requests.resolve import Refused, resolve_image
from otterbot_worker.schemas.records import UsedVae
from otterbot_worker.schemas.requests import ImageRequest

Weights = dict[str, torch.Tensor]
WEIGHTS = "diffusion_pytorch_model.safetensors"
OLD = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Weights]:
    """A Stable Diffusion in small: ``folder``, ``config``, and what a single file of it holds."""
    root = tmp_path_factory.mktemp("sd1")
    return root, ldm.make("sd1", root)


@pytest.fixture
def entry(entries: dict[str, ModelEntry], small: tuple[Path, Weights]) -> ModelEntry:
    return replace(entries["sd"], name="mine", folder=str(small[0] / "folder"))


@pytest.fixture
def draw(process: GpuProcess, make_task: Callable[..., Draw]) -> Callable[[ModelEntry], Any]:
    async def one(entry: ModelEntry) -> tuple[Any, bytes]:
        task = make_task(entry=entry)
        drawn = await process.draw(task, lambda _: None)
        return drawn, task.output.read_bytes()

    return one


def brighter(weights: Weights) -> Weights:
    """Another decoder, by the bias of its last layer."""
    return {key: tensor + 0.2 if key.endswith("decoder.conv_out.bias") else tensor for key, tensor in weights.items()}


def as_folder(place: Path, source: Path, weights: Weights, name: str = WEIGHTS) -> Path:
    place.mkdir()
    shutil.copy(source / "config.json", place)
    safetensors.torch.save_file(weights, place / name)
    return place


def layouts(place: Path, root: Path, whole: Weights) -> dict[str, Path]:
    """The same decoder in every form that one may have."""
    own = root / "folder" / "vae"
    plain = brighter(safetensors.torch.load_file(own / WEIGHTS))
    whole = brighter(whole)
    old = dict(plain)
    for new, name in OLD.items():
        old = {key.replace(f".{new}.", f".{name}."): tensor for key, tensor in old.items()}
    assert old.keys() != plain.keys()
    prefix = "first_stage_model."
    original = {key.removeprefix(prefix): tensor for key, tensor in whole.items() if key.startswith(prefix)}
    made = {"folder": as_folder(place / "folder", own, plain)}
    made["half"] = as_folder(place / "half", own, plain, WEIGHTS.replace(".safe", ".fp16.safe"))
    made["old folder"] = as_folder(place / "old", own, old)
    for name, weights in (("plain", plain), ("original", original), ("whole", whole), ("of old", old)):
        made[name] = place / f"{name}.safetensors"
        safetensors.torch.save_file({**weights, "more": torch.zeros(1)}, made[name])
    return made


async def test_it_draws_and_stands_in_the_record_whatever_form_it_has(
    draw: Callable[[ModelEntry], Any], entry: ModelEntry, small: tuple[Path, Weights], tmp_path: Path
) -> None:
    root, whole = small
    drawn, plain = await draw(entry)
    assert drawn.vae is None
    single = tmp_path / "single.safetensors"
    safetensors.torch.save_file(whole, single)
    pictures = {}
    for name, path in layouts(tmp_path, root, whole).items():
        drawn, pictures[name] = await draw(replace(entry, vae_path=str(path)))
        assert drawn.notes == []
        weights = path if path.is_file() else next(path.glob("*.safetensors"))
        assert drawn.vae == UsedVae(name=path.name, hash=files.files_hash(weights.parent, [weights]))
    of_file = replace(entry, folder=None, file=str(single), config=str(root / "config"))
    drawn, pictures["single"] = await draw(replace(of_file, vae_path=str(tmp_path / "plain.safetensors")))
    assert drawn.vae is not None
    headless = {name: tensor for name, tensor in whole.items() if not name.startswith("first_stage_model.")}
    safetensors.torch.save_file(headless, single)
    assert of_file.file_problem() == "The file single.safetensors is not complete: it holds no decoder (VAE)."
    of_file = replace(of_file, vae_path=str(tmp_path / "plain.safetensors"))
    assert of_file.file_problem() is None
    _, pictures["single without its own"] = await draw(of_file)
    assert [name for name, pixels in pictures.items() if not alike(pixels, pictures["folder"])] == []
    assert not alike(plain, pictures["folder"])
    mean = [sum(pixels) / len(pixels) for pixels in (plain, pictures["folder"])]
    assert mean[1] > mean[0] + 10, "in full precision, too"


async def test_what_cannot_be_used_is_said(
    draw: Callable[[ModelEntry], Any], entry: ModelEntry, small: tuple[Path, Weights], tmp_path: Path
) -> None:
    own = small[0] / "folder" / "vae"
    weights = safetensors.torch.load_file(own / WEIGHTS)
    (tmp_path / "cut.safetensors").write_bytes((own / WEIGHTS).read_bytes()[:-9])
    (tmp_path / "text.safetensors").write_bytes(b"this is a text" * 10)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").mkdir()
    shutil.copy(own / WEIGHTS, tmp_path / "bare")
    first = {**weights, "decoder.conv_in.weight": torch.zeros(4, 16, 3, 3)}
    last = {**weights, "decoder.conv_out.weight": torch.zeros(3, 64, 3, 3)}
    for name, content in (
        ("lora", {"unet.x.lora_A.weight": torch.zeros(2, 2)}),
        ("flux", first),
        ("wide", last),
        ("half", {key: tensor for key, tensor in weights.items() if "up_blocks.1" not in key}),
    ):
        safetensors.torch.save_file(content, tmp_path / f"{name}.safetensors")
    for name, why in {
        "away": "is not there",
        "cut.safetensors": "is cut off",
        "text.safetensors": "is no safetensors file",
        "empty": f"has no {WEIGHTS} in its folder",
        "bare": "has no config.json of a decoder that can be used (an AutoencoderKL) in its folder",
        "lora.safetensors": "is no decoder (VAE)",
        "flux.safetensors": "is for another kind of model (its latents have 16 channels, not 4)",
    }.items():
        broken = replace(entry, vae_path=str(tmp_path / name))
        assert broken.file_problem() == f"Its decoder (VAE) {name} {why}."
        with pytest.raises(JobFailed) as failure:
            await draw(broken)
        said = f"The model mine cannot be used: its decoder (VAE) {name} {why}."
        assert (failure.value.code, failure.value.message) == ("model_broken", said)
    for name, why in (("wide", "does not fit this model"), ("half", "is not complete: weights are missing")):
        with pytest.raises(JobFailed, match=rf"its decoder \(VAE\) {name}.safetensors {why}\."):
            await draw(replace(entry, vae_path=str(tmp_path / f"{name}.safetensors")))


CATALOGUE = """
models:
  mine:
    shipped: otter-mini
    family: FAMILY
    vae: VAE
    about: a test
    defaults: {steps: 20, guidance_scale: 1, width: 128, height: 128, sampler: Euler}
    limits: {size_min: 96, size_multiple: 16}
"""


def own_file(data_dir: Path, vae: str, family: str = "sd") -> Path:
    path = data_dir / "own.yaml"
    path.write_text(CATALOGUE.replace("FAMILY", family).replace("VAE", vae))
    return path


@pytest.mark.parametrize(
    ("vae", "hub", "path"),
    [
        ("somebody/decoder", "somebody/decoder", None),
        ("my-vae", None, "models/my-vae"),
        ("my-vae.safetensors", None, "models/my-vae.safetensors"),
        ("anime/my-vae.safetensors", None, "models/anime/my-vae.safetensors"),
        ("./anime/my-vae", None, "models/anime/my-vae"),
        ("/srv/my vae", None, "/srv/my vae"),
    ],
)
def test_an_entry_names_a_repository_a_folder_or_a_file(
    tmp_path: Path, vae: str, hub: str | None, path: str | None
) -> None:
    entry = load_catalogue(own_file(tmp_path, vae), data_dir=tmp_path).images["mine"]
    assert (entry.vae, entry.vae_path) == (hub, None if path is None else str(tmp_path / path))
    assert ModelEntry.from_dict(entry.as_dict()) == entry


@pytest.mark.parametrize(
    ("vae", "family", "said"),
    [
        ("old.pt", "sd", "vae: a .safetensors file, a folder, or a repository as owner/name"),
        ("a/old.vae.PT", "sd", "vae: a .safetensors file"),
        ("my-vae", "flux2", "vae: flux2 takes none of your own"),
        ("''", "sd", "mine: vae"),
    ],
)
def test_what_can_never_be_one_stops_the_start(tmp_path: Path, vae: str, family: str, said: str) -> None:
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(own_file(tmp_path, vae, family), data_dir=tmp_path)
    assert said in str(refused.value)


def test_a_missing_one_is_listed_and_refused_before_it_waits(tmp_path: Path) -> None:
    catalogue = load_catalogue(own_file(tmp_path, "my-vae"), data_dir=tmp_path)
    request = ImageRequest(prompt="otter", seed=1, model="mine")
    with pytest.raises(Refused) as refused:
        resolve_image(request, catalogue, "mine")
    assert [(one.code, one.message) for one in refused.value.problems] == [
        ("model_broken", "mine cannot be used. Its decoder (VAE) my-vae is not there.")
    ]
    (tmp_path / "models").mkdir()
    shutil.copytree(Path(catalogue.images["otter-mini"].folder or "") / "vae", tmp_path / "models" / "my-vae")
    assert resolve_image(request, catalogue, "mine").model == "mine"
