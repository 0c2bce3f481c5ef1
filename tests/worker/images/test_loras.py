"""LoRAs in the engine, on small real pipelines of both families."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lora_files as files
import pytest
import torch
from engine_lab import FAMILIES, Draws, Silent, difference, drawer, pipe_of
from PIL import Image

from otterbot_worker.errors import Cancelled, JobFailed
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.catalogue import Catalogue
from otterbot_worker.models.entries import ModelEntry

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def draw(engine: Engine, make_task: Callable[..., Draw], entries: dict[str, ModelEntry]) -> Draws:
    return drawer(engine, make_task, entries, steps=2)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", ["kohya", "peft"])
def test_a_lora_acts_by_its_weight_and_leaves_nothing(
    draw: Draws, engine: Engine, tmp_path: Path, family: str, layout: str
) -> None:
    plain = draw(family=family)[1]
    pipe = pipe_of(engine)
    before = files.base_bytes(pipe)
    made = files.pairs(pipe)
    xl = family == "sdxl"
    path = files.write(tmp_path / "x.safetensors", files.kohya(made, xl=xl) if layout == "kohya" else files.peft(made))

    def with_weight(weight: float) -> bytes:
        return draw(family=family, loras=[files.wanted(path, weight)])[1]

    weights = [-1.0, -0.5, 0.5, 1.0]
    pictures = {weight: with_weight(weight) for weight in weights}
    assert len({plain, *pictures.values()}) == len(weights) + 1
    assert difference(plain, pictures[1.0]) > 1
    assert with_weight(0.0) == plain
    assert with_weight(0.5) == pictures[0.5]
    assert draw(family=family)[1] == plain
    assert files.base_bytes(pipe) == before


@pytest.mark.parametrize("family", FAMILIES)
def test_it_draws_what_diffusers_draws(draw: Draws, engine: Engine, tmp_path: Path, family: str) -> None:
    """The same file through diffusers' own loader and PEFT gives the same picture."""
    draw(family=family)
    pipe = pipe_of(engine)
    made = files.pairs(pipe)
    xl = family == "sdxl"
    layouts = {
        "peft": files.peft(made),
        "kohya": files.kohya({at: both for at, both in made.items() if at[0] == "unet"}, xl=xl, alpha=2.0),
    }
    if xl:
        attentions = files.pairs(pipe, unet=r"attn[12]\.to_[qkv]$", text=False)
        layouts["original"] = files.kohya(attentions, xl=True, blocks=1)
    for name, state in layouts.items():
        path = files.write(tmp_path / f"{name}.safetensors", state)
        ours = draw(family=family, loras=[files.wanted(path, 0.7)])[1]
        pipe.load_lora_weights(str(path), adapter_name="theirs")
        pipe.set_adapters(["theirs"], [0.7])
        engine.residency.embeddings.clear()  # which knows nothing of what others do to the text encoders
        theirs = draw(family=family)[1]
        pipe.unload_lora_weights()
        engine.residency.embeddings.clear()
        assert difference(ours, draw(family=family)[1]) > 1
        assert difference(ours, theirs) < 0.02, name


def test_that_a_refiner_knows_no_loras_is_said(
    draw: Draws, engine: Engine, catalogue: Catalogue, tmp_path: Path
) -> None:
    draw(family="sdxl")
    path = files.write(tmp_path / "x.safetensors", files.peft(files.pairs(pipe_of(engine))))
    refined = {"entry": catalogue.images["tiny-refined"], "loras": [files.wanted(path, 1.0)]}
    assert draw(**refined, steps=6)[0].notes == ["LoRAs act on the base's steps, not on the refiner's."]
    assert "refiner's" not in str(draw(**refined, steps=1)[0].notes), "it has no part in that one"


def test_every_layer_of_every_layout_is_the_same_lora(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    """Text encoders and alphas too, where diffusers' loader passes some by."""
    draw(family="sdxl")
    made = files.pairs(pipe_of(engine))
    halved = {at: (down, up / 2) for at, (down, up) in made.items()}
    said = {"unet.r": 4, "unet.lora_alpha": 2, "text_encoder.lora_alpha": 2, "text_encoder_2.lora_alpha": 2}
    paths = [
        files.write(tmp_path / "a.safetensors", files.peft(halved)),
        files.write(tmp_path / "b.safetensors", files.kohya(made, xl=True, alpha=2.0)),
        files.write(tmp_path / "c.safetensors", files.peft(made), lora_adapter_metadata=said),
    ]
    pictures = [draw(family="sdxl", loras=[files.wanted(path)])[1] for path in paths]
    assert difference(pictures[0], pictures[1]) < 0.02
    assert difference(pictures[0], pictures[2]) < 0.02


def test_several_at_once_and_the_same_again(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    draw()
    pipe = pipe_of(engine)
    first = files.wanted(files.write(tmp_path / "a.safetensors", files.peft(files.pairs(pipe, seed=1))), 0.6)
    second = files.wanted(files.write(tmp_path / "b.safetensors", files.peft(files.pairs(pipe, seed=2))), 0.4)
    both = draw(loras=[first, second])[1]
    assert len({both, draw(loras=[first])[1], draw(loras=[second])[1]}) == 3
    # Whatever was in memory before, the sums are made in the same order.
    assert draw(loras=[first, second])[1] == both
    monitor = Silent()
    assert draw(loras=[{**first, "weight": 0.6}, second], monitor=monitor)[1] == both
    assert "loading" not in monitor.phases


@pytest.mark.parametrize("family", FAMILIES)
def test_a_file_that_does_not_fit_is_named_and_leaves_nothing(
    draw: Draws, engine: Engine, tmp_path: Path, family: str
) -> None:
    other = FAMILIES[1 - FAMILIES.index(family)]
    draw(family=other)
    stranger = files.peft(files.pairs(pipe_of(engine)))
    plain = draw(family=family)[1]
    pipe = pipe_of(engine)
    before = files.base_bytes(pipe)
    good = files.peft(files.pairs(pipe))
    nan = {**good, next(iter(good)): torch.full_like(good[next(iter(good))], torch.nan)}
    rankless = {
        "lora_unet_x.lora_down.weight": torch.zeros(0, 4),
        "lora_unet_x.lora_up.weight": torch.zeros(4, 0),
        "lora_unet_x.alpha": torch.tensor(1.0),
    }
    bad: dict[str, dict[str, torch.Tensor]] = {
        "stranger": stranger,
        "half": dict(list(good.items())[:-1]),
        "nowhere": {key.replace("attentions", "elsewhere"): tensor for key, tensor in good.items()},
        "twice": {**good, **{key.replace(".weight", ".other.weight"): tensor.clone() for key, tensor in good.items()}},
        "dora": {**good, "unet.x.dora_scale": torch.zeros(4)},
        "nan": nan,
        "rankless": {**files.kohya(files.pairs(pipe), xl=family == "sdxl"), **rankless},
        "empty": {"nothing": torch.zeros(1)},
    }
    for name, state in bad.items():
        path = files.write(tmp_path / f"{name}.safetensors", state)
        with pytest.raises(JobFailed, match=f"The LoRA {name} cannot be used: ") as failure:
            draw(family=family, loras=[files.wanted(path)])
        assert failure.value.code == "lora_broken"
    cut = files.write(tmp_path / "cut.safetensors", good)
    cut.write_bytes(cut.read_bytes()[:-100])
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"this is a text" * 10)
    for path in (cut, junk):
        with pytest.raises(JobFailed, match="cut off or no safetensors file"):
            draw(family=family, loras=[files.wanted(path)])
    path = files.write(tmp_path / "changed.safetensors", good)
    with pytest.raises(JobFailed, match="was changed"):
        draw(family=family, loras=[{**files.wanted(path), "hash": "0" * 64}])
    with pytest.raises(JobFailed) as failure:
        draw(family=family, loras=[{**files.wanted(path), "path": str(tmp_path / "gone.safetensors")}])
    assert failure.value.code == "lora_missing"
    assert engine.resident is not None, "the model stays"
    assert files.base_bytes(pipe) == before
    assert draw(family=family)[1] == plain


def test_a_lora_of_a_larger_model_says_how_much_was_used(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    draw()
    state = files.peft(files.pairs(pipe_of(engine)))
    state["unet.down_blocks.9.attn1.to_q.lora_A.weight"] = torch.zeros(4, 32)
    state["unet.down_blocks.9.attn1.to_q.lora_B.weight"] = torch.zeros(32, 4)
    path = files.write(tmp_path / "big.safetensors", state)
    count = len(state) // 2
    drawn = draw(loras=[files.wanted(path)])[0]
    assert f"Of the LoRA big, {count - 1} of {count} layers exist in this model and were used." in drawn.notes


def test_eight_bits_are_read(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    plain = draw()[1]
    state = {key: tensor.to(torch.float8_e4m3fn) for key, tensor in files.peft(files.pairs(pipe_of(engine))).items()}
    path = files.write(tmp_path / "small.safetensors", state)
    assert draw(loras=[files.wanted(path)])[1] != plain
    first = next(iter(state))
    state[first] = torch.full(state[first].shape, torch.nan).to(torch.float8_e4m3fn)
    broken = files.write(tmp_path / "broken.safetensors", state)
    with pytest.raises(JobFailed, match="not finite"):
        draw(loras=[files.wanted(broken)])


def test_it_acts_on_a_picture_to_start_from(draw: Draws, engine: Engine, tmp_path: Path) -> None:
    start = tmp_path / "start.png"
    Image.effect_noise((64, 64), 80).convert("RGB").save(start)
    changes = {"init_image": str(start), "strength": 0.9, "steps": 3}
    plain = draw(**changes)[1]
    path = files.write(tmp_path / "x.safetensors", files.peft(files.pairs(pipe_of(engine))))
    assert difference(draw(**changes, loras=[files.wanted(path)])[1], plain) > 1
    assert draw(**changes)[1] == plain


@pytest.mark.parametrize("after", [0, 3, 9])
def test_a_cancel_in_the_middle_leaves_nothing(draw: Draws, engine: Engine, tmp_path: Path, after: int) -> None:
    plain = draw()[1]
    pipe = pipe_of(engine)
    before = files.base_bytes(pipe)
    path = files.write(tmp_path / "x.safetensors", files.peft(files.pairs(pipe)))
    with pytest.raises(Cancelled):
        draw(loras=[files.wanted(path)], monitor=Silent(after))
    assert files.base_bytes(pipe) == before
    assert draw()[1] == plain
