"""Memory plans: what is needed, what is chosen, what is remembered; all of it without torch or a card."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import hollow_models
import pytest

from otterbot_worker.families import FAMILIES, Family
from otterbot_worker.memory import oom_history, placement
from otterbot_worker.memory.device_info import DeviceInfo, Precision
from otterbot_worker.memory.oom_history import OutOfMemory
from otterbot_worker.memory.placement import GROUPS, OFFLOAD, PLANS, QUANTISED, RESIDENT, TILED
from otterbot_worker.models import estimates
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.estimates import Needs, Part, needs_of, published
from otterbot_worker.schemas.draw_files import LoraFile

GB = 1_000_000_000
HALF = Precision(storage="float16", compute="float16")


def needs(kind: str, family: str, *more: str, bits: float | None = None) -> Needs:
    parts = published(kind)
    parts.pop("text_encoder_3", None)
    if "refiner" in more:
        parts["refiner.unet"] = published("sdxl-refiner")["unet"]
    if bits is not None:
        parts = {name: replace(part, value_bytes=None if name == "vae" else bits / 8) for name, part in parts.items()}
    return Needs(parts=parts, computing=FAMILIES[family].computing)


MEASURED = {
    # Peaks in GB at 768x768 and 1024x1024 in half precision, with a kernel for attention.
    "SD 1.5": (needs("sd1", "sd"), (3.0, 3.7), (2.0, 2.3)),
    "SSD-1B": (needs("ssd-1b", "sdxl"), (5.4, 6.1), (2.9, 3.0)),
    "SDXL": (needs("sdxl", "sdxl"), (7.9, 8.6), (5.3, 5.5)),
    "SDXL and refiner": (needs("sdxl", "sdxl", "refiner"), (12.4, 13.1), (5.4, 5.5)),
    "SD 3.5 medium without T5": (needs("sd35-medium", "sd3"), (7.7, 8.4), (5.2, 5.3)),
    "Z-Image-Turbo": (needs("z-image", "zimage"), (21, 22), (12.5, 12.7)),
    "Z-Image-Turbo in 8 bits": (needs("z-image", "zimage", bits=8), (11.3, 12.0), (6.4, 6.6)),
    "Z-Image-Turbo in 4.5 bits": (needs("z-image", "zimage", bits=4.5), (6.8, 7.5), (3.7, 3.9)),
    "FLUX.2 klein": (needs("flux2-klein-4b", "flux2"), (17, 17.6), (8.0, 8.1)),
    "FLUX.2 klein in 8 bits": (needs("flux2-klein-4b", "flux2", bits=8), (9.0, 9.7), (4.1, 4.3)),
    "FLUX.2 klein in 4.5 bits": (needs("flux2-klein-4b", "flux2", bits=4.5), (5.5, 6.2), (2.4, 2.6)),
}


@pytest.mark.parametrize("name", MEASURED)
def test_estimates_are_near_the_peaks_that_are_known(name: str) -> None:
    model, resident, offloaded = MEASURED[name]
    for plan, peaks in ((RESIDENT, resident), (placement.Plan(name="", words="", offload="model"), offloaded)):
        for side, peak in zip((768, 1024), peaks, strict=True):
            estimated = placement.estimate(model, plan, side * side, HALF).card
            assert estimated == pytest.approx(peak * GB, rel=0.1)


def test_attention_without_a_kernel_is_the_danger_that_it_is() -> None:
    for model, peak in ((needs("sdxl", "sdxl"), 2.9), (needs("sd1", "sd"), 34.8)):
        step = model.computing.step_bytes * 1024 * 1024 + model.computing.scores(1024 * 1024)
        assert step == pytest.approx(peak * GB, rel=0.1)
    plain, math = (
        placement.estimate(needs("sd1", "sd"), RESIDENT, 1024 * 1024, HALF, math_only=only) for only in (False, True)
    )
    assert math.card > 9 * plain.card


def test_a_controlnet_is_beside_the_denoiser_and_not_beside_the_decoder() -> None:
    model, pixels = needs("sd1", "sd"), 768 * 768
    net = Part(values=361_000_000, largest=14_745_600)
    steered = Needs(parts=model.parts, computing=model.computing, steering=net)
    plain, beside = ({p.name: placement.estimate(n, p, pixels, HALF).card for p in PLANS} for n in (model, steered))
    assert 0 < beside["resident"] - plain["resident"] < net.bytes(2), "the decoder's peak hides a part of it"
    assert beside["offload"] - plain["offload"] == pytest.approx(net.bytes(2), rel=0.3)
    assert beside["groups"] - plain["groups"] < 0.1 * GB
    assert placement.estimate(steered, RESIDENT, pixels, HALF).ram == net.bytes(2)


def test_tiles_take_what_was_measured_and_full_precision_twice_as_much() -> None:
    model, pixels = needs("sd1", "sd"), 1024 * 1024
    nothing = Needs(parts={"vae": Part(values=0, largest=0)}, computing=model.computing)
    assert placement.estimate(nothing, OFFLOAD, pixels, HALF).card == pytest.approx(0.41 * GB, rel=0.05)
    full = Precision(storage="float16", compute="float32")
    assert placement.estimate(nothing, OFFLOAD, pixels, full).card == pytest.approx(0.82 * GB, rel=0.05)


def test_a_decoder_that_leaves_the_range_of_fp16_takes_twice_as_much() -> None:
    model, pixels = needs("sdxl", "sdxl"), 1024 * 1024
    upcasting = replace(model, upcasts=True)

    def more(plan: placement.Plan, precision: Precision) -> float:
        cards = [placement.estimate(one, plan, pixels, precision).card for one in (model, upcasting)]
        return (cards[1] - cards[0]) / GB

    assert more(RESIDENT, HALF) == pytest.approx(1.8, abs=0.05)
    assert more(RESIDENT, Precision(storage="float16", compute="float32")) == 0, "it does in any case"
    assert more(OFFLOAD, HALF) == 0, "the U-Net takes more than the tiles of either"


def test_which_decoders_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "checkpoints").mkdir(exist_ok=True)
    hollow_models.write(tmp_path / "checkpoints" / "dropped.safetensors", hollow_models.SDXL)
    hollow_models.write(tmp_path / "checkpoints" / "older.safetensors", hollow_models.SD1)
    entries = load_catalogue(data_dir=tmp_path).images

    def upcasts(**changes: Any) -> bool:
        return needs_of(replace(entries["sdxl"], **changes)).upcasts

    assert not upcasts(), "neither it nor its other decoder is here: both will be fetched"
    assert upcasts(vae=None)
    assert needs_of(entries["dropped"]).upcasts
    assert not needs_of(entries["older"]).upcasts
    assert not needs_of(entries["sd15"]).upcasts
    folder = tmp_path / "own"
    for part in ("unet", "vae"):
        (folder / part).mkdir(parents=True)
        hollow_models.write(folder / part / "diffusion_pytorch_model.safetensors", {"a": (2, 2)})
    (folder / "model_index.json").write_text('{"unet": ["diffusers", "x"], "vae": ["diffusers", "x"]}')
    here: dict[str, Any] = {"hub": None, "folder": str(folder), "variant": None}
    assert upcasts(**here), "its other decoder is not here, so its own will do"
    for settings, full in (('{"force_upcast": false}', False), ('{"force_upcast": true}', True), ("[]", True)):
        (folder / "vae" / "config.json").write_text(settings)
        assert upcasts(**here, vae=None) is full
    other = tmp_path / "hub" / "models--madebyollin--sdxl-vae-fp16-fix"
    (other / "refs").mkdir(parents=True)
    (other / "refs" / "main").write_text("abc")
    (other / "snapshots" / "abc").mkdir(parents=True)
    (other / "snapshots" / "abc" / "config.json").write_text('{"force_upcast": false}')
    assert not upcasts(**here)
    assert upcasts(**here, vae=None, vae_path=str(folder / "vae")), "the operator's, in the place of both"


def test_what_is_kept_in_larger_numbers_is_counted() -> None:
    part = Part(values=1000, largest=100, spared=50, sensitive=200)
    assert part.bytes(2) == part.bytes(2, 2) == 2000
    assert part.bytes(2, 4) == 2 * 950 + 4 * 50
    assert part.bytes(2, 2, eight_bits=True) == 800 + 2 * 200
    assert part.bytes(2, 4, eight_bits=True) == 800 + 2 * 150 + 4 * 50
    assert replace(part, value_bytes=0.5).bytes(2, 4, eight_bits=True) == 500, "as its file has it"
    own = Part(values=500, largest=100).shared_as(part)
    assert (own.spared, own.sensitive) == (25, 100), "the same share of a smaller one"
    assert Part(values=500, largest=100).shared_as(None).spared == 0
    full = Precision(storage="bfloat16", compute="float32")
    encoder = published("z-image")["text_encoder"]
    alone = Needs(parts={"text_encoder": encoder}, computing=FAMILIES["zimage"].computing)
    assert placement.estimate(alone, RESIDENT, 1, full).card == pytest.approx(8.82 * GB, rel=0.01), (
        "its embeddings in full precision, and the rest in bf16"
    )


def test_each_plan_needs_less_of_the_card_than_the_one_before_but_the_last() -> None:
    """The last one spares the computer's memory, where moving 16 bits to and fro takes too much of it."""
    for model, *_ in MEASURED.values():
        estimates = [placement.estimate(model, plan, 1024 * 1024, HALF) for plan in PLANS]
        cards = [estimate.card for estimate in estimates]
        assert cards[:4] == sorted(cards[:4], reverse=True)
        if not model.quantised:
            assert cards[4] < cards[2]
            assert estimates[4].ram < estimates[2].ram


def card(available: float, *, ram: float = 32, **changes: Any) -> DeviceInfo:
    facts = {"capability": (8, 6), "bf16": True, "attention": ("flash", "efficient", "math"), **changes}
    return DeviceInfo(
        kind=changes.pop("kind", "cuda"),
        total=8 * GB,
        available=int(available * GB),
        ram_available=int(ram * GB),
        **{name: value for name, value in facts.items() if name != "kind"},
    )


@pytest.mark.parametrize(
    ("model", "side", "facts", "plan"),
    [
        ("SSD-1B", 768, card(8), RESIDENT),
        ("SSD-1B", 1024, card(6), TILED),
        ("SSD-1B", 768, card(4), OFFLOAD),
        ("SSD-1B", 768, card(2), GROUPS),
        ("SD 1.5", 512, card(4), RESIDENT),
        ("SDXL", 1024, card(8), TILED),
        ("SDXL", 1024, card(6.5), OFFLOAD),
        ("SDXL", 1024, card(5.1), GROUPS),
        ("Z-Image-Turbo", 1024, card(8), GROUPS),
        ("Z-Image-Turbo", 1024, card(8, ram=14), QUANTISED),
        ("Z-Image-Turbo in 4.5 bits", 1024, card(8), TILED),
        ("Z-Image-Turbo in 4.5 bits", 1024, card(2), OFFLOAD),
        ("SD 1.5", 1024, card(8, attention=("math",)), GROUPS),
        ("SDXL", 1024, card(2, kind="cpu"), TILED),
    ],
)
def test_the_first_plan_that_fits_is_chosen(model: str, side: int, facts: DeviceInfo, plan: placement.Plan) -> None:
    assert placement.choose(MEASURED[model][0], facts, side * side, precision=facts.precision()).plan == plan


def test_the_reserves_are_kept_free() -> None:
    model, pixels = MEASURED["SSD-1B"][0], 768 * 768

    def chosen(**reserves: int) -> placement.Plan:
        return placement.choose(model, card(6, ram=8), pixels, precision=HALF, **reserves).plan

    assert chosen(reserve=0) == RESIDENT
    assert chosen(reserve=1 * GB) == TILED
    assert chosen(reserve=2 * GB) == OFFLOAD
    assert chosen(reserve=2 * GB, ram_reserve=4 * GB) == QUANTISED
    assert chosen(reserve=2 * GB, ram_reserve=8 * GB) == TILED, "nothing fits; this leaves the computer its memory"
    assert chosen(reserve=9 * GB, ram_reserve=0) == GROUPS, "nothing fits, and this needs least of the card"
    for free, plan in ((1.5, GROUPS), (2.5, QUANTISED)):
        small = placement.choose(model, card(free, ram=8), pixels, precision=HALF, reserve=GB, ram_reserve=8 * GB)
        assert (small.plan, small.fits) == (plan, False), "of what fits without a reserve, the computer's least memory"


def ran_out(plan: placement.Plan, model: Needs, side: int, available: float) -> OutOfMemory:
    """That plan ran out of memory with that picture."""
    card = placement.estimate(model, plan, side * side, HALF).card
    return OutOfMemory(plan=plan.name, card=card, available=int(available * GB))


def test_what_failed_is_not_tried_again_with_as_much_or_less() -> None:
    model = MEASURED["SSD-1B"][0]
    failed = ran_out(RESIDENT, model, 768, 8)

    def chosen(side: int, available: float, *ooms: OutOfMemory) -> placement.Plan:
        return placement.choose(model, card(available), side * side, precision=HALF, oom_history=ooms).plan

    assert chosen(768, 8, failed) == TILED
    assert chosen(832, 7, failed) == TILED
    assert chosen(512, 8, failed) == RESIDENT, "a smaller one may fit"
    assert chosen(768, 10, failed) == RESIDENT, "there is more memory than then"
    every = [OutOfMemory(plan=plan.name, card=0, available=8 * GB) for plan in PLANS]
    assert chosen(768, 8, *every[:4]) == QUANTISED
    assert chosen(768, 8, *every) in PLANS, "one try is left when all have failed"


def lora(folder: Path, values: int, weight: float = 0.8) -> LoraFile:
    """A task's; its file holds zeros."""
    path = folder / f"{values}.safetensors"
    header = json.dumps({"a": {"dtype": "F16", "shape": [values], "data_offsets": [0, 2 * values]}}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2 * values)  # sparse
    return LoraFile(name=path.stem, path=str(path), hash="", autov3="", weight=weight)


def test_loras_stay_on_the_card_under_every_plan(tmp_path: Path) -> None:
    model, pixels = MEASURED["SDXL"][0], 1024 * 1024
    loras = [lora(tmp_path, values) for values in (100_000_000, 200_000_000)]
    loras.append(lora(tmp_path, 50_000_000, 0.0))
    loras.append(LoraFile(name="gone", path=str(tmp_path / "gone.safetensors"), hash="", autov3="", weight=1.0))
    beside = estimates.with_loras(model, loras)
    full = Precision(storage="float16", compute="float32")
    for plan in PLANS:
        for precision, values in ((HALF, 2), (full, 4)):
            plain, more = (placement.estimate(one, plan, pixels, precision).card for one in (model, beside))
            assert more - plain == 300_000_000 * values, "of a weight of 0 none gets there"
    assert placement.choose(model, card(8), pixels, precision=HALF).plan == TILED
    assert placement.choose(beside, card(8), pixels, precision=HALF).plan == OFFLOAD


def test_what_a_picture_with_loras_taught_does_not_bar_the_plain_one(tmp_path: Path) -> None:
    model = MEASURED["SSD-1B"][0]
    beside = estimates.with_loras(model, [lora(tmp_path, 200_000_000)])
    failed = ran_out(RESIDENT, beside, 768, 8)

    def chosen(needs: Needs, *ooms: OutOfMemory) -> placement.Plan:
        return placement.choose(needs, card(8), 768 * 768, precision=HALF, oom_history=ooms).plan

    assert chosen(beside) == RESIDENT
    assert chosen(beside, failed) == TILED
    assert chosen(model, failed) == RESIDENT
    assert chosen(beside, ran_out(RESIDENT, model, 768, 8)) == TILED, "what needs more will not fit either"


def test_after_a_failure_it_is_chosen_again_by_the_same_rule() -> None:
    """With little of the computer's memory, the plans in between would take all of that."""
    model, pixels = MEASURED["SSD-1B"][0], 768 * 768
    facts = card(8, ram=5)

    def left(*tried: placement.Plan, ooms: tuple[OutOfMemory, ...] = ()) -> list[placement.Plan]:
        return placement.hopeful(model, facts, pixels, precision=HALF, tried=tried, oom_history=ooms)

    def chosen(plans: list[placement.Plan]) -> placement.Plan:
        return placement.choose(model, facts, pixels, precision=HALF, plans=plans).plan

    assert chosen(left()) == RESIDENT
    assert chosen(left(RESIDENT)) == TILED
    assert chosen(left(RESIDENT, TILED)) == QUANTISED
    facts = card(4)
    assert left(OFFLOAD) == [GROUPS, QUANTISED], "the first two need more than there is"
    assert left(OFFLOAD, ooms=(ran_out(GROUPS, model, 768, 4),)) == [QUANTISED]
    assert left(OFFLOAD, GROUPS, QUANTISED) == []


def test_the_oom_history_is_kept_small_and_survives_nonsense() -> None:
    some = [OutOfMemory(plan="tiled", card=n, available=n) for n in range(100)]
    learned = oom_history.merged((), [*some, some[-1]])
    assert learned == tuple(some[-oom_history.MAX_ENTRIES :])
    old = {"plan": "tiled", "pixels": 589_824, "available": 8 * GB}
    broken = {**asdict(some[0]), "card": []}
    assert oom_history.read([asdict(some[0]), {}, "x", old, broken]) == (some[0],)


def test_the_oom_history_is_forgotten_after_a_while() -> None:
    now = 1_800_000_000.0
    first, second = (
        OutOfMemory(plan=plan, card=1, available=1, learned=now - days * 86_400)
        for plan, days in (("tiled", 8), ("a", 6))
    )
    assert oom_history.merged((first, second), (), now=now) == (second,)
    assert oom_history.merged((second,), (), now=now + 2 * 86_400) == ()
    again = OutOfMemory(plan="a", card=1, available=1, learned=now)
    (kept,) = oom_history.merged((second,), (again,), now=now)
    assert kept.learned == now, "what failed again is not as old as the first time"
    (kept,) = oom_history.merged((again,), (second,), now=now)
    assert kept.learned == now
    ahead = OutOfMemory(plan="a", card=1, available=1, learned=now + 365 * 86_400)
    assert oom_history.merged((), (ahead,), now=now) == (), "of a clock that was wrong"


def test_precision_follows_the_card() -> None:
    ampere, pascal = card(8), card(8, capability=(6, 1), bf16=False)
    assert ampere.precision() == HALF
    assert ampere.precision(wants_bf16=True) == Precision(storage="bfloat16", compute="bfloat16")
    assert pascal.precision() == Precision(storage="float16", compute="float32")
    without = pascal.precision(wants_bf16=True)
    assert (without.storage, without.compute) == ("bfloat16", "float32")
    assert without.note is not None
    assert without.note.endswith(".")
    assert not card(8, kind="cpu").precision().cast


def test_a_text_encoder_beside_quantised_weights_is_what_is_left_to_quantise(tmp_path: Any) -> None:
    klein = needs_of(load_catalogue(data_dir=tmp_path).images["flux2-klein"])
    assert placement.chain("cuda", klein) == (RESIDENT, TILED, OFFLOAD, QUANTISED)
    assert placement.chain("cuda", MEASURED["FLUX.2 klein in 4.5 bits"][0]) == (RESIDENT, TILED, OFFLOAD)
    offloaded, quantised = (placement.estimate(klein, plan, 512 * 512, HALF) for plan in (OFFLOAD, QUANTISED))
    assert quantised.card == pytest.approx(offloaded.card * 0.55, rel=0.05)
    assert offloaded.ram - quantised.ram == pytest.approx(klein.parts["text_encoder"].values, rel=0.1)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_every_family_has_an_estimate(family: Family) -> None:
    parts = published(family.computing.kind)
    assert set(family.modules) <= set(parts)
    assert family.computing.denoiser in parts


def test_a_model_on_disk_is_counted_and_every_shipped_one_has_an_estimate(tmp_path: Any) -> None:
    catalogue = load_catalogue(data_dir=tmp_path)
    mini = needs_of(catalogue.images["otter-mini"])
    assert set(mini.parts) == {"text_encoder", "unet", "vae"}
    assert 1_000_000 < mini.weights(2) < 100_000_000
    assert all(part.largest <= part.values for part in mini.parts.values())
    for entry in catalogue.images.values():
        assert needs_of(entry).weights(2) > 0
    assert needs_of(catalogue.images["ssd-1b"]).parts == published("ssd-1b")
