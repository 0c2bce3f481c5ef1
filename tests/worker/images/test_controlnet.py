"""Steering by a ControlNet, on small real pipelines of both families; pixels against diffusers' own pipelines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import lora_files
import numpy as np
import pytest
import safetensors.torch
import tiny_controlnets
import torch
from draw_tasks import control_files
from engine_lab import Watcher
from PIL import Image, ImageDraw

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw, Drawn, UsedControlNet
from otterbot_worker.images.draw import canny, passes
from otterbot_worker.images.engine import Engine
from otterbot_worker.images.load import controlnet_loader
from otterbot_worker.images.load.controlnet import LoadedControlNet
from otterbot_worker.images.load.loader import load
from otterbot_worker.images.memory.placing import RESIDENT
from otterbot_worker.memory.device_info import Precision
from otterbot_worker.models import configs, controlnets
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry

Draws = Callable[..., tuple[Drawn, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore")
FAMILIES = ("sd", "sdxl")


@pytest.fixture(scope="module")
def pipes(entries: dict[str, ModelEntry]) -> dict[str, Any]:
    device = torch.device("cpu")
    return {family: load(entries[family], device, RESIDENT, downloads=False, monitor=Watcher()) for family in FAMILIES}


@pytest.fixture(scope="module")
def nets(pipes: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one ControlNet for each, in each layout: ``FAMILY``, ``FAMILY.safetensors``…"""
    folder = tmp_path_factory.mktemp("nets")
    for family in FAMILIES:
        net = tiny_controlnets.make(pipes[family].pipe.unet)
        tiny_controlnets.save_folder(net, folder / family)
        tiny_controlnets.save_file(net, folder / f"{family}-file.safetensors")
        safetensors.torch.save_file(tiny_controlnets.original_names(net), folder / f"{family}-original.safetensors")
    return folder


class ControlNets:
    @staticmethod
    def folder(path: Path) -> Any:
        return diffusers.ControlNetModel.from_pretrained(path, local_files_only=True)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "control.png"
    image = Image.new("RGB", (96, 64), (90, 140, 60))
    ImageDraw.Draw(image).ellipse((20, 8, 70, 56), fill=(230, 40, 80))
    image.save(path)
    return path


@pytest.fixture
def control(nets: Path, picture: Path) -> Callable[..., dict[str, Any]]:
    def control(name: str, **changes: Any) -> dict[str, Any]:
        path = Path(changes.get("path", nets / name))
        weights = controlnets.weights_in(path)
        hashed = controlnets.hash_of(weights) if weights is not None else None
        fields = {"name": name, "hash": hashed, "hub": None, "path": str(path), "picture": str(picture)}
        return {**fields, "canny": True, "scale": 1.0, "start": 0.0, "end": 1.0, **changes}

    return control


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    def draw(*, family: str = "sd", watcher: Watcher | None = None, **changes: Any) -> tuple[Drawn, bytes]:
        fields = {"prompt": "a red cat", "negative_prompt": "blurry", "width": 96, "steps": 4, **changes}
        task = make_task(entry=entries[family], **fields)
        drawn = engine.draw(task, watcher or Watcher())
        return drawn, task.output.read_bytes()

    return draw


Control = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_setting_acts_and_none_is_none(draw: Draws, control: Control, family: str, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (96, 64), "white").save(other)
    plain = draw(family=family)[1]
    drawn, steered = draw(family=family, control=control(family))
    assert drawn.control == UsedControlNet(name=family, hash=control(family)["hash"])
    changes: list[dict[str, Any]] = [
        {}, {"scale": 0.5}, {"scale": 2.0}, {"start": 0.5}, {"end": 0.5}, {"canny": False}, {"picture": str(other)},
    ]  # fmt: skip
    pictures = [draw(family=family, control=control(family, **change))[1] for change in changes]
    assert pictures[0] == steered, "the same bytes again"
    assert len({plain, *pictures}) == 1 + len(changes)
    drawn, nothing = draw(family=family, control=control(family, scale=0.0))
    assert nothing == plain
    assert drawn.control == UsedControlNet(name=family, hash=control(family)["hash"])
    drawn, nothing = draw(family=family, control=control(family, start=0.4, end=0.6))
    assert (nothing, drawn.notes) == (plain, ["With so few steps none lies in the part that was to be steered."])
    assert draw(family=family)[1] == plain, "the base is what it was"
    assert draw(family=family)[0].control is None


BARE = {
    ("sd", False): diffusers.StableDiffusionControlNetPipeline,
    ("sd", True): diffusers.StableDiffusionControlNetImg2ImgPipeline,
    ("sdxl", False): diffusers.StableDiffusionXLControlNetPipeline,
    ("sdxl", True): diffusers.StableDiffusionXLControlNetImg2ImgPipeline,
}


@pytest.mark.parametrize("from_picture", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_pixels_are_those_of_the_bare_pipeline(
    draw: Draws,
    pipes: dict[str, Any],
    nets: Path,
    control: Control,
    make_task: Callable[..., Draw],
    picture: Path,
    family: str,
    from_picture: bool,
) -> None:
    loaded = pipes[family]
    kind = BARE[family, from_picture]
    bare = kind(
        **{**loaded.family.load_arguments, **loaded.pipe.components}, controlnet=ControlNets.folder(nets / family)
    )
    bare.set_progress_bar_config(disable=True)
    edges = canny.edges(Image.open(picture))
    images = {"image": Image.open(picture), "control_image": edges, "strength": 0.8}
    for sampler, settings in (("UniPC", {}), ("Heun", {"scale": 0.7, "start": 0.3, "end": 0.8})):
        task = make_task(sampler=sampler)
        bare.scheduler = passes.scheduler(task, loaded.base_scheduler)
        image = bare(
            "a red cat",
            **(images if from_picture else {"image": edges}),
            negative_prompt="blurry",
            width=96,
            height=64,
            num_inference_steps=5,
            guidance_scale=5.0,
            controlnet_conditioning_scale=settings.get("scale", 1.0),
            control_guidance_start=settings.get("start", 0.0),
            control_guidance_end=settings.get("end", 1.0),
            generator=torch.Generator("cpu").manual_seed(7),
        ).images[0]
        start = {"init_image": str(picture), "strength": 0.8} if from_picture else {}
        wanted = control(family, **settings)
        ours = np.frombuffer(draw(family=family, sampler=sampler, steps=5, control=wanted, **start)[1], np.uint8)
        difference = ours.astype(int) - np.frombuffer(image.tobytes(), np.uint8)
        # compel's embeddings of an unweighted prompt are the pipeline's own but for the last bit.
        assert np.abs(difference).max() <= 1
        assert (difference != 0).mean() < 0.001


def test_every_layout_is_the_same_net(draw: Draws, control: Control) -> None:
    for family in FAMILIES:
        expected = draw(family=family, steps=2, control=control(family))[1]
        for layout in ("file", "original"):
            one = control(f"{family}-{layout}.safetensors")
            assert draw(family=family, steps=2, control=one)[1] == expected


PUBLISHED = {"sd1": 361_279_120, "sd2": 364_228_240, "sdxl": 1_251_014_160}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_shapes_of_full_size_say_what_the_net_is(kind: str) -> None:
    """Without any numbers in them. How many heads there are is the U-Net's to say."""
    with torch.device("meta"):
        unet: Any = diffusers.UNet2DConditionModel.from_config(configs.part(kind, "unet"))
        net: Any = diffusers.ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    state = net.state_dict()
    assert sum(tensor.numel() for tensor in state.values()) == PUBLISHED[kind]
    found = controlnet_loader._config(state, unet.config)
    for name, value in found.items():
        depths = name == "transformer_layers_per_block" and isinstance(net.config[name], int)
        same = [net.config[name]] * len(value) if depths else net.config[name]
        assert (list(value) if isinstance(value, tuple) else value) == (list(same) if isinstance(same, tuple) else same)
    original = controlnet_loader._converted(tiny_controlnets.original_names(net))
    assert {name: tensor.shape for name, tensor in original.items()} == {n: t.shape for n, t in state.items()}


@pytest.mark.parametrize("sampler", ["PNDM", "Heun", "DPM++ 2M Karras"])
def test_steps_are_counted_as_the_sampler_makes_them(draw: Draws, control: Control, sampler: str) -> None:
    """Of the second order, or with one more than was asked for: half of all of them is half."""
    assert draw(sampler=sampler, control=control("sd"))[1] != draw(sampler=sampler)[1]
    both = [draw(sampler=sampler, control=control("sd", **half))[1] for half in ({"end": 0.5}, {"start": 0.5})]
    assert both[0] != both[1]


def test_a_net_without_attention_fits_as_well(
    draw: Draws, control: Control, pipes: dict[str, Any], tmp_path: Path
) -> None:
    """As the small one for SDXL's edges is."""
    unet = pipes["sdxl"].pipe.unet
    config = {**tiny_controlnets.make(unet).config, "mid_block_type": "UNetMidBlock2D"}
    config["down_block_types"] = ["DownBlock2D"] * len(config["block_out_channels"])
    net = diffusers.ControlNetModel.from_config(config)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(1))
    pictures = {draw(family="sdxl")[1]}
    for path in (
        tiny_controlnets.save_folder(net, tmp_path / "a"),
        tiny_controlnets.save_file(net, tmp_path / "b.safetensors"),
    ):
        pictures.add(draw(family="sdxl", control=control("small", path=path))[1])
    assert len(pictures) == 2


def test_with_a_mask_and_a_lora(
    draw: Draws, control: Control, pipes: dict[str, Any], picture: Path, tmp_path: Path
) -> None:
    mask, lora = tmp_path / "mask.png", tmp_path / "lora.safetensors"
    image = Image.new("L", (96, 64))
    ImageDraw.Draw(image).rectangle((16, 8, 47, 39), fill="white")
    image.save(mask)
    safetensors.torch.save_file(lora_files.peft(lora_files.pairs(pipes["sd"].pipe)), lora)
    one = {"name": "lora", "path": str(lora), "hash": lora_files.digest(lora), "weight": 0.8}
    masked = {"init_image": str(picture), "mask": str(mask), "strength": 1.0}
    drawn = np.frombuffer(draw(**masked, control=control("sd"), loras=[one])[1], np.uint8).reshape(64, 96, 3)
    source, white = np.asarray(Image.open(picture)), np.asarray(image) > 0
    assert (drawn[~white] == source[~white]).all()
    others = [
        draw(**masked, control=control("sd")), draw(**masked, loras=[one]), draw(control=control("sd"), loras=[one]),
    ]  # fmt: skip
    assert len({drawn.tobytes(), *(other[1] for other in others)}) == 4


def test_under_a_mask_on_a_canvas_that_is_larger_than_the_picture(
    draw: Draws, control: Control, picture: Path, tmp_path: Path
) -> None:
    source = Image.open(picture).crop((0, 0, 91, 61))
    source.save(tmp_path / "odd.png")
    Image.new("L", source.size, "white").save(tmp_path / "all.png")
    files = {"init_image": str(tmp_path / "odd.png"), "mask": str(tmp_path / "all.png"), "strength": 1.0}
    odd = {**files, "width": 91, "height": 61, "canvas": [96, 64]}
    steered, free = draw(**odd, control=control("sd")), draw(**odd)
    assert (steered[0].width, steered[0].height, len(steered[1])) == (91, 61, 91 * 61 * 3)
    assert steered[1] != free[1]


def test_with_the_refiner_the_base_alone_is_steered(
    draw: Draws, control: Control, catalogue: Catalogue, entries: dict[str, ModelEntry]
) -> None:
    entries["refined"] = catalogue.images["tiny-refined"]
    try:
        plain = draw(family="refined", steps=5)[1]
        drawn, steered = draw(family="refined", steps=5, control=control("sdxl"))
        assert drawn.refiner is not None
        assert steered not in (plain, draw(family="sdxl", steps=5, control=control("sdxl"))[1])
    finally:
        del entries["refined"]


def test_it_is_kept_for_the_next_picture_and_no_longer(engine: Engine, draw: Draws, control: Control) -> None:
    def net() -> Any:
        assert engine.residency.loaded is not None
        return engine.residency.loaded.controls.net

    watcher = Watcher()
    draw(control=control("sd"))
    first = net()
    draw(control=control("sd", scale=0.4), watcher=watcher)
    assert net() is first
    assert "loading" not in {phase for phase, *_ in watcher.phases}
    draw(control=control("sd-file.safetensors"))
    assert net() is not first
    draw()
    assert net() is None
    assert engine.residency.loaded is not None
    assert not engine.residency.loaded.pipe.unet._forward_pre_hooks


def test_on_old_cards_it_is_kept_in_half_and_computes_in_full_precision(
    pipes: dict[str, Any], control: Control
) -> None:
    loaded, nets = pipes["sd"], [LoadedControlNet(), LoadedControlNet()]
    for one, storage in zip(nets, ("float32", "float16"), strict=True):
        precision = Precision(storage=storage, compute="float32")
        where = (RESIDENT, torch.device("cpu"), precision)
        one.load(loaded.pipe, control_files(control("sd")), *where, downloads=False, monitor=Watcher())
    numbers = torch.Generator().manual_seed(1)
    sample, words = torch.randn(2, 4, 8, 12, generator=numbers), torch.randn(2, 7, 32, generator=numbers)
    picture = torch.rand(2, 3, 64, 96, generator=numbers)
    full, half = (one.net(sample, 500, words, picture, return_dict=False)[1] for one in nets)
    assert half.dtype == torch.float32
    assert nets[1].net.conv_in.weight.dtype == torch.float16
    assert torch.allclose(full, half, atol=0.02 * float(full.abs().max()))
    assert not torch.equal(full, half)


def test_cancel_within_the_controlnet(engine: Engine, draw: Draws, control: Control) -> None:
    expected = draw(control=control("sd"))[1]
    assert engine.residency.loaded is not None
    reached: list[str] = []
    handle = engine.residency.loaded.controls.net.conv_in.register_forward_hook(lambda *_: reached.append("in"))

    class Cancelling(Watcher):
        def check(self) -> None:
            if reached:
                raise Cancelled

    try:
        with pytest.raises(Cancelled):
            draw(control=control("sd"), watcher=Cancelling())
    finally:
        handle.remove()
    assert reached == ["in"], "no step came after it"
    assert not engine.residency.loaded.pipe.unet._forward_pre_hooks
    assert draw(control=control("sd"))[1] == expected


def test_a_picture_without_edges_is_said_and_a_lost_one_ends_it(draw: Draws, control: Control, tmp_path: Path) -> None:
    flat = tmp_path / "flat.png"
    Image.new("RGB", (96, 64), "red").save(flat)
    assert draw(control=control("sd", picture=str(flat)))[0].notes == ["There are no edges in the picture that steers."]
    flat.unlink()
    with pytest.raises(JobFailed) as failed:
        draw(control=control("sd", picture=str(flat)))
    assert failed.value.code == "input_gone"
    assert "picture that steers" in failed.value.message


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _nan(path: Path) -> None:
    state = safetensors.torch.load_file(path)
    state["conv_in.weight"][0, 0, 0, 0] = float("nan")
    safetensors.torch.save_file(state, path)


def _lacking(path: Path) -> None:
    state = safetensors.torch.load_file(path)
    del state["conv_in.bias"]
    safetensors.torch.save_file(state, path)


def _headless(path: Path) -> None:
    state = {name: t for name, t in safetensors.torch.load_file(path).items() if not name.startswith("down_blocks")}
    safetensors.torch.save_file(state, path)


BAD: dict[str, Callable[[Path], object]] = {
    "cut off": _cut,
    "a text": lambda path: path.write_text("no weights at all"),
    "not finite": _nan,
    "a tensor lacks": _lacking,
    "half of it": _headless,
    "another model's": lambda path: shutil.copy(path.with_name("other.safetensors"), path),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_files_end_the_picture_with_a_sentence(
    draw: Draws, control: Control, nets: Path, tmp_path: Path, bad: str
) -> None:
    path = tmp_path / "mine.safetensors"
    shutil.copy(nets / "sd-file.safetensors", path)
    shutil.copy(nets / "sdxl-file.safetensors", tmp_path / "other.safetensors")
    plain = draw()[1]
    BAD[bad](path)
    with pytest.raises(JobFailed) as failed:
        draw(control=control("mine", path=path))
    assert failed.value.code == ("controlnet_missing" if bad == "gone" else "controlnet_broken")
    assert failed.value.message.startswith("The ControlNet mine ")
    assert str(tmp_path) not in failed.value.message
    assert draw()[1] == plain


def test_a_file_that_changed_since_is_not_taken(draw: Draws, control: Control, nets: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    shutil.copy(nets / "sd-file.safetensors", path)
    before = control("mine", path=path)
    _nan(path)
    with pytest.raises(JobFailed) as failed:
        draw(control=before)
    assert "was changed" in failed.value.message


def test_a_configuration_that_says_something_else(draw: Draws, control: Control, nets: Path, tmp_path: Path) -> None:
    for changes in ({"layers_per_block": 2}, {"block_out_channels": "x"}, {"in_channels": 9}, {"act_fn": 7}):
        folder = tmp_path / "net"
        shutil.copytree(nets / "sd", folder, dirs_exist_ok=True)
        config = json.loads((nets / "sd" / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(JobFailed) as failed:
            draw(control=control("net", path=folder))
        assert failed.value.code == "controlnet_broken"
