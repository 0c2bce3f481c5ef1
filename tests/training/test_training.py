"""A training gives the same bytes however often it is interrupted, keeps to its own files, and exports a model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from small_model import write_first_edition

from otter_mini import checkpoints, dataset, diffusion, export, loop, vae
from otter_mini.__main__ import main
from otter_mini.checkpoints import ForeignFiles, InUse
from otter_mini.evaluate import weights_of
from otter_mini.few_shot import same_bytes
from otter_mini.model_folder import side_of
from otter_mini.recipe import STAGES, Recipe
from otter_mini.training import Training

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "worker/otterbot_worker/models/otter-mini"
LIMIT = 25_000_000

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # numpy in UniPC


@pytest.fixture(scope="module", autouse=True)
def reproducible() -> Iterator[None]:
    """As ``__main__`` sets torch up."""
    export.quiet()
    with same_bytes(1):
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, copy_of: Callable[..., None]) -> Training:
    """A whole training. Tests that change its files do so in a copy."""
    whole = Training(recipe=Recipe.tiny(), directory=tmp_path_factory.mktemp("trained") / "whole", processes=1)
    copy_of("training", lambda folder: replace(whole, directory=folder).run(), whole.directory)
    return whole


@pytest.fixture
def copied(trained: Training, tmp_path: Path) -> Callable[[str], Training]:
    """A training like ``trained`` with everything done up to a stage."""

    def copy(until: str) -> Training:
        shutil.copytree(trained.directory, tmp_path / "copy")
        training = replace(trained, directory=tmp_path / "copy")
        for stage in STAGES[STAGES.index(until) + 1 :]:
            (training.directory / f"{stage}.done").unlink()
            for made in {
                "vae": ["vae", "vae-small.ckpt", "vae.ckpt"],
                "diffusion": ["diffusion.ckpt"],
                "negatives": ["negatives.ckpt"],
                "export": ["otter-mini"],
            }.get(stage, []):
                path = training.directory / made
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return training

    return copy


def files(folder: Path) -> dict[str, bytes]:
    """By name, but for the lock, which names a process."""
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "lock"}


def tensors(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def reading(names: list[str]) -> set[str]:
    """The weights that read the prompt."""
    return {name for name in names if name.startswith("text_encoder.") or ".attn2." in name}


def test_twice_in_different_places_gives_the_same_bytes(trained: Training, tmp_path: Path) -> None:
    """Also with another number of processes that draw."""
    again = Training(recipe=Recipe.tiny(), directory=tmp_path / "elsewhere", processes=2)
    again.run()
    for name in ("pictures.npy", "captions.json", "latents.npy", "check.png"):
        assert (again.directory / name).read_bytes() == (trained.directory / name).read_bytes(), name
    assert files(again.model) == files(trained.model)


def test_another_seed_gives_another_model(trained: Training) -> None:
    """So that equal bytes say something."""
    start = [diffusion.build(Recipe.tiny(seed=seed), 600).state_dict() for seed in (1, 1, 2)]
    assert all(torch.equal(start[0][name], start[1][name]) for name in start[0])
    assert not torch.equal(start[0]["unet.conv_in.weight"], start[2]["unet.conv_in.weight"])
    saved = tensors(trained.directory / "diffusion.ckpt")
    assert not torch.equal(saved["model"]["unet.conv_in.weight"], start[0]["unet.conv_in.weight"])


@pytest.mark.parametrize(
    ("stage", "before"),
    [("vae-small", "draw"), ("vae", "draw"), ("diffusion", "latents"), ("negatives", "diffusion")],
)
def test_interrupted_and_resumed_is_as_if_nothing_had_happened(
    trained: Training, copied: Callable[[str], Training], stage: str, before: str
) -> None:
    """Stopped at step 5 it goes on from its checkpoint at step 4; stopped at step 1 it begins anew."""
    training = copied(before)
    for at in (1, 5):
        with pytest.raises(loop.Interrupted):
            replace(training, stop_at=(stage, at)).run()
        assert not (training.directory / f"{stage.removesuffix('-small')}.done").exists()
    assert tensors(training.directory / f"{stage}.ckpt")["step"] == 4
    training.run()
    assert f"{stage}: goes on at step 4" in (training.directory / "log.txt").read_text()
    whole, resumed = (tensors(each.directory / f"{stage}.ckpt") for each in (trained, training))
    assert whole["step"] == resumed["step"] == 6
    assert all(map(torch.equal, whole["average"], resumed["average"]))
    assert all(torch.equal(tensor, resumed["model"][name]) for name, tensor in whole["model"].items())
    assert (training.directory / "latents.npy").read_bytes() == (trained.directory / "latents.npy").read_bytes()
    assert files(training.model) == files(trained.model)


def test_what_is_done_is_not_done_again(trained: Training) -> None:
    before = files(trained.directory)
    trained.run()
    after = files(trained.directory)
    lines = after.pop("log.txt")[len(before.pop("log.txt")) :].decode().splitlines()
    assert [line.split(maxsplit=1)[1] for line in lines] == [f"{stage}: done before" for stage in STAGES]
    assert after == before


def test_files_of_another_recipe_are_refused(trained: Training) -> None:
    before = files(trained.directory)
    tiny = trained.recipe
    for other, name in (
        (Recipe.tiny(seed=2), "draw.done"),
        (replace(tiny, vae=replace(tiny.vae, steps=7)), "vae.done"),
        (replace(tiny, start="another model"), "vae.done"),
        (replace(tiny, diffusion=replace(tiny.diffusion, steps=7)), "diffusion.done"),
        (replace(tiny, negatives=replace(tiny.negatives, steps=7)), "negatives.done"),
    ):
        with pytest.raises(ForeignFiles, match=f"{name} was made with another recipe or seed: take another directory"):
            replace(trained, recipe=other).run()
    assert files(trained.directory) | {"log.txt": b""} == before | {"log.txt": b""}


def test_a_checkpoint_of_another_recipe_is_refused(copied: Callable[[str], Training]) -> None:
    training = copied("latents")
    with pytest.raises(loop.Interrupted):
        replace(training, stop_at=("diffusion", 3)).run()
    more = replace(training.recipe.diffusion, steps=8)
    before = (training.directory / "diffusion.ckpt").read_bytes()
    with pytest.raises(ForeignFiles, match=r"diffusion\.ckpt was made with another recipe"):
        replace(training, recipe=replace(training.recipe, diffusion=more)).run()
    assert (training.directory / "diffusion.ckpt").read_bytes() == before


def test_a_stage_depends_on_its_own_part_and_those_before() -> None:
    tiny = Recipe.tiny()
    changed = {
        "draw": replace(tiny, data=replace(tiny.data, captions=3)),
        "vae": replace(tiny, vae=replace(tiny.vae, ema=0.9)),
        "diffusion": replace(tiny, diffusion=replace(tiny.diffusion, heads=4)),
        "negatives": replace(tiny, negatives=replace(tiny.negatives, guidance=4.0)),
    }
    for stage, other in changed.items():
        first = STAGES.index(stage)
        assert [name for name in STAGES if tiny.fingerprint(name) != other.fingerprint(name)] == list(STAGES[first:])
    assert len({tiny.fingerprint(stage) for stage in STAGES}) == len(STAGES)


def test_only_one_process_trains_in_a_directory(trained: Training) -> None:
    """And the lock does not outlive its holder."""
    hold = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); f.write('77\\n'); f.flush()"
    command = [sys.executable, "-c", f"{hold}; print('held', flush=True); sys.stdin.read()", trained.directory / "lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(InUse, match="process 77 trains there"):
            trained.run()
        holder.kill()
    trained.run()
    assert (trained.directory / "lock").read_text() == f"{os.getpid()}\n"
    with checkpoints.locked(trained.directory), pytest.raises(InUse, match=f"process {os.getpid()}"):
        trained.run()


def test_the_export_loads_unchanged_and_draws(trained: Training) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(trained.model, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    assert type(pipe.scheduler).__name__ == "UniPCMultistepScheduler"
    assert (pipe.scheduler.config.prediction_type, pipe.scheduler.config.timestep_spacing) == (
        "v_prediction",
        "trailing",
    )
    one, same, other = (np.asarray(export.draw(pipe, "otter, crown", seed=seed, steps=3)) for seed in (1, 1, 2))
    assert one.shape == (256, 256, 3)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_export_is_the_moving_average_in_half_precision(trained: Training) -> None:
    pipe = export.read(trained.model)
    saved = tensors(trained.directory / "negatives.ckpt")
    both = diffusion.build(trained.recipe, len(pipe.tokenizer))
    names = [name for name, _ in both.named_parameters()]
    state = {
        f"{part}.{name}": tensor
        for part in ("text_encoder", "unet")
        for name, tensor in getattr(pipe, part).named_parameters()
    }
    assert state.keys() == set(names)
    last = 0
    for name, mean in zip(names, saved["average"], strict=True):
        assert torch.equal(state[name], mean.half().float()), name
        last += not torch.equal(mean, saved["model"][name])
    assert last > len(reading(names)) / 2  # the average is not just the last step


def test_only_what_reads_words_learns_negatives(trained: Training) -> None:
    """So that the drawing stays as good as it was."""
    names = [name for name, _ in diffusion.build(trained.recipe, 600).named_parameters()]
    before, after = (tensors(trained.directory / f"{stage}.ckpt")["average"] for stage in ("diffusion", "negatives"))
    changed = {name for name, old, new in zip(names, before, after, strict=True) if not torch.equal(old, new)}
    assert changed <= reading(names)
    assert len(changed) > len(reading(names)) / 2


def test_small_things_are_shown_more_often() -> None:
    recipe = Recipe()
    own = recipe.diffusion
    scenes = [dataset.scene_of(recipe.seed, index) for index in range(300)]
    often, held = diffusion.shown_often(own, scenes), diffusion.holds_up(scenes)
    for index, scene in enumerate(scenes):
        coloured = scene.item in ("balloon", "umbrella")
        assert bool(held[index]) == coloured
        assert (often[index] == own.coloured_held) == (coloured and scene.style != "pencil drawing")
    assert {float(each) for each in often} == {1.0, own.coloured_worn, own.coloured_held}


def test_latents_have_mean_0_and_deviation_1(trained: Training) -> None:
    latents = np.load(trained.directory / "latents.npy").astype(np.float32)
    assert latents.shape == (10, 4, 16, 16)
    assert np.abs(latents.mean(axis=(0, 2, 3))).max() < 0.05
    assert np.abs(latents.std(axis=(0, 2, 3)) - 1).max() < 0.05
    assert export.read(trained.model).vae.config.scaling_factor == 1


def test_latents_are_brought_to_mean_0_without_changing_the_pictures() -> None:
    recipe = Recipe.tiny()
    chance = torch.Generator().manual_seed(4)
    pictures = torch.randint(0, 256, (8, 256, 256, 3), generator=chance).byte().numpy()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(4)
        autoencoder = vae.new(recipe.vae, recipe.size).eval()
        autoencoder.quant_conv.bias += 3
        seen = vae.as_input(pictures[:2], torch.device("cpu"))
        before = vae.mean_latents(autoencoder, seen)
        drawn = autoencoder.decode(before).sample
        vae.fold(autoencoder, recipe, pictures, torch.device("cpu"))
        after = vae.mean_latents(autoencoder, seen)
        assert not torch.allclose(before, after, atol=0.5)
        assert torch.allclose(autoencoder.decode(after).sample, drawn, atol=1e-4)
        assert torch.allclose(autoencoder.encode(seen).latent_dist.std, torch.tensor(recipe.vae.posterior), rtol=1e-4)


def test_an_export_that_fails_leaves_the_old_one(
    trained: Training, copied: Callable[[str], Training], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = copied("export")
    before = files(training.directory)
    pipe, step = training.pipeline()
    assert step == 6

    def full(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(pipe.unet, "save_pretrained", full)
    with pytest.raises(OSError, match="no space left"):
        export.write(pipe, training.model)
    with pytest.raises(OSError, match="no space left"):
        export.write(pipe, training.directory / "new")
    assert files(training.directory) == before
    assert not (training.directory / "new").exists()
    monkeypatch.undo()
    (training.model / "left over").touch()
    export.write(pipe, training.model)
    assert files(training.model) == files(trained.model)


def test_an_incomplete_export_is_refused(copied: Callable[[str], Training]) -> None:
    training = copied("export")
    (training.model / "unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises((OSError, ValueError)):
        export.read(training.model)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def breaks_off(file: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    path = tmp_path / "file"
    for content in (None, b"old"):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(OSError, match="no space left"):
            checkpoints.write_atomically(path, breaks_off)
        assert files(tmp_path) == ({} if content is None else {"file": content})


def test_preview_draws_with_a_checkpoint_half_way(copied: Callable[[str], Training]) -> None:
    training = copied("latents")
    with pytest.raises(FileNotFoundError, match=r"there is no .*diffusion\.ckpt yet"):
        training.pipeline()
    with pytest.raises(loop.Interrupted):
        replace(training, stop_at=("diffusion", 3)).run()
    sheet, step = training.preview(["otter, crown", "fox"], seeds=3, steps=2, guidance=5.0)
    assert (sheet.size, step) == ((3 * 256, 2 * 256), 2)


def test_the_program_says_what_is_wrong_and_returns_1(
    trained: Training, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(torch, "set_flush_denormal", lambda on: on)
    there = ["--tiny", "--threads", "1", "--out", str(trained.directory)]
    assert main(["train", *there]) == 0
    capsys.readouterr()
    assert main(["train", *there, "--seed", "2"]) == 1
    assert capsys.readouterr().err == (
        f"otter_mini: {trained.directory}/draw.done was made with another recipe or seed: "
        "take another directory, or delete it\n"
    )
    assert main(["evaluate", "--model", str(trained.directory)]) == 1
    assert capsys.readouterr().err == f"otter_mini: there is no model in {trained.directory}\n"


@pytest.fixture(scope="module")
def first_edition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of half the side, whose weights are random."""
    return write_first_edition(tmp_path_factory.mktemp("first") / "otter-mini")


def test_it_grows_from_a_finished_model(first_edition: Path, tmp_path: Path) -> None:
    """Before their first step the autoencoder decodes as the old one, and the U-Net is the old one."""
    recipe = replace(Recipe.tiny(), start=weights_of(first_edition))
    training = Training(recipe=recipe, directory=tmp_path / "grown", start=first_edition, processes=1)
    training.run("latents")
    for stage in ("diffusion", "negatives"):
        with pytest.raises(loop.Interrupted):
            replace(training, stop_at=(stage, 5)).run()
    training.run()
    assert "grows from otter-mini" in (training.directory / "log.txt").read_text()
    old, new = export.read(first_edition), export.read(training.model)
    assert side_of(training.model) == 2 * side_of(first_edition) == 256
    assert new.vae.config.sample_size == 256
    assert np.asarray(export.draw(new, "otter", seed=1, steps=2)).shape == (256, 256, 3)
    start = diffusion.build(recipe, len(new.tokenizer))
    for name, weight in new.unet.named_parameters():
        known = dict(old.unet.named_parameters())[name]
        assert (weight - known).abs().max() < 0.02, f"{name}: six steps do not go far"
        if weight.ndim > 1:
            assert not torch.allclose(weight, dict(start.unet.named_parameters())[name], atol=1e-3), name
    again = Training(recipe=recipe, directory=tmp_path / "again", start=first_edition, processes=1)
    again.run()
    assert files(again.model) == files(training.model), "the same bytes, stopped on the way or not"


def test_the_program_grows_from_a_folder_and_says_what_does_not_fit(
    first_edition: Path, trained: Training, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ["vae", "--tiny", "--threads", "1", "--processes", "1", "--out", str(tmp_path / "out"), "--from"]
    assert main([*there, str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err == f"otter_mini: there is no model in {tmp_path / 'nothing'}\n"
    assert main([*there, str(trained.model)]) == 1, "it has the size already"
    assert "otter_mini: an autoencoder of" in capsys.readouterr().err
    shutil.rmtree(tmp_path / "out")
    assert main([*there, str(first_edition)]) == 0
    assert (tmp_path / "out/vae/config.json").is_file()


def test_help_lists_everything_without_torch() -> None:
    code = (
        "import sys; from otter_mini.__main__ import main\n"
        "try: main(['--help'])\n"
        "finally: assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "training")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    for command in ("train", *STAGES, "preview", "judge", "evaluate", "controls", "sheet", "card", "lora", "inversion"):
        assert f"\n    {command} " in done.stdout


@pytest.mark.parametrize("command", ["judge", "evaluate", "controls", "sheet", "card", "lora", "inversion"])
def test_every_command_has_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert {"lora": "--threads", "judge": "--epochs"}.get(command, "--model") in capsys.readouterr().out


def test_the_recipe_gives_a_model_that_may_be_shipped(trained: Training) -> None:
    """Counted without its weights. The tokenizer does not depend on the recipe."""
    recipe = Recipe()
    tokens = len(export.read(trained.model).tokenizer)
    with torch.device("meta"):
        both = diffusion.Both(recipe.diffusion, tokens=tokens, channels=recipe.vae.latent_channels, side=16)
        autoencoder = vae.new(recipe.vae, recipe.size)
    numbers = sum(parameter.numel() for part in (both, autoencoder) for parameter in part.parameters())
    rest = sum(path.stat().st_size for path in trained.model.rglob("*") if path.suffix in (".json", ".txt"))
    assert 10_000_000 < 2 * numbers + rest < LIMIT - 1_000_000  # its card and pictures need some


@pytest.mark.skipif(not SHIPPED.exists(), reason="not shipped yet")
def test_what_ships_is_small_and_whole() -> None:
    assert export.size_of(SHIPPED) <= LIMIT
    assert {path.name for path in SHIPPED.iterdir()} >= {"model_index.json", "README.md", "unet", "vae", "tokenizer"}
    picture = export.draw(export.read(SHIPPED), export.CHECK_PROMPT, seed=1, steps=8)
    assert np.asarray(picture).std() > 20


def test_the_learning_rate_comes_down_twice() -> None:
    plan = loop.Plan(
        name="rate",
        path=Path("nowhere"),
        fingerprint="",
        steps=1500,
        learning_rate=8.0,
        last_rate=0.05,
        warm_up=100,
        weight_decay=0.0,
        ema=0.0,
        check_every=1,
        restart=1000,
        restart_rate=4.0,
    )
    rates = [loop.rate(plan, step) for step in range(plan.steps)]
    assert max(rates[:1000]) == rates[100] == 8.0
    assert max(rates[1000:]) == rates[1100] == 4.0
    assert rates[999] == pytest.approx(8.0 * 0.05, rel=0.01)
    assert rates[1499] == pytest.approx(4.0 * 0.05, rel=0.01)
    assert rates[1000] == 0.04, "it warms up again"
