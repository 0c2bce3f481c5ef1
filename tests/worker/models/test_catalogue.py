"""The catalogue, the files of models and the names of samplers: all without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from otterbot_worker.gpu import probe
from otterbot_worker.models import catalogue as catalogues
from otterbot_worker.models import files
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry
from otterbot_worker.models.entry_file import SHIPPED, CatalogueError
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.requests.input_images import Sources
from otterbot_worker.requests.resolve import Refused, resolve_image
from otterbot_worker.sampling import samplers
from otterbot_worker.schemas.requests import ImageRequest, InitImage

GOOD = """
models:
  mine:
    hub: somebody/something
    family: sd
    about: my own
    defaults: {steps: 20, guidance_scale: 7, width: 512, height: 512, sampler: dpm++ 2m karras}
"""


def test_shipped_models(tmp_path: Path) -> None:
    shipped = load_catalogue(data_dir=tmp_path).images
    assert set(shipped) == {
        "ssd-1b",
        "sdxl-turbo",
        "sdxl",
        "sdxl-refined",
        "proteus",
        "sd35-medium",
        "z-image-turbo",
        "flux2-klein",
        "sd14",
        "sd15",
        "sd21",
        "anything-v3",
        "otter-mini",
    }
    default = shipped["ssd-1b"].defaults
    assert (default.width, default.steps, default.guidance_scale, default.sampler) == (768, 30, 12.0, "UniPC")
    assert shipped["sdxl"].defaults.steps == 30
    weighted = {name: entry.defaults.guidance_scale_weighted for name, entry in shipped.items()}
    assert {name: cfg for name, cfg in weighted.items() if cfg is not None} == {"sdxl": 13.0, "sdxl-refined": 13.0}
    refiner = shipped["sdxl-refined"].refiner
    assert refiner is not None
    assert (refiner.name, refiner.hand_over) == ("stable-diffusion-xl-refiner-1.0", 0.8)
    for entry in shipped.values():
        assert entry.about.endswith(".")
        assert entry.licence
        assert ModelEntry.from_dict(json.loads(json.dumps(entry.as_dict()))) == entry


def test_one_model_lies_in_the_package_itself(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(GOOD.replace("hub: somebody/something", "shipped: otter-mini"))
    images = load_catalogue(own, data_dir=tmp_path).images
    here = images["otter-mini"].here()
    assert here == SHIPPED.with_name("otter-mini")
    assert images["mine"].here() == here, "an operator may give it other defaults"
    assert sum(path.stat().st_size for path in here.rglob("*") if path.is_file()) <= 25e6
    files.check(here, None)


@pytest.mark.parametrize("name", load_catalogue(data_dir=Path("/nowhere")).images)
def test_the_defaults_of_every_shipped_model_can_be_drawn(tmp_path: Path, name: str) -> None:
    catalogue = load_catalogue(data_dir=tmp_path, downloads_allowed=True)
    entry = catalogue.images[name]
    resolved = resolve_image(ImageRequest(prompt="otter", seed=1, model=name), catalogue, name)
    assert resolved.sampler in entry.abilities.samplers
    asked = ImageRequest(prompt="otter", seed=1, model=name, sampler="DDIM", steps=entry.limits.steps_max + 1)
    with pytest.raises(Refused) as refused:
        resolve_image(asked, catalogue, name)
    said = {problem.code: problem.message for problem in refused.value.problems}
    assert "too_many" in said
    if "DDIM" not in entry.abilities.samplers:
        assert said["sampler_mismatch"].endswith(f"It takes: {', '.join(entry.abilities.samplers)}.")
    if entry.limits.steps_min > 1:
        with pytest.raises(Refused, match="cannot be run"):
            resolve_image(ImageRequest(prompt="otter", seed=1, model=name, steps=1), catalogue, name)


def test_what_a_family_cannot_do_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    catalogue = load_catalogue(data_dir=tmp_path, downloads_allowed=True)
    asked = ImageRequest(prompt="otter", seed=1, model="flux2-klein", init_image=InitImage(id="0" * 64))
    start = Input(client="c", id="0" * 64, width=512, height=512, size=1, private=False, used_at=0.0)
    with pytest.raises(Refused) as refused:
        resolve_image(asked, catalogue, "flux2-klein", Sources(start=start))
    assert [(problem.field, problem.code) for problem in refused.value.problems] == [
        ("request.init_image", "no_pictures")
    ]
    assert catalogue.images["flux2-klein"].abilities.ignores == (
        "negative prompts",
        "weights in prompts",
        "LoRAs",
        "embeddings",
        "pictures to start from",
        "ControlNets",
    )
    assert catalogue.images["ssd-1b"].abilities.ignores == ()


def test_single_files_and_refiners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    own = tmp_path / "own.yaml"
    own.write_text(
        GOOD.replace("hub: somebody/something", "file: anime/any.safetensors\n    config: sd1")
        + GOOD.replace("models:\n  mine", "  fetched").replace("something", "something\n    file: a/any.ckpt")
        + GOOD.replace("models:\n  mine", "  fine").replace("family: sd", "family: sdxl\n    refiner: {folder: second}")
    )
    images = load_catalogue(own, data_dir=tmp_path).images
    mine, fetched, fine = images["mine"], images["fetched"], images["fine"]
    assert mine.file == str(tmp_path / "checkpoints" / "anime" / "any.safetensors")
    assert mine.config == "sd1"
    assert (fetched.hub, fetched.file) == ("somebody/something", "a/any.ckpt")
    assert fine.refiner is not None
    assert (fine.refiner.name, fine.refiner.hand_over) == ("second", 0.8)
    for entry in (mine, fetched, fine):
        assert ModelEntry.from_dict(json.loads(json.dumps(entry.as_dict()))) == entry
        assert entry.here() is None
    place = Path(mine.file)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    assert mine.here() == place


def test_an_operators_own_file_adds_and_replaces(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(GOOD + GOOD.replace("models:\n  mine", "  sd15").replace("\nmodels:", ""))
    images = load_catalogue(own, data_dir=tmp_path).images
    assert images["mine"].defaults.sampler == "DPM++ 2M Karras"
    assert images["sd15"].about == "my own"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hub: somebody/something", "hub: somebody", "mine: hub"),
        ("    hub: somebody/something\n", "", "exactly one of hub, folder, file"),
        (
            "hub: somebody/something",
            "hub: a/b\n    shipped: otter-mini",
            "exactly one of hub, folder, file",
        ),
        ("hub: somebody/something", "file: a.bin", "mine: file"),
        ("about: my own", "about: my own\n    config: sd1", "only a file needs them"),
        ("about: my own", "about: my own\n    prediction: epsilon", "only a file needs them"),
        ("hub: somebody/something\n    family: sd", "file: a.gguf\n    family: zimage", "cannot come as a single one"),
        ("hub: somebody/something", "file: a.ckpt\n    folder: a", "exactly one of hub, folder, file"),
        ("about: my own", "about: my own\n    refiner: {hub: a/b}", "refiner: sd has none"),
        ("about: my own", "about: my own\n    transformer: {file: a.gguf}", "transformer: sd has none"),
        ("about: my own", "about: my own\n    without: [vae]", "cannot do without vae"),
        ("family: sd", "family: sdxl\n    refiner: {hand_over: 0.5}", "exactly one of hub and folder"),
        ("family: sd", "family: sdxl\n    refiner: {hub: a/b, hand_over: 1.0}", "refiner.hand_over"),
        ("about: my own", "about: my own\n    limits: {steps_min: 25}", "fewer than limits.steps_min"),
        ("hub: somebody/something", "shipped: ../../secrets", "mine: shipped"),
        ("family: sd", "family: flux", "family"),
        ("about: my own", "about: my own\n    colour: red", "colour"),
        ("steps: 20", "steps: 0", "defaults.steps"),
        ("guidance_scale: 7", "guidance_scale: .nan", "defaults.guidance_scale"),
        ("width: 512", "width: 500", "limits"),
        ("dpm++ 2m karras", "nonsense", "defaults.sampler"),
        ("models:", "modles:", "expected one key, models"),
        ("mine:", "mi ne:", "without spaces"),
        ("about: my own", "about: [", "no YAML from line"),
        ("about: my own", "about: 2024-13-45", "no YAML"),
        ("about: my own", "about: my own\n    limits: {steps_max: 5}", "defaults.steps: more than limits.steps_max"),
        ("about: my own", "about: my own\n    limits: {guidance_scale_max: 2}", "more than limits.guidance_scale_max"),
        ("scale: 7,", "scale: 7, guidance_scale_weighted: 31,", "defaults.guidance_scale_weighted: Input should be"),
        ("scale: 7,", "scale: 7, guidance_scale_weighted: much,", "defaults.guidance_scale_weighted"),
        (
            "    defaults: {steps: 20, guidance_scale: 7,",
            "    limits: {guidance_scale_max: 10}\n"
            "    defaults: {steps: 20, guidance_scale: 7, guidance_scale_weighted: 13,",
            "defaults.guidance_scale_weighted: more than limits.guidance_scale_max",
        ),
        (
            "sd\n    about: my own\n    defaults: {steps: 20, guidance_scale: 7,",
            "sd3\n    about: my own\n    limits: {size_multiple: 16}\n"
            "    defaults: {steps: 20, guidance_scale: 7, guidance_scale_weighted: 9,",
            "defaults.guidance_scale_weighted: weights have no effect with sd3",
        ),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(GOOD.replace(old, new))
    with pytest.raises(CatalogueError) as refused:
        load_catalogue(own, data_dir=tmp_path)
    assert said in str(refused.value)
    assert "own.yaml" in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path / "none.yaml", data_dir=tmp_path)


def test_what_is_available(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    catalogue = load_catalogue(data_dir / "models.yaml", data_dir=data_dir)
    images = catalogue.images
    assert catalogue.available(images["tiny-xl"])
    assert catalogue.available(images["otter-mini"])
    assert not catalogue.available(images["sd15"])
    assert catalogue.available(images["sd15"], downloads_allowed=True)
    elsewhere = load_catalogue(data_dir / "models.yaml", data_dir=tmp_path)
    assert not elsewhere.available(elsewhere.images["tiny-xl"], downloads_allowed=True)
    root = tmp_path / "hub" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("abc")
    (root / "snapshots").mkdir()
    (root / "snapshots" / "abc").symlink_to(data_dir / "models" / "otter-noise")
    assert catalogue.available(images["sd15"])


@pytest.mark.parametrize(
    ("family", "part", "available"),
    [
        ("sdxl", "refiner: {hub: somebody/second}", True),
        ("sdxl", "refiner: {folder: away}", False),
        ("sd3", "transformer: {hub: somebody/second, file: a.gguf}", True),
        ("sd3", "transformer: {file: away.gguf}", False),
    ],
)
def test_a_part_that_no_hub_has_makes_a_model_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, part: str, available: bool
) -> None:
    """Else a request is accepted, waits, and fails when it is drawn."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    own = tmp_path / "own.yaml"
    text = GOOD.replace("family: sd", f"family: {family}\n    {part}\n    limits: {{size_multiple: 16}}")
    own.write_text(text.replace("dpm++ 2m karras", "euler"))
    catalogue = load_catalogue(own, data_dir=tmp_path, downloads_allowed=True)
    assert catalogue.available(catalogue.images["mine"]) is available


def test_the_default_model_and_the_notice(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    offline, online = (load_catalogue(data_dir=data_dir, downloads_allowed=allowed) for allowed in (False, True))
    assert offline.default_model("cpu", configured="sd15") == ("sd15", None)
    for catalogue, device, why, way_out in (
        (offline, "cpu", "downloads are not allowed", "images.downloads"),
        (offline, "cuda", "downloads are not allowed", "images.downloads"),
        (online, "cpu", "no CUDA card", "by name"),
    ):
        name, notice = catalogue.default_model(device)
        assert name == "otter-mini"
        assert notice is not None
        assert all(words in notice for words in ("otter-mini, the small model", why, way_out))
    assert online.default_model("cuda") == ("ssd-1b", None)
    with_own = load_catalogue(data_dir / "models.yaml", data_dir=data_dir, downloads_allowed=True)
    assert with_own.default_model("cpu") == ("tiny-sd", None), "what somebody has put here is meant to be used"


def test_a_hash_changes_with_the_weights(data_dir: Path, broken_copy: Callable[[str], tuple[Path, Any]]) -> None:
    folder, _ = broken_copy("sdxl")
    before = files.model_hash(folder, None)
    assert before == files.model_hash(data_dir / "models" / "otter-noise", "fp16")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert files.model_hash(folder, None) != before


@pytest.mark.parametrize(
    "name",
    ["model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "vae/config.json",
     "text_encoder_2/config.json"],
)  # fmt: skip
def test_a_hash_changes_with_the_settings(broken_copy: Callable[[str], tuple[Path, Any]], name: str) -> None:
    """The same weights draw something else where they are said to predict something else."""
    folder, _ = broken_copy("sdxl")
    before = files.model_hash(folder, None)
    settings = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**settings, "prediction_type": "v_prediction"}))
    assert files.model_hash(folder, None) != before


@pytest.mark.parametrize(
    ("size", "changed"),
    [(100, 1), (files.MIB, 1), (2 * files.MIB + 1, 1), (6 * files.MIB, 1), (20 * files.MIB, files.MIB // 2)],
)
def test_a_hash_looks_into_the_middle(tmp_path: Path, size: int, changed: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes(size))
    before = files.files_hash(tmp_path, [path])
    for place in (0, size // 3, size // 2, size - changed):
        with path.open("r+b") as file:
            file.seek(place)
            file.write(b"x" * changed)
        assert files.files_hash(tmp_path, [path]) != before
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes(changed))
    assert files.files_hash(tmp_path, [path]) == before


def test_a_hash_reads_little_of_a_large_file() -> None:
    for size in (0, 1, files.MIB, 6 * files.MIB, 6 * files.MIB + 1, 5 << 30):
        sampled = files._sampled(size)
        assert sum(length for _, length in sampled) <= 6 * files.MIB
        assert all(start >= 0 and start + length <= size for start, length in sampled)
        assert sampled[-1][0] + sampled[-1][1] == size


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("unipc", "UniPC"),
        ("EULER A", "Euler a"),
        ("euler_a", "Euler a"),
        ("dpm++2m-karras", "DPM++ 2M Karras"),
        ("plms", "PNDM"),
        ("nonsense", None),
        ("", None),
    ],
)
def test_samplers_by_the_names_that_people_type(typed: str, name: str | None) -> None:
    assert samplers.resolve(typed) == name


def test_no_torch_is_needed_for_any_of_this() -> None:
    program = (
        "import sys; from otterbot_worker.sampling import samplers; from otterbot_worker.gpu import probe, process;"
        "from otterbot_worker.models import catalogue; from otterbot_worker import prompts;"
        "print(probe.device_kind()); sys.exit('torch' in sys.modules or 'diffusers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("cpu", "cuda")
    assert probe.device_kind("cuda:0") == "cuda"
    assert SHIPPED.is_file()


def test_only_what_can_be_had_completely_may_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    shipped = load_catalogue(data_dir=tmp_path).images
    klein, refined, anything = (shipped[name] for name in ("flux2-klein", "sdxl-refined", "anything-v3"))
    assert klein.transformer is not None
    assert refined.refiner is not None
    entries = {
        "all": klein,
        "file": anything,
        "lone file": replace(anything, hub=None, file=str(tmp_path / "a.safetensors")),
        "lone transformer": replace(klein, transformer=replace(klein.transformer, hub=None, file=str(tmp_path / "a"))),
        "lone refiner": replace(refined, refiner=replace(refined.refiner, hub=None, folder=str(tmp_path / "b"))),
        "lone folder": replace(klein, hub=None, folder=str(tmp_path / "c")),
    }
    catalogue = catalogues.Catalogue(entries)
    assert [name for name, one in entries.items() if catalogue.available(one, downloads_allowed=True)] == [
        "all",
        "file",
    ]
    assert not any(catalogue.available(one, downloads_allowed=False) for one in entries.values())
    (tmp_path / "a").write_bytes(b"")
    lone = entries["lone transformer"]
    assert catalogue.available(lone, downloads_allowed=True)
    assert not catalogue.available(lone, downloads_allowed=False)
