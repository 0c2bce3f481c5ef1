"""What each family of models can do and what it ignores, free of torch: the API decides with it.

``images/families`` holds what draws, one module per family under the same key. A feature asks here, it never looks at
a family's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .. import samplers


@dataclass(frozen=True, kw_only=True)
class Abilities:
    title: str
    """In sentences for people, as in "is made for … models"."""
    pipeline: str
    """The class that stands in the model's index."""
    modules: tuple[str, ...]
    """Components with weights."""
    optional: tuple[str, ...] = ()
    """Components that an entry may do without (``ModelEntry.without``)."""
    samplers: tuple[str, ...]
    """By the names of ``samplers``."""
    guided_above: float | None = 1.0
    """The CFG above which the negative prompt acts; ``None``: the family has no place for one."""
    weights: bool = True
    """Whether the weights of a prompt act; where not, its clean text is read."""
    loras: bool = True
    embeddings: bool = True
    """Textual inversions."""
    pictures: bool = True
    """Whether it can start from a picture."""
    control: bool = False
    """Whether a ControlNet can steer it."""
    size_multiple: int = 8
    refiner: bool = False
    single_files: bool = False
    """Whether a whole model can come as one file (``ModelEntry.file``)."""
    bf16: bool = False
    """Its numbers leave the range of fp16."""

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


_ALL = tuple(samplers.names())

FAMILIES: Mapping[str, Abilities] = MappingProxyType(
    {
        "sd": Abilities(
            title="Stable Diffusion 1 and 2",
            pipeline="StableDiffusionPipeline",
            modules=("text_encoder", "unet", "vae"),
            samplers=_ALL,
            single_files=True,
            control=True,
        ),
        "sdxl": Abilities(
            title="SDXL",
            pipeline="StableDiffusionXLPipeline",
            modules=("text_encoder", "text_encoder_2", "unet", "vae"),
            samplers=_ALL,
            control=True,
            refiner=True,
            single_files=True,
        ),
        "sd3": Abilities(
            title="Stable Diffusion 3",
            pipeline="StableDiffusion3Pipeline",
            modules=("text_encoder", "text_encoder_2", "text_encoder_3", "transformer", "vae"),
            optional=("text_encoder_3",),
            samplers=("Euler", "Heun", "UniPC"),
            weights=False,
            loras=False,
            embeddings=False,
            pictures=False,
            size_multiple=16,
            bf16=True,
        ),
        "zimage": Abilities(
            title="Z-Image",
            pipeline="ZImagePipeline",
            modules=("text_encoder", "transformer", "vae"),
            samplers=("Euler",),  # its pipeline gives the moments in a list, which UniPC cannot take
            guided_above=0.0,
            weights=False,
            loras=False,
            embeddings=False,
            pictures=False,
            size_multiple=16,
            bf16=True,
        ),
        "flux2": Abilities(
            title="FLUX.2 klein",
            pipeline="Flux2KleinPipeline",
            modules=("text_encoder", "transformer", "vae"),
            samplers=("Euler", "UniPC"),
            guided_above=None,
            weights=False,
            loras=False,
            embeddings=False,
            pictures=False,
            size_multiple=16,
            bf16=True,
        ),
    }
)
