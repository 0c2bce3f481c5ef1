# mypy: disallow-untyped-calls=False
"""The libraries that draw: which versions they are, and that they do not talk."""

from __future__ import annotations

import os
import warnings
from importlib.metadata import version

# isort: off
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# isort: on

import diffusers
import torch
import transformers

from ... import __version__


def versions() -> dict[str, str]:
    """As records name them."""
    return {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "compel": version("compel"),
        "pillow": version("pillow"),  # scales the pictures to start from
        "otterbot-worker": __version__,
    }


def be_quiet() -> None:
    """Libraries say what they cut off a prompt, at warning level: errors only."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
