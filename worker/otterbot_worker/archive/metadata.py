"""What is written into and beside a picture.

Three copies of the record (``{v, asked, used, took}``), for three readers:

- the PNG's ``parameters`` chunk in the format of AUTOMATIC1111's web UI, for the tools of the field;
- the PNG's ``otterbot`` chunk, JSON: the truth, since no prompt can be confused with a field in it;
- the ``.yml`` sidecar, for people and ``grep`` (`sidecars`).

All functions are pure, and none needs Pillow. `reading` is the way back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from ..schemas.records import Record, Used, UsedControl, UsedHires, UsedRefiner
from ..schemas.resolved_parts import UsedChance, UsedVariation
from ..schemas.settings import SETTINGS
from . import containers

A1111_CHUNK = containers.PARAMETERS
OWN_CHUNK = "otterbot"

_NEWLINES = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_FIELD_LIKE = re.compile(r"(?i)(negative\s+prompt|\bsteps)(\s*\\*):")
_ESCAPED = re.compile(r"(?i)(negative\s+prompt|\bsteps)(\s*\\*)\\:")

_SAMPLERS = {
    "unipc": ("UniPC", None),
    "euler": ("Euler", None),
    "eulera": ("Euler a", None),
    "eulersgmuniform": ("Euler", "SGM Uniform"),
    "dpm++2m": ("DPM++ 2M", None),
    "dpm++2mkarras": ("DPM++ 2M", "Karras"),
    "dpm++2msde": ("DPM++ 2M SDE", None),
    "dpm++2msdekarras": ("DPM++ 2M SDE", "Karras"),
    "dpm++sde": ("DPM++ SDE", None),
    "dpm++sdekarras": ("DPM++ SDE", "Karras"),
    "ddim": ("DDIM", None),
    "pndm": ("PLMS", None),
    "lcm": ("LCM", None),
}
"""Our samplers by A1111's names (its PLMS is diffusers' PNDM)."""


UPSCALERS = {"latent": "Latent", "lanczos": "Lanczos"}
"""Our upscalers by A1111's names."""


START = "Init image hash"
"""Field of our own for img2img: the SHA-256 of the init image. A1111 writes only "Denoising strength", which with hires
is the second pass's."""


TEMPLATE, NEGATIVE_TEMPLATE = "Template", "Negative Template"
"""What words were drawn from by chance, in Dynamic Prompts."""


RESCALE = "CFG Rescale"
"""The field's name in Seshelle's extension CFG_Rescale_webui; A1111 itself has no rescale."""


def a1111(record: Record) -> str:
    """The text of the ``parameters`` chunk."""
    used = record.used
    lines = [_escape(used.prompt)]
    if used.negative_prompt:
        lines.append(f"Negative prompt: {_escape(used.negative_prompt)}")
    name = re.sub(r"[\s_.-]", "", used.sampler.casefold())
    sampler, schedule = _SAMPLERS.get(name, (used.sampler, None))
    strength = used.strength if used.hires is None else used.hires.strength
    fields: dict[str, Any] = {
        "Steps": used.steps,
        "Sampler": sampler,
        "Schedule type": schedule,
        "CFG scale": f"{used.guidance_scale:g}",
        "Seed": used.seed,
        "Size": f"{used.width}x{used.height}",
        "Model hash": used.model_hash.removeprefix("sha256:")[:10] or None,
        "Model": used.model,
        "VAE hash": used.vae.hash[:10] if used.vae is not None else None,
        "VAE": used.vae.name if used.vae is not None else None,
        RESCALE: f"{used.guidance_rescale:g}" if used.guidance_rescale else None,
        **{one.parameter: getattr(used, name) for name, one in SETTINGS.items()},
        **_variation(used.variation),
        "Denoising strength": None if strength is None else f"{strength:g}",
        "ControlNet 0": _control(used.control),
        **_hires(used.hires),
        **_start(used),
        "Refiner": _refiner(used.refiner),
        "Refiner switch at": f"{used.refiner.hand_over:g}" if used.refiner is not None else None,
        **_templates(used.chance),
        "Lora hashes": _hashes((one.name, one.autov3) for one in used.loras),
        "TI hashes": _hashes((one.name, one.hash) for one in used.embeddings),
        "Version": f"otterbot {used.versions.get('otterbot-worker', '')}".strip(),
    }
    lines.append(", ".join(f"{key}: {_quote(value)}" for key, value in fields.items() if value is not None))
    return "\n".join(lines)


def _variation(variation: UsedVariation | None) -> dict[str, Any]:
    if variation is None:
        return {}
    return {"Variation seed": variation.seed, "Variation seed strength": f"{variation.strength:g}"}


def _templates(chance: UsedChance | None) -> dict[str, Any]:
    """By the names that Dynamic Prompts has for them. It writes them on lines of their own behind the settings, where
    A1111, which takes the last line for those, finds none any more; as settings in quotes both read them."""
    return {} if chance is None else {TEMPLATE: chance.prompt, NEGATIVE_TEMPLATE: chance.negative_prompt}


def _control(control: UsedControl | None) -> str | None:
    """The ControlNet as A1111's extension writes it, as far as both have the same settings."""
    if control is None:
        return None
    fields = {
        "Module": control.kind if control.kind == "canny" else "none",
        "Model": f"{re.sub('[:,]', '', control.name)} [{control.hash[:8]}]",
        "Weight": f"{control.scale:g}",
        "Resize Mode": "Crop and Resize",
        "Guidance Start": f"{control.start:g}",
        "Guidance End": f"{control.end:g}",
        "Control Mode": "Balanced",
    }
    return ", ".join(f"{key}: {value}" for key, value in fields.items())


def _hires(hires: UsedHires | None) -> dict[str, Any]:
    """A1111 counts the steps that are drawn; ours are multiplied by the strength first
    (``sampling.sampling_steps``)."""
    if hires is None:
        return {}
    steps = max(1, int(hires.steps * hires.strength + 1e-6))
    return {
        "Hires upscale": f"{hires.scale:g}",
        "Hires steps": steps,
        "Hires upscaler": UPSCALERS[hires.upscaler],
    }


def _start(used: Used) -> dict[str, Any]:
    if used.init_image is None:
        return {}
    taken = used.strength is None or used.hires is None
    return {START: used.init_image, "Init image strength": None if taken else f"{used.strength:g}"}


def _refiner(refiner: UsedRefiner | None) -> str | None:
    """``name [0123456789]``, as the web UI writes it."""
    return f"{refiner.name} [{refiner.hash[:10]}]" if refiner is not None else None


def _hashes(files: Iterable[tuple[str, str]]) -> str | None:
    """``name: 0123456789ab, name2: …``, as the web UI writes it; ``None`` for none. ``files``: names and hashes."""
    named = dict.fromkeys(f"{re.sub('[:,]', '', name)}: {digest[:12]}" for name, digest in files)
    return ", ".join(named) or None


def own_chunk(record: Record) -> str:
    """The text of the ``otterbot`` chunk: one line of JSON in ASCII."""
    return json.dumps(record.model_dump(mode="json"), ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def clean(text: str) -> str:
    """One kind of line end, no control characters, nothing that UTF-8 cannot hold."""
    text = _UNPRINTABLE.sub("", _NEWLINES.sub("\n", text))
    return text.encode("utf-8", "replace").decode("utf-8")


def _escape(text: str) -> str:
    r"""Escape a prompt so that no reader finds a field in it: ``Negative prompt:`` becomes ``Negative prompt\:``.

    A1111 drops a lone backslash, so its prompt stays the same. Other fields need no escaping: they are read from the
    last line, which is always ours. Existing backslashes there get one more, so that `unescape` restores the text.
    """
    lines = (line.strip() for line in clean(text).split("\n"))
    return _FIELD_LIKE.sub(r"\1\2\\:", "\n".join(line for line in lines if line))


def unescape(text: str) -> str:
    """Undo the escaping of `a1111`."""
    return _ESCAPED.sub(r"\1\2:", text)


def _quote(value: object) -> str:
    text = str(value)
    if text != text.strip() or re.search(r'[,:"\n]', text):
        return json.dumps(text, ensure_ascii=False)
    return text
