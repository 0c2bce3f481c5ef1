# mypy: disallow-untyped-calls=False
"""The drawing libraries: their versions, and silencing their logs."""

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
    """Versions for the record."""
    return {
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "compel": version("compel"),
        "pillow": version("pillow"),  # scales init images
        "otterbot-worker": __version__,
    }


def be_quiet() -> None:
    """Log errors only: at warning level libraries print the part of a prompt that they cut off."""
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    warnings.simplefilter("ignore")
