"""What OpenAI's image requests ask for, as a request of the worker's."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ....schemas.jobs import FieldProblem
from ....schemas.requests import MAX_COUNT, MAX_SEED, ImageRequest
from ...problems import ApiProblem, refuse
from ..results import QUALITY, Format, FormatName

_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_OURS = ("model", "negative_prompt", "steps", "guidance_scale", "sampler", "strength", "style")
"""Fields with the same name and meaning in a request of the worker's."""


class ImagesBody(BaseModel):
    """OpenAI's fields, and behind them the worker's own, which clients send as extra ones. What would change the
    picture and cannot be had is refused by name."""

    # Not strict: forms have texts for numbers.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    prompt: str
    model: str | None = None
    n: Annotated[int | None, Field(ge=1, le=MAX_COUNT)] = None
    size: str | None = None
    quality: Literal["auto", "standard"] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    output_format: FormatName | None = None
    output_compression: Annotated[int | None, Field(ge=0, le=100)] = None
    background: Literal["auto", "opaque"] | None = None
    moderation: Literal["auto", "low"] | None = None
    input_fidelity: Literal["low"] | None = None
    stream: bool | None = None
    partial_images: Annotated[int | None, Field(ge=0, le=3)] = None
    safety_identifier: str | None = None
    user: str | None = None
    """Not looked at: a token is one person in the queue, whoever it says it is."""

    negative_prompt: str | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    sampler: str | None = None
    seed: Annotated[int | None, Field(ge=0, le=MAX_SEED)] = None
    strength: float | None = None
    style: str | list[str] | None = None
    keep: bool = False
    """Stays in the archive, and is to be seen in the gallery."""

    @property
    def form(self) -> Format:
        quality = QUALITY if self.output_compression is None else self.output_compression
        return Format(name=self.output_format or "png", quality=quality)

    @property
    def partials(self) -> int:
        return (self.partial_images or 0) if self.stream else 0

    def request(self, **pictures: Any) -> ImageRequest:
        """``pictures``: ids of what it starts from. :raises ApiProblem: 422"""
        asked = {name: value for name in _OURS if (value := getattr(self, name)) is not None}
        if isinstance(self.style, str):
            asked["style"] = [self.style]
        if "style" in asked:
            asked["style"] = tuple(asked["style"])
        values = {**asked, **self._size(), **pictures}
        seed = secrets.randbelow(MAX_SEED + 1) if self.seed is None else self.seed
        try:
            return ImageRequest.model_validate(
                {
                    **values,
                    "prompt": self.prompt,
                    "seed": seed,
                    "count": self.n or 1,
                    "preview": self.partials > 0,
                    "asked": {"prompt": self.prompt, **self._seed(), **asked, **self._size()},
                }
            )
        except ValidationError as error:
            refuse(error)

    def _seed(self) -> dict[str, int]:
        return {} if self.seed is None else {"seed": self.seed}

    def _size(self) -> dict[str, int]:
        if self.size in (None, "", "auto"):
            return {}
        found = _SIZE.fullmatch(self.size or "")
        if found is None:
            detail = "The size is auto, or width and height in pixels, as 768x768."
            raise ApiProblem(
                422, "invalid_request", detail, fields=[FieldProblem(field="size", code="bad_size", message=detail)]
            )
        return {"width": int(found[1]), "height": int(found[2])}
