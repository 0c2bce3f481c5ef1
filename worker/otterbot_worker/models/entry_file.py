"""Reads a models file: the shipped ``models.yaml``, or an operator's. Errors name the entry and the key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .. import yamlfile
from ..families import FAMILIES, Family
from ..sampling import samplers
from . import checkpoints, configs, user_files
from .entries import Defaults, Limits, ModelEntry, Refiner, Transformer

SHIPPED = Path(__file__).with_name("models.yaml")

_HUB = r"^[\w.-]+/[\w.-]+$"


class CatalogueError(Exception):
    """A models file that cannot be used; the sentence names file, entry and key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Defaults(_Strict):
    steps: Annotated[int, Field(ge=1, le=200)]
    guidance_scale: Annotated[float, Field(ge=0, le=30)]
    width: Annotated[int, Field(ge=16, le=4096)]
    height: Annotated[int, Field(ge=16, le=4096)]
    sampler: str
    negative_prompt: str = ""
    guidance_scale_weighted: Annotated[float | None, Field(ge=0, le=30)] = None


class _Limits(_Strict):
    steps_min: Annotated[int, Field(ge=1, le=200)] = 1
    steps_max: Annotated[int, Field(ge=1, le=200)] = 150
    guidance_scale_max: Annotated[float, Field(ge=0, le=30)] = 30.0
    size_min: Annotated[int, Field(ge=16, le=4096)] = 256
    size_max: Annotated[int, Field(ge=16, le=4096)] = 1536
    size_multiple: Annotated[int, Field(ge=8, le=128, multiple_of=8)] = 8
    pixels_max: Annotated[int, Field(ge=256)] = 1536 * 1024


_Variant = Annotated[str | None, Field(pattern=r"^[\w]+$")]


class _Refiner(_Strict):
    hub: Annotated[str | None, Field(pattern=_HUB)] = None
    folder: str | None = None
    variant: _Variant = None
    hand_over: Annotated[float, Field(gt=0, lt=1)] = 0.8

    @model_validator(mode="after")
    def _one_source(self) -> _Refiner:
        if (self.hub is None) == (self.folder is None):
            raise ValueError("exactly one of hub and folder is needed")
        return self


class _Transformer(_Strict):
    hub: Annotated[str | None, Field(pattern=_HUB)] = None
    file: Annotated[str, Field(max_length=1024, pattern=r"\.(?:safetensors|gguf)$")]


class _Entry(_Strict):
    family: str
    hub: Annotated[str | None, Field(pattern=_HUB)] = None
    folder: str | None = None
    file: Annotated[str | None, Field(max_length=1024, pattern=r"\.(?:safetensors|ckpt|gguf)$")] = None
    config: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    prediction: Literal["epsilon", "v_prediction"] | None = None
    shipped: Annotated[str | None, Field(pattern=r"^[\w-]+$")] = None
    variant: _Variant = None
    vae: Annotated[str | None, Field(min_length=1, max_length=1024)] = None
    transformer: _Transformer | None = None
    without: list[str] = []
    refiner: _Refiner | None = None
    whole_only: bool = False
    about: str
    licence: str = ""
    defaults: _Defaults
    limits: _Limits = _Limits()

    @model_validator(mode="after")
    def _consistent(self) -> _Entry:
        sources = [self.hub or self.file, self.folder, self.shipped]
        if sources.count(None) != 2:
            raise ValueError("exactly one of hub, folder, file and shipped is needed (a file may lie in a hub)")
        if self.file is None and (self.config or self.prediction) is not None:
            raise ValueError("config and prediction: only a file needs them")
        family = FAMILIES.get(self.family)
        if family is None:
            raise ValueError(f"family: one of {', '.join(FAMILIES)}")
        self._fit(family)
        sampler = samplers.resolve(self.defaults.sampler)
        if sampler is None or sampler not in family.samplers:
            raise ValueError(f"defaults.sampler: one of {', '.join(family.samplers)}")
        self.defaults.sampler = sampler
        for side in (self.defaults.width, self.defaults.height):
            if side % self.limits.size_multiple or not self.limits.size_min <= side <= self.limits.size_max:
                raise ValueError("defaults.width and defaults.height must keep the model's own limits")
        if self.defaults.width * self.defaults.height > self.limits.pixels_max:
            raise ValueError("defaults: more pixels than limits.pixels_max")
        if self.defaults.steps > self.limits.steps_max:
            raise ValueError("defaults.steps: more than limits.steps_max")
        if self.defaults.steps < self.limits.steps_min:
            raise ValueError("defaults.steps: fewer than limits.steps_min")
        if self.defaults.guidance_scale > self.limits.guidance_scale_max:
            raise ValueError("defaults.guidance_scale: more than limits.guidance_scale_max")
        if (self.defaults.guidance_scale_weighted or 0) > self.limits.guidance_scale_max:
            raise ValueError("defaults.guidance_scale_weighted: more than limits.guidance_scale_max")
        return self

    def _fit(self, family: Family) -> None:
        """:raises ValueError: a key that this family does not support"""
        if self.file is not None and not family.single_files:
            raise ValueError(f"file: {self.family} cannot come as a single one, but its transformer can")
        if self.limits.size_multiple % family.size_multiple:
            raise ValueError(f"limits.size_multiple: {self.family} needs multiples of {family.size_multiple}")
        if self.vae is not None and Path(self.vae).suffix.lower() in user_files.PICKLES:
            raise ValueError("vae: a .safetensors file, a folder, or a repository as owner/name")
        if self.vae is not None and not _at_hub(self.vae) and not family.single_files:
            raise ValueError(f"vae: {self.family} takes none of your own, only one of a hub")
        if self.refiner is not None and not family.refiner:
            raise ValueError(f"refiner: {self.family} has none")
        if self.transformer is not None and "transformer" not in family.modules:
            raise ValueError(f"transformer: {self.family} has none")
        if unknown := set(self.without) - set(family.optional):
            raise ValueError(f"without: {self.family} cannot do without {min(unknown)}")
        if self.defaults.negative_prompt and family.guided_above is None:
            raise ValueError(f"defaults.negative_prompt: {self.family} takes none")
        if self.defaults.guidance_scale_weighted is not None and not family.weights:
            raise ValueError(f"defaults.guidance_scale_weighted: weights have no effect with {self.family}")


def read_entries(path: Path, data_dir: Path) -> dict[str, ModelEntry]:
    """The entries by name, in order. A relative ``folder``, ``config`` or ``vae`` lies in ``data_dir/models``, a
    relative ``file`` in ``data_dir/checkpoints``, what is ``shipped`` beside ``SHIPPED``.

    :raises CatalogueError:
    """
    return {name: _entry(path, name, raw, data_dir) for name, raw in _read(path).items()}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = yamlfile.read(path)
    except yamlfile.Unreadable as error:
        raise CatalogueError(str(error)) from None
    models = (document or {}).get("models", {}) if isinstance(document or {}, dict) else None
    if not isinstance(models, dict) or set(document or {}) - {"models"}:
        raise CatalogueError(f"{path}: expected one key, models, with an entry for each model")
    return models


def _entry(path: Path, name: object, raw: object, data_dir: Path) -> ModelEntry:
    if not isinstance(name, str) or not name or len(name) > 64 or any(c.isspace() for c in name):
        raise CatalogueError(f"{path}: a model's name is 1 to 64 characters without spaces")
    try:
        parsed = _Entry.model_validate(raw)
    except ValidationError as error:
        raise CatalogueError(f"{path}: {name}: {_first_problem(error.errors())}") from error
    folder = _below(data_dir / "models", parsed.folder)
    if parsed.shipped is not None:
        folder = str(SHIPPED.with_name(parsed.shipped))
    refiner, transformer = parsed.refiner, parsed.transformer
    vae = parsed.vae if parsed.vae is not None and _at_hub(parsed.vae) else None
    if refiner is not None:
        refiner.folder = _below(data_dir / "models", refiner.folder)
    if transformer is not None and transformer.hub is None:
        transformer.file = _below(data_dir / checkpoints.FOLDER, transformer.file) or ""
    return ModelEntry(
        name=name,
        family=parsed.family,
        hub=parsed.hub,
        folder=folder,
        file=parsed.file if parsed.hub else _below(data_dir / checkpoints.FOLDER, parsed.file),
        config=parsed.config if parsed.config in configs.NAMES else _below(data_dir / "models", parsed.config),
        prediction=parsed.prediction,
        variant=parsed.variant,
        vae=vae,
        vae_path=_below(data_dir / "models", parsed.vae) if vae is None else None,
        transformer=Transformer(**transformer.model_dump()) if transformer is not None else None,
        without=tuple(parsed.without),
        refiner=Refiner(**refiner.model_dump()) if refiner is not None else None,
        whole_only=parsed.whole_only,
        about=parsed.about,
        licence=parsed.licence,
        defaults=Defaults(**parsed.defaults.model_dump()),
        limits=Limits(**parsed.limits.model_dump()),
    )


def _at_hub(vae: str) -> bool:
    """Whether it is a repository's name, and not the path of a folder or file."""
    return re.fullmatch(_HUB, vae) is not None and not vae.endswith(".safetensors") and not vae.startswith(".")


def _below(root: Path, path: str | None) -> str | None:
    return None if path is None else str((root / Path(path).expanduser()).absolute())


def _first_problem(errors: Iterable[Any]) -> str:
    problem = next(iter(errors))
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
