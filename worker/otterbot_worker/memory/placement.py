"""Placement plans of a model in memory: their order, their estimates, and the choice of the first that fits. Free of
torch.

::

    resident ─▶ tiled ─▶ offload ─▶ groups ─▶ quantised        (the order; each next one is slower or less exact)

The estimates are lower bounds: weights as stored, and the larger of a step and a decode. What the allocator, the
driver and other programs need besides is the reserve (``gpu.reserve_mb``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from ..models.estimates import DECODE_BYTES, ENCODE_BYTES, Needs, Part
from .device_info import BYTES, DeviceInfo, Precision
from .oom_history import OutOfMemory

TILE_PIXELS = 512 * 512
"""Pixels of one VAE tile; 1024x1024 without tiling takes four times that."""
RESERVE_BYTES = 500_000_000
"""Card memory left free beside the estimate, for the allocator's fragmentation and other programs."""
RAM_RESERVE_BYTES = 2_000_000_000
"""Computer memory left free for everything else that runs there."""
LARGE_ENCODER = 1_000_000_000
"""Text encoders with more values than this are quantised (T5, Qwen)."""

_LAYERS_AT_ONCE = 2
"""Layers on the card with group offloading: one computes while the next is copied."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``tiled``: the decoder works in tiles. ``offload``: only the component (``model``), or only the layers
    (``groups``), that compute are on the card. ``quantised``: the large weights are kept in 8 bits."""

    name: str
    words: str
    """Completes "Drawn with …"."""
    tiled: bool = False
    offload: Literal["no", "model", "groups"] = "no"
    quantised: bool = False

    def same_place(self, other: Plan) -> bool:
        """Whether both plans place the weights alike, so that a loaded model need not be moved."""
        return (self.offload, self.quantised) == (other.offload, other.quantised)


RESIDENT = Plan(name="resident", words="everything on the card")
TILED = Plan(name="tiled", words="decoding in tiles", tiled=True)
OFFLOAD = Plan(name="offload", words="offloading", tiled=True, offload="model")
GROUPS = Plan(name="groups", words="offloading layer by layer", tiled=True, offload="groups")
QUANTISED = Plan(
    name="quantised", words="offloading and weights of 8 bits", tiled=True, offload="model", quantised=True
)
PLANS = (RESIDENT, TILED, OFFLOAD, GROUPS, QUANTISED)


def chain(kind: Literal["cpu", "cuda"], needs: Needs) -> tuple[Plan, ...]:
    """The plans for a device and a model, in order. On the processor there is no offloading. Quantised files are not
    quantised again, and take no group offloading."""
    if kind == "cpu":
        return (RESIDENT, TILED)
    if not needs.quantised:
        return PLANS
    rest = any(part.value_bytes is None and quantises(name, part.values) for name, part in needs.parts.items())
    return (RESIDENT, TILED, OFFLOAD, QUANTISED) if rest else (RESIDENT, TILED, OFFLOAD)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes at the peak; ``ram`` is what stays in the computer's memory while the model is in use."""

    card: int
    ram: int


def estimate(needs: Needs, plan: Plan, pixels: int, precision: Precision, *, math_only: bool = False) -> Estimate:
    """``pixels`` of the picture; ``math_only``: attention scores are written out."""
    compute = BYTES[precision.compute]
    step = needs.computing.step_bytes * pixels * compute // 2
    decoded = min(pixels, TILE_PIXELS) if plan.tiled else pixels
    upcast = needs.upcasts and precision.compute == "float16"
    decoding = BYTES["float32"] if upcast else compute
    decode = DECODE_BYTES * decoded * decoding // 2
    if math_only:
        step += needs.computing.scores(pixels) * compute // 2
        decode += 8 * (decoded // 64) ** 2 * decoding // 2  # the VAE's one attention head at its smallest resolution
    if upcast:  # an upcast VAE's weights double, too
        decode += needs.parts["vae"].values * (decoding - compute)
    weights = {name: _weights(name, part, plan, precision) for name, part in needs.parts.items()}
    work = dict.fromkeys(weights, ENCODE_BYTES)
    beside = _beside(needs, plan, precision)
    work |= {name: step + beside for name in weights if needs.is_denoiser(name)} | {"vae": decode}
    together = sum(weights.values())
    loras = needs.loras * compute
    if plan.offload == "no":
        return Estimate(card=together + max(step + beside, decode) + loras, ram=beside)
    if plan.offload == "model":
        return Estimate(card=max(weights[name] + work[name] for name in weights) + loras, ram=together + beside)
    layers = {name: _LAYERS_AT_ONCE * part.largest * BYTES[precision.storage] for name, part in needs.parts.items()}
    return Estimate(card=max(layers[name] + work[name] for name in weights) + loras, ram=together)


def _beside(needs: Needs, plan: Plan, precision: Precision) -> int:
    """Bytes of the ControlNet on the card."""
    if needs.steering is None:
        return 0
    stored = BYTES[precision.storage]
    return (
        _LAYERS_AT_ONCE * needs.steering.largest * stored if plan.offload == "groups" else needs.steering.bytes(stored)
    )


def quantises(name: str, values: int) -> bool:
    """Whether that component's weights are kept in 8 bits under a plan that quantises."""
    return name.rpartition(".")[2] in ("unet", "transformer") or (name.startswith("text_") and values > LARGE_ENCODER)


def _weights(name: str, part: Part, plan: Plan, precision: Precision) -> int:
    stored, compute = BYTES[precision.storage], BYTES[precision.compute]
    return part.bytes(stored, compute, eight_bits=plan.quantised and quantises(name, part.values))


# ---------------------------------------------------------------- choosing


@dataclass(frozen=True, kw_only=True)
class Choice:
    plan: Plan
    estimate: Estimate
    fits: bool
    """Whether it is expected to fit; else it is the plan that needs least."""


def choose(
    needs: Needs,
    facts: DeviceInfo,
    pixels: int,
    *,
    precision: Precision,
    reserve: int = RESERVE_BYTES,
    ram_reserve: int = RAM_RESERVE_BYTES,
    oom_history: Sequence[OutOfMemory] = (),
    plans: Sequence[Plan] | None = None,
) -> Choice:
    """The first plan that fits the free memory and has not failed there before. If none does: one that is not known to
    fail, that fits without the card's reserve, that leaves the computer most of its reserve (a card says no, a computer
    without memory stands still), and that needs least of the card, in that order."""
    candidates = []
    for plan in chain(facts.kind, needs) if plans is None else plans:
        need = estimate(needs, plan, pixels, precision, math_only=facts.math_only)
        failed = any(oom.bars(plan.name, need.card, facts.available) for oom in oom_history)
        ram_short = max(0, need.ram + ram_reserve - facts.ram_available) if need.ram > 0 else 0
        if need.card + reserve <= facts.available and not ram_short and not failed:
            return Choice(plan=plan, estimate=need, fits=True)
        hopes = (failed, need.card > facts.available, ram_short, need.card)
        candidates.append((hopes, Choice(plan=plan, estimate=need, fits=False)))
    return min(candidates, key=lambda one: one[0])[1]


def hopeful(
    needs: Needs,
    facts: DeviceInfo,
    pixels: int,
    *,
    precision: Precision,
    tried: Collection[Plan],
    oom_history: Sequence[OutOfMemory] = (),
) -> list[Plan]:
    """The plans left to try after ``tried``: without those known to fail, and those that need more than is available of
    either memory (estimates are lower bounds). ``choose`` applies the reserves afterwards."""
    found = []
    for plan in chain(facts.kind, needs):
        need = estimate(needs, plan, pixels, precision, math_only=facts.math_only)
        failed = any(oom.bars(plan.name, need.card, facts.available) for oom in oom_history)
        if plan not in tried and not failed and need.card <= facts.available and need.ram <= facts.ram_available:
            found.append(plan)
    return found
