"""Puts what is finished into the directory of a training: ``go_on.py FIRST_EDITION OUT``, from ``training/``.

``train`` then draws the pictures, encodes them, and begins with the stage ``negatives``. The weights come from half
precision: those of the run that made them differ in the fourth digit.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from otter_mini import checkpoints, diffusion, export, tokenizer
from otter_mini.evaluate import weights_of
from otter_mini.recipe import Recipe

HERE = Path(__file__).parent


def main(first: Path, out: Path) -> None:
    recipe = Recipe(start=weights_of(first))
    export.quiet()
    pipe = export.read(HERE / "otter-mini")
    out.mkdir(parents=True)
    shutil.copytree(HERE / "otter-mini" / "vae", out / "vae")
    words = tokenizer.make(out / "tokenizer")
    both = diffusion.build(recipe, len(words))
    both.unet.load_state_dict(pipe.unet.state_dict())
    both.text_encoder.load_state_dict(pipe.text_encoder.state_dict())
    average = [parameter.detach() for parameter in both.parameters()]
    mark = recipe.fingerprint("diffusion")
    checkpoints.save(out / "diffusion.ckpt", {"fingerprint": mark, "step": recipe.diffusion.steps, "average": average})
    for stage in ("vae", "diffusion"):
        checkpoints.mark_done(out / f"{stage}.done", recipe.fingerprint(stage))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
