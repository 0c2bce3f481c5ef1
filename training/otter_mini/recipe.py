"""Every number that decides what the trained model becomes, in one frozen record.

Each stage has its own part, and a stage's ``fingerprint`` covers its part and all before it:
so the diffusion can be given more steps without training the autoencoder again, while files
made by another recipe are never taken for this one's.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Self

STAGES = ("draw", "vae", "latents", "diffusion", "negatives", "export")
"""In the order in which they need each other."""


@dataclass(frozen=True, kw_only=True)
class Data:
    pictures: int = 24_000
    captions: int = 6
    """Ways in which each picture is described, in each of the two parts of the diffusion."""
    spoilt: float = 0.13
    """Share of the pictures that are spoilt, so that the words of negative prompts mean something."""


@dataclass(frozen=True, kw_only=True)
class Vae:
    channels: tuple[int, ...] = (32, 32, 48, 96, 96)
    """Five of them: a latent is a sixteenth of the picture's side. The first two are equal, so that the outermost level
    can grow from a model of four."""
    latent_channels: int = 12
    norm_groups: int = 8
    pictures: int = 6_000
    """So many of them are learned from; they lie in memory."""
    small_steps: int = 2_600
    """First so many at half the size, without the outermost level: a step sees four times as many latents for the same
    time, and what an eye or a whisker looks like is learned there."""
    small_batch: int = 8
    steps: int = 2_000
    batch: int = 2
    """Whole pictures, with as many pixels as the smaller ones. Crops would vary more, but the layers' norms are other
    ones over a crop: an autoencoder that had seen crops gained 0.7 dB in its first 500 steps with whole pictures."""
    rolled: float = 0.15
    """Share of the pictures that are moved by some pixels, round the edge. Animals of drawings stand where latents
    begin (``scenes.STANDS``), what people give the bot does not."""
    learning_rate: float = 4e-4
    warm_up: int = 100
    ema: float = 0.998
    gradient_loss: float = 1.0
    """Weight of the differences between neighbouring pixels: edges, whiskers, hatching."""
    square_loss: float = 8.0
    """Weight of the squares of the errors: large ones, at outlines, count more. 0.1 dB in 150 steps."""
    face_weight: float = 4.0
    """How much more an error counts in a face than at the picture's border: eyes are few pixels, and the first thing
    that people look at."""
    prior: float = 1e-5
    """Weight of the mean square of the latents: only keeps them from running away."""
    noise: float = 0.1
    """Up to so many standard deviations of noise on the latents while the decoder learns."""
    posterior: float = 0.02
    """Standard deviation that the encoder states for its latents, which have 1 themselves."""
    check_every: int = 500

    @property
    def factor(self) -> int:
        """Pixels of a side for each latent's."""
        return int(2 ** (len(self.channels) - 1))


@dataclass(frozen=True, kw_only=True)
class Diffusion:
    channels: tuple[int, ...] = (96, 128, 144)
    attention: tuple[bool, ...] = (False, True, True)
    """Which levels read the prompt: 16x16, 8x8, 4x4."""
    layers: int = 1
    heads: int = 4
    norm_groups: int = 16
    text_width: int = 160
    text_layers: int = 3
    text_heads: int = 4
    steps: int = 7_000
    restart: int | None = 5_000
    """Here the second part begins, in which small things are shown more often. The learning rate comes down twice: to
    this step and to the last. ``None``: once, and all is the first part."""
    batch: int = 32
    learning_rate: float = 6e-4
    restart_rate: float = 4e-4
    last_rate: float = 0.05
    """Share of the learning rate that is left at the end."""
    warm_up: int = 200
    weight_decay: float = 0.01
    ema: float = 0.999
    empty: float = 0.1
    """Share of the captions that are emptied, for guidance."""
    face_weight: float = 2.0
    """As in the autoencoder's loss, at each latent."""
    held_weight: float = 2.0
    """The same where a balloon or an umbrella is, in pictures that have one, in the second part: small things, in every
    colour."""
    coloured_held: float = 3.0
    """How much more often a picture is shown in the second part in which something coloured is held: one in nine."""
    coloured_worn: float = 1.5
    """The same with glasses, or with something coloured at the neck."""
    snr_gamma: float = 5.0
    least_weight: float = 0.25
    """Min-SNR all but ignores the noisiest steps, in which layout and colours are settled."""
    pure_from: int = 940
    pure: float = 0.3
    """From that time step on, this share of the inputs is noise alone, as it is when drawing starts."""
    check_every: int = 500


@dataclass(frozen=True, kw_only=True)
class Negatives:
    pictures: int = 12_000
    """So many of them are seen with negatives."""
    cases: int = 3
    """Pairs of a prompt and a negative for each."""
    guidance: float = 5.0
    """The CFG at which a negative is to do just what it says."""
    steps: int = 800
    batch: int = 16
    learning_rate: float = 1e-3
    last_rate: float = 0.05
    warm_up: int = 50
    ema: float = 0.995
    held_weight: float = 3.0
    """Of what must not change, against what is learned."""
    check_every: int = 250


@dataclass(frozen=True, kw_only=True)
class Recipe:
    seed: int = 1
    start: str = ""
    """A hash of the weights that it grows from; none: from nothing."""
    size: int = 256
    data: Data = field(default_factory=Data)
    vae: Vae = field(default_factory=Vae)
    diffusion: Diffusion = field(default_factory=Diffusion)
    negatives: Negatives = field(default_factory=Negatives)

    @classmethod
    def tiny(cls, *, seed: int = 1) -> Self:
        """For tests: every stage in seconds; its pictures are smudges."""
        return cls(
            seed=seed,
            data=Data(pictures=10, captions=2),
            vae=Vae(
                channels=(16, 16, 16, 16, 16),
                latent_channels=4,
                small_steps=6,
                small_batch=1,
                steps=6,
                batch=1,
                warm_up=2,
                check_every=2,
            ),
            diffusion=Diffusion(
                channels=(16, 16, 16),
                norm_groups=8,
                heads=2,
                text_width=16,
                text_layers=1,
                text_heads=2,
                steps=6,
                restart=4,
                batch=4,
                warm_up=2,
                check_every=2,
            ),
            negatives=Negatives(steps=6, batch=2, warm_up=2, check_every=2),
        )

    def fingerprint(self, stage: str) -> str:
        """A short name for what ``stage`` makes. ``ValueError`` for an unknown stage."""
        reach = STAGES.index(stage)
        parts = [self.seed, self.size, asdict(self.data)]
        if reach >= STAGES.index("vae"):
            parts += [self.start, asdict(self.vae)]
        if reach >= STAGES.index("diffusion"):
            parts.append(asdict(self.diffusion))
        if reach >= STAGES.index("negatives"):
            parts.append(asdict(self.negatives))
        return hashlib.sha256(json.dumps([stage, parts]).encode()).hexdigest()[:16]
