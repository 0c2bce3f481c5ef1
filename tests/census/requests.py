"""The picture requests of the census: every option of the API, every model, every way of saying it.

``$name`` stands for the id of one of :mod:`census.inputs`. Each has a seed, so its pixels are known.
"""

from __future__ import annotations

from typing import Any

Request = dict[str, Any]

OWN_MODELS = (
    "tiny-sd", "own-vae", "single-sd1", "pickled-sd1", "single-sd2", "tiny-xl", "single-xl", "zero-snr", "tiny-refined",
    "tiny-sd3", "tiny-sd3-without", "tiny-zimage", "zimage-gguf", "tiny-klein", "klein-gguf", "whole-only",
)  # fmt: skip
SAMPLERS = (
    "Euler", "euler_a", "Euler SGM uniform", "DPM++ 2M", "dpm++ 2m karras", "DPM++ 2M SDE", "DPM++ 2M SDE Karras",
    "DPM++ SDE", "DPM++ SDE Karras", "Heun", "DPM2", "DPM2 a", "DDIM", "PLMS", "LCM", "TCD", "DEIS",
)  # fmt: skip
LONG = "an otter in a red cowboy hat on a blue ball by the ocean, " * 12
PIXELS = {"scale": 1.5, "upscaler": "lanczos", "strength": 0.4, "steps": 5}
SPOKEN = 'otter, Steps: 30, Negative prompt: none\nSampler: Euler, Seed: 1\n\n"quoted" 🦦 Überfluß \\(plain\\)'


def _ask(prompt: str = "otter, cowboy hat", model: str | None = "tiny-sd", **fields: Any) -> Request:
    return {"prompt": prompt, "seed": 7, **({} if model is None else {"model": model}), **fields}


def _start(name: str, **fields: Any) -> Request:
    return {"init_image": {"id": f"${name}"}, **fields}


def _mask(name: str, mask: str, **fields: Any) -> Request:
    return _start(name, mask={"id": f"${mask}"}, **fields)


def _control(kind: str, name: str = "wide", **fields: Any) -> Request:
    return {"control": {"kind": kind, "id": f"${name}", **fields}}


def _families() -> dict[str, Request]:
    plain: dict[str, Request] = {"default model": _ask(model=None, steps=3)}
    for model in OWN_MODELS:
        plain[f"model {model}"] = _ask("an (otter)1.3 in a hat", model, negative_prompt="blurry")
    plain |= {f"sampler {name}": _ask(sampler=name, steps=4) for name in SAMPLERS}
    for model, name in (("tiny-sd3", "Heun"), ("tiny-sd3", "UniPC"), ("tiny-klein", "UniPC"), ("zero-snr", "DDIM")):
        plain[f"sampler {name} of {model}"] = _ask(model=model, sampler=name)
    return plain


def _numbers() -> dict[str, Request]:
    return {
        "one step": _ask(steps=1),
        "many steps": _ask(steps=25),
        "no guidance": _ask(guidance_scale=0),
        "guidance of one": _ask(guidance_scale=1.0, negative_prompt="blurry"),
        "much guidance": _ask(guidance_scale=17.5),
        "no negative prompt": _ask(negative_prompt=""),
        "rounded size": _ask(width=75, height=50),
        "width alone": _ask(width=90),
        "height alone": _ask("a fox", "tiny-xl", height=96),
        "wide shape": _ask(aspect="3:2"),
        "portrait": _ask(model="tiny-xl", aspect="portrait"),
        "square": _ask(aspect="square"),
        "shape beyond the limits": _ask(model="tiny-xl", aspect="4:1"),
        "seed 0": _ask(seed=0),
        "three beyond the last seed": _ask(seed=2**32 - 2, count=3),
        "variation": _ask(variation={"seed": 42, "strength": 0.2}),
        "three variations": _ask(variation={"seed": 2**32 - 1, "strength": 0.6}, count=3),
        "variation of nothing": _ask(variation={"seed": 42, "strength": 0}),
        "variation of a flow": _ask(model="tiny-sd3", variation={"seed": 42, "strength": 1}),
        "usual CFG for weights": _ask("(otter:1.4)", "tiny-xl"),
        "theme": _ask(theme="Ein Ötter / with ../ and \U0001f9a6"),
        "asked": _ask(steps=2, asked={"prompt": "otter, cowboy hat", "steps": 2, "model": None, "aspect": "square"}),
        "previews": _ask(preview=True, steps=5),
        "checked": _ask(safety=True, preview=True),
        "found unsafe": _ask(model="strict-sd", safety=True),
    }


def _words() -> dict[str, Request]:
    return {
        "both notations": _ask("((otter)) [hat] (red:1.5) blue++ (castle ocean)-- embedding:nothing"),
        "breaks": _ask("otter BREAK castle BREAK ocean", "tiny-xl", negative_prompt="cat BREAK dog"),
        "and": _ask('("otter in a hat", "the castle").and(1, 0.5)'),
        "blend": _ask('("otter", "castle").blend(0.7, 0.3)', "tiny-xl"),
        "web UI's": _ask("[cat:dog:0.5] AND [cat|dog], (hat:9), ‘(otter)++scarf’ -no hat, (a [b) c]"),
        "long": _ask(LONG, negative_prompt=LONG[:400]),
        "long for SD 3": _ask(LONG, "tiny-sd3"),
        "long for Z-Image": _ask(LONG, "tiny-zimage"),
        "looks like fields": _ask(SPOKEN, negative_prompt="Steps: 3, Seed: 9"),
        "LoRA": _ask("otter <lora:oils:0.8>"),
        "two LoRAs": _ask("otter <lora:OILS:-0.5> <lora:Kohya style:1.2> <lora:oils>"),
        "LoRA of SDXL": _ask("otter <lora:large:0.7>", "tiny-xl"),
        "embedding": _ask("otter, (Furball:1.2), hat", negative_prompt="<furball>"),
        "embedding by its word": _ask("a <cat-toy> on a ball"),
        "embedding of SDXL": _ask("grand otter", "tiny-xl", negative_prompt="furball"),
        "shipped LoRA": _ask("a penguin on ice <lora:penguin:0.9>", "otter-mini", steps=4),
        "shipped embedding": _ask("ottoline in a hat", "otter-mini", steps=4),
    }


def _from_pictures() -> dict[str, Request]:
    return {
        "from a picture": _ask(**_start("scene")),
        "little changed": _ask(**_start("scene"), strength=0.1, steps=8),
        "from a photo": _ask(**_start("photo"), strength=0.7),
        "from a lying one": _ask(**_start("lying"), strength=0.5, model="tiny-xl"),
        "from one that moves": _ask(**_start("moving"), strength=0.5),
        "from one, sized": _ask(**_start("wide"), width=64, height=80),
        "from one, shaped": _ask(**_start("wide"), aspect="portrait"),
        "from one, a flow": _ask(**_start("wide"), model="tiny-sd3"),
        "from one, Z-Image": _ask(**_start("wide"), model="tiny-zimage", strength=0.5),
        "from one, refined": _ask(**_start("scene"), model="tiny-refined", strength=0.9, steps=6),
        "from one, varied": _ask(**_start("scene"), variation={"seed": 3, "strength": 0.3}),
        "holes": _ask(**_mask("holes", "holes")),
        "odd holes": _ask(**_mask("odd holes", "odd holes"), model="tiny-xl"),
        "holes, scaled": _ask(**_mask("holes", "holes"), width=64, height=64),
        "mask": _ask(**_mask("scene", "mask"), strength=0.6, sampler="Euler a"),
        "mask of a flow": _ask(**_mask("wide", "wide mask"), model="tiny-sd3"),
        "mask of what is bright": _ask(**_mask("scene", "scene")),
        "too large for its mask": _ask(**_mask("huge", "wide mask")),
        "edges": _ask(**_control("canny")),
        "named ControlNet": _ask(**_control("my-depth", scale=0.7, start=0.2, end=0.8)),
        "edges of SDXL": _ask(**_control("canny", "photo"), model="tiny-xl", width=64, height=64),
        "edges, refined": _ask(**_control("noise-canny"), model="tiny-refined", steps=6),
        "edges and a picture": _ask(**_control("canny"), **_start("scene"), strength=0.8),
        "edges and a mask": _ask(**_control("canny", "scene"), **_mask("scene", "mask")),
    }


def _larger() -> dict[str, Request]:
    return {
        "hires": _ask(hires={"scale": 2}),
        "hires of pixels": _ask(model="tiny-xl", hires=PIXELS),
        "hires in tiles": _ask(width=96, height=64, hires={"scale": 3}),
        "hires of latents in tiles": _ask(hires={"scale": 3, "upscaler": "latent"}),
        "hires, refined": _ask(model="tiny-refined", hires={"scale": 2}, steps=5),
        "hires with edges": _ask(**_control("canny", "scene"), hires={"scale": 1.5}),
        "hires of a picture": _ask(**_start("scene"), hires={"scale": 2}, strength=0.5),
        "hires of a flow": _ask(model="tiny-sd3", hires={"scale": 2, "upscaler": "lanczos"}),
        "upscale": _ask(**_start("scene"), upscale=2),
        "upscale in tiles": _ask("", **_start("scene"), upscale=4, strength=0.5),
        "upscale SDXL": _ask(**_start("wide"), model="tiny-xl", upscale=2),
        "upscale whole scenes": _ask(**_start("scene"), model="whole-only", upscale=4),
    }


def pictures() -> dict[str, Request]:
    """In the order in which they are asked for: what one model draws comes together, as far as that is easy."""
    found = {**_families(), **_numbers(), **_words(), **_from_pictures(), **_larger()}
    found["model that is another's"] = _ask(model="other-family")
    order = {model: number for number, model in enumerate(dict.fromkeys(r.get("model") for r in found.values()))}
    return dict(sorted(found.items(), key=lambda item: order[item[1].get("model")]))


def refused() -> dict[str, Request]:
    """Request bodies that are answered with a problem."""
    return {
        "no prompt": _ask("  "),
        "prompt too long": _ask("x" * 4001),
        "unknown model": _ask(model="no-such"),
        "missing model": _ask(model="missing"),
        "broken model": _ask(model="broken"),
        "no steps": _ask(steps=0),
        "too many steps": _ask(model="tiny-xl", steps=21),
        "too few steps": _ask(model="tiny-xl", steps=1),
        "steps are words": _ask(steps="many"),
        "too much guidance": _ask(model="tiny-xl", guidance_scale=21),
        "guidance beyond all": _ask(guidance_scale=31),
        "too small": _ask(model="tiny-xl", width=16, height=64),
        "too wide": _ask(width=264, height=64),
        "too many pixels": _ask(width=256, height=256),
        "shape and size": _ask(aspect="3:2", width=64),
        "no shape": _ask(aspect="wide"),
        "unknown sampler": _ask(sampler="magic"),
        "sampler of another family": _ask(model="tiny-sd3", sampler="DDIM"),
        "sampler without zero SNR": _ask(model="zero-snr", sampler="Heun"),
        "no seed": {"prompt": "otter", "model": "tiny-sd"},
        "seed too large": _ask(seed=2**32),
        "count of nine": _ask(count=9),
        "unknown field": _ask(clip=2),
        "no variation": _ask(variation={"seed": 1, "strength": 2}),
        "unknown LoRA": _ask("otter <lora:nobody:1>"),
        "broken LoRA": _ask("otter <lora:cut:1>"),
        "LoRA of another family": _ask("otter <lora:large:1>"),
        "LoRA with two strengths": _ask("otter <lora:oils:0.8:0.5>"),
        "LoRA in what should not be there": _ask(negative_prompt="<lora:oils:1>"),
        "LoRA of a flow": _ask("otter <lora:oils>", "tiny-sd3"),
        "picture is gone": _ask(init_image={"id": "0" * 64}),
        "no id of a picture": _ask(init_image={"id": "scene"}),
        "picture for klein": _ask(**_start("scene"), model="tiny-klein"),
        "strength of nothing": _ask(**_start("scene"), strength=0),
        "mask without a picture": _ask(mask={"id": "$mask"}),
        "mask of another shape": _ask(**_mask("wide", "mask")),
        "black mask": _ask(**_mask("scene", "black")),
        "unknown ControlNet": _ask(**_control("pose")),
        "broken ControlNet": _ask(**_control("broken")),
        "ControlNet of another family": _ask(**_control("my-depth"), model="tiny-xl"),
        "ControlNet for a flow": _ask(**_control("canny"), model="tiny-sd3"),
        "hires for klein": _ask(model="tiny-klein", hires={"scale": 2}),
        "hires with a mask": _ask(**_mask("scene", "mask"), hires={"scale": 2}),
        "upscale of nothing": _ask(upscale=2),
        "upscale with a size": _ask(**_start("scene"), upscale=2, width=64),
        "upscale threefold": _ask(**_start("scene"), upscale=3),
        "upscale too large": _ask(**_start("huge"), upscale=4),
        "several at once": _ask("", steps=999, guidance_scale=-1, sampler="magic", count=0, more=1),
    }


PRIVATE = frozenset({"long", "theme", "LoRA"})
"""Those that come from an encrypted room."""

EXPLAINED: dict[str, Request] = {
    "plain": {"prompt": "otter, cowboy hat"},
    "weights": {"prompt": "((otter)) [hat] (red:1.5) blue++ (castle)--", "negative_prompt": "(ugly)1.4"},
    "breaks": {"prompt": "a BREAK b BREAK c <lora:x:0.5> <lora:y>"},
    "and": {"prompt": '("otter", "castle").and(1, 0.5)'},
    "blend": {"prompt": '("otter", "castle").blend(0.7, 0.3, no_normalize)'},
    "swap": {"prompt": 'a ("cat").swap("dog")'},
    "web UI's": {"prompt": "[cat:dog:0.5] AND [cat|dog] [x::3], (hat:9), (hat:1,3), （hat:1.3）"},
    "signs": {"prompt": "hat— (hat)—scarf C++ :-) 16:9 (16:9) (in 1990:1.2) \"tall man\"++ [cat]++ \\(x\\)"},
    "crossed": {"prompt": "(a [b) c] (((( embedding:easynegative"},
    "empty": {"prompt": ""},
}  # fmt: skip
