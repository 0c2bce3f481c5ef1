# mypy: disallow-untyped-calls=False
"""Makes what the census's worker needs: ``python make_files.py DATA``, with the worker's Python.

Models with random weights of every family and form, LoRAs, embeddings, ControlNets and safety checkers. The same
numbers come out every time. The tests' own makers do the work; they are found by their names, wherever they lie below
``tests``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
TESTS = Path(__file__).resolve().parents[1]


def _find(name: str) -> Path:
    found = sorted(path for path in TESTS.rglob(f"{name}.py") if path.parent != Path(__file__).parent)
    if not found:
        raise SystemExit(f"no {name}.py below {TESTS}: say in {__file__} what the tests' maker is called now")
    return found[0].parent


for _maker in (
    "make_tiny_models", "ldm", "lora_files", "published_names", "quantised", "tiny_checker", "tiny_controlnets",
):  # fmt: skip
    sys.path.insert(0, str(_find(_maker)))

import diffusers  # noqa: E402
import ldm  # noqa: E402
import lora_files  # noqa: E402
import make_tiny_models  # noqa: E402
import published_names  # noqa: E402
import quantised  # noqa: E402
import safetensors.torch  # noqa: E402
import tiny_checker  # noqa: E402
import tiny_controlnets  # noqa: E402
import torch  # noqa: E402

WEIGHTS = "diffusion_pytorch_model.safetensors"


def make_single_files(data: Path) -> None:
    files = data / "checkpoints"
    files.mkdir()
    for kind, name in (("sd1", "sd1"), ("sd2", "sd2"), ("sdxl", "xl")):
        with tempfile.TemporaryDirectory() as scratch:
            weights = ldm.make(kind, Path(scratch) / "made")
            shutil.copytree(Path(scratch) / "made" / "config", data / "models" / f"small-{name}")
        safetensors.torch.save_file(weights, files / f"{name}.safetensors")
        if kind == "sd1":
            torch.save({"state_dict": OrderedDict(weights), "global_step": 7}, files / "sd1.ckpt")
            brighter = {key: tensor + 0.2 if key.endswith("decoder.conv_out.bias") else tensor
                        for key, tensor in weights.items() if key.startswith("first_stage_model.")}  # fmt: skip
            safetensors.torch.save_file(brighter, data / "models" / "brighter.safetensors")
        if kind == "sdxl":
            marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
            safetensors.torch.save_file({**weights, **marks}, files / "noob.safetensors")
    whole = (files / "sd1.safetensors").read_bytes()
    (files / "broken.safetensors").write_bytes(whole[: len(whole) // 2])


def make_quantised(data: Path) -> None:
    for model, published in (("zimage", published_names.published_zimage), ("klein", dict)):
        own = data / "models" / f"tiny-{model}" / "transformer" / WEIGHTS
        quantised.write(data / "checkpoints" / f"{model}.gguf", published(safetensors.torch.load_file(own)), "test")


def make_extras(data: Path) -> None:
    """LoRAs, embeddings and ControlNets for the small Stable Diffusion and the small SDXL; and some that are broken."""
    loras, words, nets = data / "loras", data / "embeddings", data / "controlnets"
    numbers = torch.Generator().manual_seed(5)
    models, here = data / "models", {"local_files_only": True}
    sd: Any = diffusers.StableDiffusionPipeline.from_pretrained(models / "tiny-sd", **here)
    xl: Any = diffusers.StableDiffusionXLPipeline.from_pretrained(models / "otter-noise", **here)
    about = {"modelspec.trigger_phrase": "in oils"}
    lora_files.write(loras / "oils.safetensors", lora_files.peft(lora_files.pairs(sd, seed=1)), **about)
    lora_files.write(loras / "Kohya style.safetensors", lora_files.kohya(lora_files.pairs(sd, seed=2), xl=False))
    lora_files.write(loras / "large.safetensors", lora_files.kohya(lora_files.pairs(xl, seed=3), xl=True, blocks=1))
    (loras / "cut.safetensors").write_bytes((loras / "oils.safetensors").read_bytes()[:2000])
    (loras / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    lora_files.write(words / "furball.safetensors", {"emb_params": torch.randn(2, 32, generator=numbers)})
    both = {"clip_l": torch.randn(1, 32, generator=numbers), "clip_g": torch.randn(1, 64, generator=numbers)}
    lora_files.write(words / "Grand.safetensors", both)
    lora_files.write(words / "learned_embeds.safetensors", {"<cat-toy>": torch.randn(32, generator=numbers)})
    tiny_controlnets.save_file(tiny_controlnets.make(sd.unet), nets / "edges-canny.safetensors")
    tiny_controlnets.save_folder(tiny_controlnets.make(xl.unet), nets / "noise-canny")
    tiny_controlnets.save_file(tiny_controlnets.make(sd.unet, seed=1), nets / "my-depth.safetensors")
    (nets / "broken.safetensors").write_bytes(b"no header")
    tiny_checker.save(data / "checkers" / "finds-all", tiny_checker.EVERYTHING)
    tiny_checker.save(data / "checkers" / "finds-none", tiny_checker.NOTHING)
    strict = models / "strict-sd"
    shutil.copytree(models / "tiny-sd", strict)
    tiny_checker.save(strict / "safety_checker", tiny_checker.EVERYTHING, strict / "feature_extractor")


def main(target: Path) -> None:
    """All or nothing: what was begun and not ended would be taken for whole the next time."""
    data = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(data, ignore_errors=True)
    for name, maker in make_tiny_models.MAKERS.items():
        if name == "noise-canny":
            continue
        with tempfile.TemporaryDirectory() as scratch:
            maker(data / "models" / name, Path(scratch))
    make_single_files(data)
    make_quantised(data)
    make_extras(data)
    data.rename(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
