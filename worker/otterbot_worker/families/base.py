"""What a family of models is: what it can do, what drawing with it takes, and how its prompts are read.

One module per family; the registry is in ``__init__``. A feature asks here and never looks at a family's name. It is
free of torch, because the API decides by it; the classes of diffusers are named, and the GPU process finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from ..sampling import samplers
from ..schemas.settings import Settings
from .prompt import TOKENS_MAX, Prompt

if TYPE_CHECKING:
    import torch

ALL_SAMPLERS = tuple(samplers.names())

_SCORE_BYTES = 8
"""Bytes per attention score where scores are materialised: half precision, plus the softmax in full precision."""


class Encode(Protocol):
    def __call__(
        self, parts: Any, device: torch.device, prompt: Prompt, negative: Prompt, /, *, guided: bool, settings: Settings
    ) -> dict[str, Any]:
        """Encodes prompts: keyword arguments for the family's pipelines. ``parts``: the pipeline, or anything with its
        tokenizers and text encoders. ``guided``: whether the negative prompt acts. ``settings``: the request's other
        settings. Called under ``torch.no_grad``."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A linear map from latents to colours, for small previews: ``latents @ factors + bias``, each -1 to 1."""

    factors: tuple[tuple[float, float, float], ...]
    """One row per latent channel: its share in red, green and blue."""
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Computing:
    """Memory of one step. ``step_bytes``: per pixel, in half precision, with guidance where the family has it; measured
    peak with offloading, less the weights."""

    kind: str
    """Key in ``models/sizes.json``."""
    denoiser: str
    step_bytes: int
    heads: int
    """Heads of the largest attention, times the batch of a step (two with guidance)."""
    token_pixels: int
    """Pixels per token of that attention."""

    def scores(self, pixels: int) -> int:
        """Bytes of attention scores where only the "math" kernel runs, which materialises them: quadratic in the
        pixels."""
        return _SCORE_BYTES * self.heads * (pixels // self.token_pixels) ** 2


def clip_reads(parts: Any) -> tuple[Any, int]:
    """CLIP's tokenizer and the limit of tokens per prompt; more than 75 are read in chunks."""
    return parts.tokenizer, TOKENS_MAX


@dataclass(frozen=True, kw_only=True)
class Family:
    title: str
    """The family's name for people, as in "is made for … models"."""
    pipeline: str
    """The pipeline class in diffusers. The model's index must name it: other classes would load silently."""
    from_picture: str | None = None
    """The img2img class, built from the components of ``pipeline``; ``None``: the family has no img2img."""
    transformer: str | None = None
    """The transformer class, for single files of weights (``ModelEntry.transformer``)."""
    modules: tuple[str, ...]
    """Components with weights."""
    optional: tuple[str, ...] = ()
    """Components that an entry may do without (``ModelEntry.without``)."""
    computing: Computing
    encode: Encode
    reads: Callable[[Any], tuple[Any, int]] = clip_reads
    load_arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    preview: Preview | None = None
    """``None``: no map is known."""
    samplers: tuple[str, ...]
    """Names of ``sampling.samplers``."""
    guided_above: float | None = 1.0
    """The CFG above which the negative prompt acts; ``None``: the family takes no negative prompt."""
    sentences_by: str | None = None
    """The component that reads sentences as people say them: a language model, or T5. ``None``: CLIP alone does, for
    which short phrases are best."""
    weights: bool = False
    """Whether prompt weights act; else the prompt's plain text is encoded."""
    loras: bool = False
    embeddings: bool = False
    """Textual inversions."""
    control: bool = False
    """Whether a ControlNet can steer it."""
    size_multiple: int = 8
    refiner: bool = False
    single_files: bool = False
    """Whether a whole model can come as one file (``ModelEntry.file``)."""
    bf16: bool = False
    """Activations overflow fp16, so bf16 is needed."""
    decoder_upcasts: bool = False
    """The VAE overflows fp16, unless its settings deny it (``force_upcast``). In other families ``force_upcast: true``
    means nothing: diffusers writes it into every VAE by default."""

    def upcasts(self, decoder: Mapping[str, Any]) -> bool:
        """Whether a VAE with those settings computes in fp32 while kept in fp16."""
        return self.decoder_upcasts and bool(decoder.get("force_upcast", True))

    @property
    def flows(self) -> bool:
        """Whether it is a flow-matching family (transformers). Their img2img pipelines add noise differently, round the
        steps of a strength up, and need the size."""
        return "transformer" in self.modules

    @property
    def pictures(self) -> bool:
        """Whether the family has img2img."""
        return self.from_picture is not None

    def guides(self, guidance_scale: float) -> bool:
        """Whether the negative prompt acts at that CFG."""
        return self.guided_above is not None and guidance_scale > self.guided_above

    def unguided_note(self, model: str) -> str:
        """A sentence on why the negative prompt has no effect."""
        if self.guided_above is None:
            return f"{model} takes no negative prompt; it was left out."
        at = f"a CFG of {self.guided_above:g} or less" if self.guided_above else "a CFG of 0"
        return f"The negative prompt has no effect at {at}."

    @property
    def ignores(self) -> tuple[str, ...]:
        """Settings without effect in this family, in words for people."""
        said = (
            ("negative prompts", self.guided_above is not None),
            ("weights in prompts", self.weights),
            ("LoRAs", self.loras),
            ("embeddings", self.embeddings),
            ("pictures to start from", self.pictures),
            ("ControlNets", self.control),
        )
        return tuple(words for words, works in said if not works)
