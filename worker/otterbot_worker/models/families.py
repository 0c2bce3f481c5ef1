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
    size_multiple: int = 8
    refiner: bool = False


_ALL = tuple(samplers.names())

FAMILIES: Mapping[str, Abilities] = MappingProxyType(
    {
        "sd": Abilities(
            title="Stable Diffusion 1 and 2",
            pipeline="StableDiffusionPipeline",
            modules=("text_encoder", "unet", "vae"),
            samplers=_ALL,
        ),
        "sdxl": Abilities(
            title="SDXL",
            pipeline="StableDiffusionXLPipeline",
            modules=("text_encoder", "text_encoder_2", "unet", "vae"),
            samplers=_ALL,
            refiner=True,
        ),
    }
)
