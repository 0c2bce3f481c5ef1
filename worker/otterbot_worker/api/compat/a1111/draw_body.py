"""What A1111's ``txt2img`` and ``img2img`` ask for, as a request of the worker's."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ....sampling import samplers
from ....schemas.jobs import FieldProblem
from ....schemas.requests import MAX_COUNT, MAX_SEED, ImageRequest
from ...problems import ApiProblem, refuse
from .fields import undone, undone_settings

PLAIN = ("", "automatic", "normal", "uniform")
"""Schedules that are the sampler's own."""
SCHEDULES = {"karras": "Karras", "sgm_uniform": "SGM uniform"}
"""Those that some samplers have besides: A1111's name → the end of ours."""
UPSCALERS = {"latent": "latent", "lanczos": "lanczos"}


def _whole(value: Any) -> Any:
    """aiyabot halves numbers of steps."""
    return int(value) if isinstance(value, float) and abs(value) < 2**63 else value


Whole = Annotated[int, BeforeValidator(_whole)]


class Overrides(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    sd_model_checkpoint: str | None = None
    CLIP_stop_at_last_layers: Whole | None = None


class DrawBody(BaseModel):
    """What is read of it. All else stands in ``model_extra``, and is judged by `fields`."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    prompt: str | None = None
    negative_prompt: str | None = None
    styles: list[str] | None = None
    seed: Whole | None = None
    subseed: Whole | None = None
    subseed_strength: float | None = None
    steps: Whole | None = None
    cfg_scale: float | None = None
    width: Whole | None = None
    height: Whole | None = None
    sampler_name: str | None = None
    sampler_index: str | None = None
    scheduler: str | None = None
    batch_size: Annotated[Whole, Field(ge=1)] | None = None
    n_iter: Annotated[Whole, Field(ge=1)] | None = None
    denoising_strength: float | None = None
    enable_hr: bool | None = None
    hr_scale: float | None = None
    hr_upscaler: str | None = None
    hr_second_pass_steps: Whole | None = None
    clip_skip: Whole | None = None
    """SD.Next's name for the setting."""
    override_settings: Overrides = Overrides()
    send_images: bool = True
    save_images: bool = False
    """They stay in the archive, and are to be seen in the gallery."""
    init_images: Annotated[list[str], Field(max_length=16)] | None = None
    mask: str | None = None
    include_init_images: bool = False

    @property
    def count(self) -> int:
        return (self.batch_size or 1) * (self.n_iter or 1)

    def problems(self) -> list[FieldProblem]:
        """What would change the picture, and is not done here."""
        found = list(undone(self.model_extra or {}, second_pass=bool(self.enable_hr), masked=bool(self.mask)))
        found += undone_settings(self.override_settings.model_extra or {})
        if self.count > MAX_COUNT:
            sentence = f"batch_size times n_iter is at most {MAX_COUNT}."
            found.append(FieldProblem(field="batch_size", code="too_many", message=sentence))
        return found

    def request(self, model: str | None, **pictures: Any) -> ImageRequest:
        """``model``: of the client's options; ``pictures``: ids of what it starts from. :raises ApiProblem: 422"""
        problems = self.problems()
        values: dict[str, Any] = {
            "negative_prompt": self.negative_prompt,
            "model": checkpoint(self.override_settings.sd_model_checkpoint) or model,
            "steps": self.steps,
            "guidance_scale": self.cfg_scale,
            "width": self.width,
            "height": self.height,
            "clip_skip": self._clip_skip(),
            "sampler": self._sampler(problems),
            "hires": self._hires(problems),
            "variation": self._variation(),
            "strength": self.denoising_strength if pictures else None,
            "style": self._styles(),
        }
        if problems:
            raise _refused(problems)
        asked = {name: value for name, value in values.items() if value is not None}
        prompt = self.prompt or ""
        seed = secrets.randbelow(MAX_SEED + 1) if self.seed is None or self.seed < 0 else self.seed
        whole = {**asked, **pictures, "prompt": prompt, "seed": seed, "count": self.count, "preview": True}
        try:
            typed = {"seed": seed} if seed == self.seed else {}
            return ImageRequest.model_validate({**whole, "asked": {"prompt": prompt, **typed, **asked}})
        except ValidationError as error:
            refuse(error)

    def _styles(self) -> tuple[str, ...] | None:
        named = tuple(name for name in self.styles or () if name not in ("", "None"))
        return named or None

    def _clip_skip(self) -> int | None:
        layers = self.override_settings.CLIP_stop_at_last_layers or self.clip_skip
        return None if layers in (None, 0, 1) else layers

    def _variation(self) -> dict[str, Any] | None:
        if not self.subseed_strength:
            return None
        seed = secrets.randbelow(MAX_SEED + 1) if self.subseed is None or self.subseed < 0 else self.subseed
        return {"seed": seed, "strength": self.subseed_strength}

    def _sampler(self, problems: list[FieldProblem]) -> str | None:
        """A1111 says sampler and schedule apart, or as one name."""
        name, schedule = self.sampler_name or self.sampler_index, (self.scheduler or "").strip().lower()
        if not name or schedule in PLAIN:
            return name or None
        ending = SCHEDULES.get(schedule.replace(" ", "_"))
        whole = None if ending is None else samplers.resolve(f"{name} {ending}") or _ends(name, ending)
        if whole is None:
            sentence = "This sampler has no such schedule here; Automatic is its own."
            problems.append(FieldProblem(field="scheduler", code="unknown_schedule", message=sentence))
        return whole

    def _hires(self, problems: list[FieldProblem]) -> dict[str, Any] | None:
        if not self.enable_hr:
            return None
        called = (self.hr_upscaler or "Latent").strip().lower()
        upscaler = UPSCALERS.get(called)
        if upscaler is None:
            sentence = f"The upscalers of the second pass are {' and '.join(name.capitalize() for name in UPSCALERS)}."
            problems.append(FieldProblem(field="hr_upscaler", code="unknown_upscaler", message=sentence))
        asked = {
            "scale": 2.0 if self.hr_scale is None else self.hr_scale,
            "strength": self.denoising_strength,
            "steps": self.hr_second_pass_steps or None,
            "upscaler": upscaler,
        }
        return {name: value for name, value in asked.items() if value is not None}


def checkpoint(title: str | None) -> str | None:
    """The model's name in a title as A1111 writes them, ``name.safetensors [0123456789]``; empty: none."""
    if not title:
        return None
    name = title.rpartition(" [")[0] if title.endswith("]") else title
    return name.removesuffix(".safetensors").removesuffix(".ckpt") or None


def _ends(name: str, ending: str) -> str | None:
    """A name that says its schedule already."""
    known = samplers.resolve(name)
    return known if known is not None and known.lower().endswith(ending.lower()) else None


def _refused(problems: list[FieldProblem]) -> ApiProblem:
    sentences = " ".join(problem.message for problem in problems[:10])
    return ApiProblem(422, "invalid_request", sentences, fields=problems[:50])
