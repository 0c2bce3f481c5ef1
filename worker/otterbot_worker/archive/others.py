"""Metadata of programs other than A1111: which program wrote it, and its settings where they are plain.

============== ============================================================================
SwarmUI        JSON with ``sui_image_params``, in ``parameters``
Fooocus        JSON in ``parameters``
InvokeAI       JSON in ``invokeai_metadata``, of old versions in ``sd-metadata``, or ``Dream``
NovelAI        JSON in ``Comment``, where ``Software`` says so; both may be in EXIF's ``UserComment``
ComfyUI        a graph in ``prompt`` (:mod:`.comfy`), and one for its editor in ``workflow``
Easy Diffusion texts of their own, or JSON in ``parameters``
Draw Things    JSON in EXIF's ``UserComment``, or that of XMP
sd-scripts     texts of their own
============== ============================================================================

Values are passed on unchecked; ``found.valid`` checks them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from . import comfy, containers

_SAMPLERS = {
    "euler": "Euler",
    "eulera": "Euler a",
    "eulerancestral": "Euler a",
    "dpmpp2m": "DPM++ 2M",
    "dpmpp2mk": "DPM++ 2M Karras",
    "dpmpp2msde": "DPM++ 2M SDE",
    "dpmpp2msdek": "DPM++ 2M SDE Karras",
    "dpmpp2msdegpu": "DPM++ 2M SDE",
    "dpmppsde": "DPM++ SDE",
    "dpmppsdek": "DPM++ SDE Karras",
    "dpmppsdegpu": "DPM++ SDE",
    "ddim": "DDIM",
    "pndm": "PNDM",
    "plms": "PNDM",
    "lcm": "LCM",
    "unipc": "UniPC",
    "heun": "Heun",
    "dpm2": "DPM2",
    "dpm2ancestral": "DPM2 a",
    "deis": "DEIS",
}
"""Sampler names of k-diffusion and diffusers, without dashes and a leading ``k_``."""
_SCHEDULES = {"normal": None, "native": None, "karras": "Karras", "sgm_uniform": "SGM Uniform"}
_FILE_END = re.compile(r"(?i)\.(?:safetensors|ckpt|sft|pt|gguf)$")
_OF_INVOKE = frozenset({"invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "Dream"})
_RESOLUTION = re.compile(r"\(?\s*(\d{1,6})\s*[,x×]\s*(\d{1,6})\s*\)?")

Values = dict[str, Any]


class Foreign(NamedTuple):
    program: str
    values: Values | None
    """Fields of a request, and ``schedule``, unchecked; ``None``: they are not plain, or not known."""
    rest: tuple[str, ...] = ()
    """Names of further settings."""


def recognise(texts: Mapping[str, str | None]) -> Foreign | None:
    """The program that wrote these texts, with its settings; ``None`` where no known one did."""
    for look in (_swarm, _fooocus, _invoke, _novelai, _easy_diffusion, _draw_things, _scripts, _comfy, *_LAST):
        if (found := look(texts)) is not None:
            return found
    return None


def sampler(name: Any, schedule: Any) -> tuple[Any, Any]:
    """Sampler and schedule by A1111's names where known, else unchanged."""
    if isinstance(name, str):
        plain = re.sub(r"[\W_]", "", re.sub(r"^(?:k|sample)_", "", name.strip().lower()))
        name = _SAMPLERS.get(plain, name)
    return name, _SCHEDULES.get(schedule, schedule) if isinstance(schedule, str) else None


def _json(text: str | None) -> dict[str, Any]:
    """The JSON object in a text; empty where there is none."""
    if not text or text.lstrip()[:1] != "{":
        return {}
    try:
        found = json.loads(text.rstrip("\0"), strict=False)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _taken(program: str, source: Mapping[str, Any], names: Mapping[str, str], about: str = "") -> Foreign:
    """``names``: ours → theirs. ``about``: theirs that change no picture, with spaces between."""
    values = {ours: source.get(theirs) for ours, theirs in names.items()}
    ignored = {*names.values(), *about.split()}
    rest = tuple(name for name, value in source.items() if name not in ignored and value not in (None, "", [], {}))
    return Foreign(program, values, rest)


def _model_name(name: Any) -> Any:
    """A model's name as A1111 writes it: without folder and file ending."""
    return _FILE_END.sub("", name.replace("\\", "/").rsplit("/", 1)[-1]) if isinstance(name, str) else None


# ---------------------------------------------------------------- one by one


def _swarm(texts: Mapping[str, str | None]) -> Foreign | None:
    source = _json(texts.get(containers.PARAMETERS)).get("sui_image_params")
    if not isinstance(source, dict):
        return None
    names = {
        "prompt": "prompt",
        "negative_prompt": "negativeprompt",
        "model": "model",
        "seed": "seed",
        "steps": "steps",
        "guidance_scale": "cfgscale",
        "width": "width",
        "height": "height",
        "sampler": "sampler",
        "schedule": "scheduler",
    }
    found = _taken("SwarmUI", source, names, "swarm_version images aspectratio date generation_time personalnote")
    return _with_model(found)


def _fooocus(texts: Mapping[str, str | None]) -> Foreign | None:
    source = {name.lower().replace(" ", "_"): value for name, value in _json(texts.get(containers.PARAMETERS)).items()}
    if "base_model" not in source or not {"sharpness", "adm_guidance", "performance"} & source.keys():
        return None
    names = {
        "prompt": "prompt",
        "negative_prompt": "negative_prompt",
        "model": "base_model",
        "seed": "seed",
        "steps": "steps",
        "guidance_scale": "guidance_scale",
        "sampler": "sampler",
        "schedule": "scheduler",
    }
    about = "base_model_hash version metadata_scheme created_by full_prompt full_negative_prompt resolution"
    found = _with_model(_taken("Fooocus", source, names, about))
    size = _RESOLUTION.fullmatch(str(source.get("resolution", "")))
    assert found.values is not None
    found.values.update({"width": size and size[1], "height": size and size[2]})
    return found


def _invoke(texts: Mapping[str, str | None]) -> Foreign | None:
    source = _json(texts.get("invokeai_metadata"))
    if source:
        names = {
            "prompt": "positive_prompt",
            "negative_prompt": "negative_prompt",
            "model": "model",
            "seed": "seed",
            "steps": "steps",
            "guidance_scale": "cfg_scale",
            "width": "width",
            "height": "height",
            "sampler": "scheduler",
        }
        found = _taken("InvokeAI", source, names, "app_version generation_mode rand_device")
        assert found.values is not None
        model = found.values["model"]
        if isinstance(model, dict):
            found.values["model"] = model.get("name", model.get("model_name"))
        return _with_model(found)
    old = _json(texts.get("sd-metadata"))
    image = old.get("image")
    if isinstance(image, dict) and str(old.get("app_id", "")).startswith(("invoke-ai", "lstein")):
        own = ("prompt", "seed", "steps", "width", "height", "sampler")
        found = _taken("InvokeAI", image, {**{name: name for name in own}, "guidance_scale": "cfg_scale"}, "type")
        assert found.values is not None
        prompt = found.values["prompt"]
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], dict):
            found.values["prompt"] = prompt[0].get("prompt")
        found.values["model"] = old.get("model_weights")
        return _with_model(found)
    return Foreign("InvokeAI", None) if _OF_INVOKE & texts.keys() else None


def _novelai(texts: Mapping[str, str | None]) -> Foreign | None:
    around: Mapping[str, Any] = texts if "Software" in texts else _json(texts.get(containers.PARAMETERS))
    if around.get("Software") != "NovelAI":
        return None
    comment = around.get("Comment")
    source = _json(comment if isinstance(comment, str) else None)
    if "steps" not in source:
        return Foreign("NovelAI", None)
    names = {
        "prompt": "prompt",
        "negative_prompt": "uc",
        "seed": "seed",
        "steps": "steps",
        "guidance_scale": "scale",
        "width": "width",
        "height": "height",
        "sampler": "sampler",
        "schedule": "noise_schedule",
    }
    return _taken("NovelAI", source, names, "request_type signed_hash version n_samples")


def _easy_diffusion(texts: Mapping[str, str | None]) -> Foreign | None:
    source: Mapping[str, Any] = _json(texts.get(containers.PARAMETERS)) or texts
    if "use_stable_diffusion_model" not in source or "num_inference_steps" not in source:
        return None
    names = {
        "prompt": "prompt",
        "negative_prompt": "negative_prompt",
        "model": "use_stable_diffusion_model",
        "seed": "seed",
        "steps": "num_inference_steps",
        "guidance_scale": "guidance_scale",
        "width": "width",
        "height": "height",
        "sampler": "sampler_name",
        "schedule": "scheduler_name",
    }
    return _with_model(_taken("Easy Diffusion", source, names))


def _draw_things(texts: Mapping[str, str | None]) -> Foreign | None:
    source = _json(texts.get(containers.PARAMETERS))
    if not {"c", "uc", "steps"} <= source.keys():
        return None
    names = {
        "prompt": "c",
        "negative_prompt": "uc",
        "model": "model",
        "seed": "seed",
        "steps": "steps",
        "guidance_scale": "scale",
        "sampler": "sampler",
    }
    found = _with_model(_taken("Draw Things", source, names, "size v2 profile"))
    size = _RESOLUTION.fullmatch(str(source.get("size", "")))
    assert found.values is not None
    found.values.update({"width": size and size[1], "height": size and size[2]})
    return found


def _scripts(texts: Mapping[str, str | None]) -> Foreign | None:
    names = {
        "prompt": "prompt",
        "negative_prompt": "negative-prompt",
        "seed": "seed",
        "steps": "steps",
        "guidance_scale": "scale",
        "sampler": "sampler",
    }
    if not {"prompt", "seed", "steps", "scale"} <= texts.keys():
        return None
    return _taken("sd-scripts", texts, names, "batch_size original-height original-width crop-top crop-left")


def _comfy(texts: Mapping[str, str | None]) -> Foreign | None:
    graph = _json(texts.get("prompt"))
    if (values := comfy.plain(graph)) is not None:
        rest = values.pop("rest")
        return _with_model(Foreign("ComfyUI", values, rest))
    return Foreign("ComfyUI", None) if comfy.is_graph(graph) or "workflow" in texts else None


def _midjourney(texts: Mapping[str, str | None]) -> Foreign | None:
    return Foreign("Midjourney", None) if "Job ID:" in (texts.get(containers.DESCRIPTION) or "") else None


def _unknown(texts: Mapping[str, str | None]) -> Foreign | None:
    """Texts of an unknown program, or of an unknown form."""
    return Foreign("another program", None) if any(map(_json, texts.values())) else None


_LAST = (_midjourney, _unknown)


def _with_model(found: Foreign) -> Foreign:
    assert found.values is not None
    return found._replace(values={**found.values, "model": _model_name(found.values.get("model"))})


def names_of(rest: Sequence[str]) -> Iterator[str]:
    """At most twenty of the names, shortened."""
    yield from (name[:60] for name in rest[:20])
    if len(rest) > 20:
        yield "…"
