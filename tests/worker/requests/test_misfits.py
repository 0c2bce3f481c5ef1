"""What cannot fit a model is refused when it is asked for: before it waits, and before anything is fetched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hollow_controlnets import put as put_net
from hollow_loras import put, tensors
from hollow_models import SD1, SD2, SDXL, write

from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.models.estimates import needs_of, published
from otterbot_worker.models.loras import Library
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.requests.controlnet import find_controlnet
from otterbot_worker.requests.loras import find_loras
from otterbot_worker.schemas.requests import Control, ImageRequest

WIDTHS = {
    "ssd-1b": 2048, "sdxl-turbo": 2048, "sdxl": 2048, "sdxl-refined": 2048, "proteus": 2048,
    "sd14": 768, "sd15": 768, "anything-v3": 768, "sd21": 1024,
}  # fmt: skip
PICTURE = Input(client="c", id="0" * 64, width=512, height=512, size=1, private=False, used_at=0.0)


@pytest.fixture(autouse=True)
def _nothing_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def shipped(tmp_path: Path) -> dict[str, ModelEntry]:
    return dict(load_catalogue(data_dir=tmp_path).images)


def lora(width: int) -> bytes:
    place = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
    return tensors({f"{place}.lora_A.weight": [4, width], f"{place}.lora_B.weight": [320, 4]})


def snapshot(tmp_path: Path, hub: str) -> Path:
    """An empty one in the hub's cache."""
    root = tmp_path / "hub" / f"models--{hub.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("abc")
    folder = root / "snapshots" / "abc"
    folder.mkdir(parents=True)
    return folder


def test_how_wide_the_prompts_of_every_model_are_is_known_before_it_is_fetched(tmp_path: Path) -> None:
    found = {name: entry for name, entry in shipped(tmp_path).items() if entry.abilities.control}
    assert {name: entry.prompt_width() for name, entry in found.items() if name != "otter-mini"} == WIDTHS
    other = replace(found["sd15"], hub="somebody/something")
    assert other.prompt_width() is None, "nobody knows that one"
    assert shipped(tmp_path)["z-image-turbo"].prompt_width() is None


def test_the_files_of_a_repository_count_before_what_is_known_of_it(tmp_path: Path) -> None:
    entry = shipped(tmp_path)["sd15"]
    folder = snapshot(tmp_path, entry.hub or "")
    assert entry.prompt_width() == 768
    put(folder / "unet" / "config.json", json.dumps({"cross_attention_dim": 96}).encode())
    assert entry.prompt_width() == 96


@pytest.mark.parametrize(
    ("model", "fits", "refused"),
    [("sd15", "one", "two"), ("sd21", "two", "one"), ("anything-v3", "one", "two"), ("dropped", "two", "one")],
)
def test_loras_and_embeddings_of_the_other_stable_diffusion(
    tmp_path: Path, model: str, fits: str, refused: str
) -> None:
    for name, width in (("one", 768), ("two", 1024)):
        put(tmp_path / "loras" / f"{name}.safetensors", lora(width))
        put(tmp_path / "embeddings" / f"fur{name}.safetensors", tensors({"emb_params": [2, width]}))
    (tmp_path / "checkpoints").mkdir()
    write(tmp_path / "checkpoints" / "dropped.safetensors", SD2)
    entry = shipped(tmp_path)[model]
    wanted = find_loras("furone furtwo <lora:one:1> <lora:two:1>", "", entry, Library(tmp_path))
    assert [one.name for one in wanted.loras] == [fits]
    assert [(one.code, one.message) for one in wanted.problems] == [
        ("lora_mismatch", f"The LoRA `{refused}` is made for another model than {model}.")
    ]
    assert [one.name for one in wanted.embeddings] == [f"fur{fits}"]
    assert f"The embedding fur{refused} is made for another model than {model}" in wanted.notes[0]


def test_a_single_file_without_settings_in_its_entry_says_its_width_itself(tmp_path: Path) -> None:
    anything = shipped(tmp_path)["anything-v3"]
    unknown = replace(anything, hub=None, file=str(tmp_path / "a.safetensors"))
    assert unknown.prompt_width() is None
    for shapes, width in ((SD1, 768), (SD2, 1024), (SDXL, 2048)):
        write(tmp_path / "a.safetensors", shapes)
        assert unknown.prompt_width() == width
    write(snapshot(tmp_path, anything.hub or "") / (anything.file or ""), SD2)
    assert anything.prompt_width() == 1024, "the file that is here counts"


@pytest.mark.parametrize("downloads", [False, True])
def test_no_edges_for_stable_diffusion_2(tmp_path: Path, downloads: bool) -> None:
    """The known ControlNet is for SD 1, and would be fetched, and then not fit."""
    put_net(tmp_path, "own_canny.safetensors")
    request = ImageRequest(prompt="otter", seed=1, control=Control(kind="canny", id="0" * 64))
    models, nets = shipped(tmp_path), Library(tmp_path).controlnets
    steering = find_controlnet(request, PICTURE, models["sd21"], nets, downloads=downloads)
    assert steering.request is None
    assert [problem.code for problem in steering.problems] == ["controlnet_missing"]
    said = steering.problems[0].message
    assert said.startswith("No ControlNet for edges fits sd21.")
    assert "sd15" not in said
    named = request.model_copy(update={"control": Control(kind="own_canny", id="0" * 64)})
    steering = find_controlnet(named, PICTURE, models["sd21"], nets, downloads=downloads)
    assert [problem.code for problem in steering.problems] == ["controlnet_mismatch"]
    steering = find_controlnet(request, PICTURE, models["sd15"], nets, downloads=downloads)
    assert steering.request is not None
    assert steering.request.name == "own_canny"


def test_memory_is_planned_for_the_kind_that_a_single_file_is(tmp_path: Path) -> None:
    entry = replace(shipped(tmp_path)["anything-v3"], hub=None, file=str(tmp_path / "a.safetensors"))
    for shapes, kind in ((SD1, "sd1"), (SD2, "sd2")):
        write(tmp_path / "a.safetensors", shapes)
        assert needs_of(entry).parts == published(kind)
    assert needs_of(replace(entry, config="sd2-base")).parts == published("sd2")
    for name, kind in (("sd21", "sd2"), ("sd14", "sd1"), ("ssd-1b", "ssd-1b"), ("proteus", "sdxl")):
        assert needs_of(shipped(tmp_path)[name]).parts == published(kind)
