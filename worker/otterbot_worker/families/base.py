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
"""Per attention score where they are written out: in half precision, twice for the softmax in full precision."""


class Encode(Protocol):
    def __call__(
        self, parts: Any, device: torch.device, prompt: Prompt, negative: Prompt, /, *, guided: bool, settings: Settings
    ) -> dict[str, Any]:
        """Keyword arguments of the family's pipelines. ``parts``: what has the tokenizers and text encoders.
        ``guided``: whether the negative prompt acts. ``settings``: what was asked of the picture besides.
        Called where no gradients are kept."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A linear map from latents to colours, for small previews: ``latents @ factors + bias``, each -1 to 1."""

    factors: tuple[tuple[float, float, float], ...]
    """For each of the latents' channels, what it adds to red, green and blue."""
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Computing:
    """What one step takes. ``step_bytes`` are per pixel, in half precision, with guidance where the family has it: from
    the measured peaks with offloading, less the weights."""

    kind: str
    """In ``models/sizes.json``."""
    denoiser: str
    step_bytes: int
    heads: int
    """Of the attention over the most tokens, times the pictures of a step (two with guidance)."""
    token_pixels: int
    """How many pixels one of its tokens stands for."""

    def scores(self, pixels: int) -> int:
        """Bytes of attention scores where no kernel spares writing them out ("math"): they grow with the square."""
        return _SCORE_BYTES * self.heads * (pixels // self.token_pixels) ** 2


def clip_reads(parts: Any) -> tuple[Any, int]:
    """The tokenizer that counts a prompt's tokens, and how many are read: in chunks, as many as we allow."""
    return parts.tokenizer, TOKENS_MAX


@dataclass(frozen=True, kw_only=True)
class Family:
    title: str
    """In sentences for people, as in "is made for … models"."""
    pipeline: str
    """The class of diffusers. It must stand in the model's index: other classes load silently."""
    from_picture: str | None = None
    """The class that starts from a picture; takes the components of the former. ``None``: the family cannot."""
    transformer: str | None = None
    """The class that reads single files of weights (``ModelEntry.transformer``)."""
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
    """By the names of ``samplers``."""
    guided_above: float | None = 1.0
    """The CFG above which the negative prompt acts; ``None``: the family has no place for one."""
    sentences_by: str | None = None
    """The component that reads sentences as people say them: a language model, or T5. ``None``: CLIP alone does, for
    which short phrases are best."""
    weights: bool = False
    """Whether the weights of a prompt act; where not, its clean text is read."""
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
    """Its numbers leave the range of fp16."""
    decoder_upcasts: bool = False
    """Those of its decoder do, unless that is one whose settings say otherwise. Settings that ask for full precision
    mean nothing elsewhere: diffusers writes them for every decoder that does not forbid it."""

    def upcasts(self, decoder: Mapping[str, Any]) -> bool:
        """Whether a decoder with those settings computes in full precision where it is kept in fp16."""
        return self.decoder_upcasts and bool(decoder.get("force_upcast", True))

    @property
    def flows(self) -> bool:
        """Whether it matches flows, as transformers do: its pipelines that start from a picture mix it with noise in
        another way, round the steps of a strength up, and have to be told the size."""
        return "transformer" in self.modules

    @property
    def pictures(self) -> bool:
        """Whether it can start from a picture."""
        return self.from_picture is not None

    def guides(self, guidance_scale: float) -> bool:
        """Whether the negative prompt acts at that CFG."""
        return self.guided_above is not None and guidance_scale > self.guided_above

    def unguided_note(self, model: str) -> str:
        """Says of a negative prompt that it does not act, and why."""
        if self.guided_above is None:
            return f"{model} takes no negative prompt; it was left out."
        at = f"a CFG of {self.guided_above:g} or less" if self.guided_above else "a CFG of 0"
        return f"The negative prompt has no effect at {at}."

    @property
    def ignores(self) -> tuple[str, ...]:
        """What has no effect with it, in words for people."""
        said = (
            ("negative prompts", self.guided_above is not None),
            ("weights in prompts", self.weights),
            ("LoRAs", self.loras),
            ("embeddings", self.embeddings),
            ("pictures to start from", self.pictures),
            ("ControlNets", self.control),
        )
        return tuple(words for words, works in said if not works)
