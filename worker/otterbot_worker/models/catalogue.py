"""The catalogue: which image models there are, and what is good for each. Free of torch.

``models.yaml`` beside this file is shipped, and so is one model, ``otter-mini``, in a folder
beside it. An operator's own file has the same form, and an entry of the same name replaces the
shipped one. A bad file is refused at start with the entry's and the key's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .. import samplers, yamlfile
from . import checkpoints, configs, families, files, safety, sniffing

SHIPPED = Path(__file__).with_name("models.yaml")
GPU_MODEL = "ssd-1b"
SMALL_MODEL = "otter-mini"

REFINER_PART = "unet"
"""All that is loaded of a refiner."""
UNKNOWN_LICENCE = "unknown: its file does not say"

_HUB = r"^[\w.-]+/[\w.-]+$"


class CatalogueError(Exception):
    """A models file that cannot be used; the sentence names file, entry and key."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    negative_prompt: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    steps_min: int = 1
    steps_max: int
    guidance_scale_max: float
    size_min: int
    size_max: int
    size_multiple: int
    pixels_max: int


@dataclass(frozen=True, kw_only=True)
class Refiner:
    """A second model that draws the last steps. Exactly one of ``hub`` and ``folder`` (an absolute path) is set."""

    hub: str | None
    folder: str | None
    variant: str | None
    hand_over: float
    """The share of the steps that the base draws, above 0 and below 1."""

    @property
    def name(self) -> str:
        """As it stands in records."""
        return (self.hub or Path(self.folder or "").name).rpartition("/")[2]

    def here(self) -> Path | None:
        """Its folder, if its U-Net is in it: the other parts are the base's."""
        return files.find_component(REFINER_PART, hub=self.hub, folder=self.folder)


@dataclass(frozen=True, kw_only=True)
class Transformer:
    """A single file of weights, as a quantised ``.gguf``, that replaces those of the model's own transformer."""

    hub: str | None
    file: str
    """With ``hub`` the path in that repository, else an absolute path."""

    def here(self) -> Path | None:
        return files.find_file(hub=self.hub, file=self.file)


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """One model. It comes from ``hub`` (a repository id), from ``folder`` (an absolute path, in diffusers' layout), or
    from one ``file``: an absolute path or, with ``hub``, a path in that repository."""

    name: str
    family: str
    """A key of ``families.FAMILIES``."""
    hub: str | None
    folder: str | None
    file: str | None = None
    config: str | None = None
    """How a single file's parts are built: a name of ``configs.NAMES``, or the absolute path of a folder like those.
    ``None``: by what the file holds."""
    prediction: str | None = None
    """What a single file predicts, ``epsilon`` or ``v_prediction``; ``None``: as the file or its settings say."""
    stamp: tuple[int, int] | None = None
    """Of a file that was found in the folder of checkpoints, its size and time of change: other stamp, other model."""
    variant: str | None
    """``fp16``: which weight files to take where the model has several."""
    vae: str | None
    """Hub id of a VAE that replaces the model's own in half precision."""
    transformer: Transformer | None = None
    without: tuple[str, ...] = ()
    """Components that are not loaded, as SD3's third text encoder."""
    refiner: Refiner | None = None
    whole_only: bool = False
    """It has learned whole scenes of one size: what is drawn in tiles is drawn without the words, all of which it would
    draw in each of them."""
    about: str
    licence: str
    defaults: Defaults
    limits: Limits

    @property
    def absent(self) -> frozenset[str]:
        """Components whose weights do not come from the model's own folder."""
        return frozenset(self.without) | ({"transformer"} if self.transformer is not None else set())

    @property
    def abilities(self) -> families.Abilities:
        return families.FAMILIES[self.family]

    @property
    def source(self) -> str:
        return self.hub or self.folder or self.file or ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; ``from_dict`` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ModelEntry:
        nested = {"defaults": Defaults(**fields["defaults"]), "limits": Limits(**fields["limits"])}
        transformer, refiner = fields.get("transformer"), fields.get("refiner")
        return cls(
            **{
                **fields,
                **nested,
                "transformer": Transformer(**transformer) if transformer is not None else None,
                "refiner": Refiner(**refiner) if refiner is not None else None,
                "without": tuple(fields.get("without", ())),
                "stamp": tuple(fields["stamp"]) if fields.get("stamp") is not None else None,
            }
        )

    def here(self) -> Path | None:
        """The folder with the model's files on this machine (its ``file``, where it is one), or ``None``: also where a
        part from elsewhere is missing, the refiner or another transformer. A few ``stat`` calls."""
        if any(part is not None and part.here() is None for part in (self.refiner, self.transformer)):
            return None
        return self.own_files()

    def own_files(self) -> Path | None:
        """As ``here``, without the parts from elsewhere."""
        if self.file is not None:
            return files.find_file(hub=self.hub, file=self.file)
        return files.find(hub=self.hub, folder=self.folder, without=self.absent)

    def fetchable(self) -> bool:
        """Whether all that is not here can be had from a hub."""
        own = self.hub is not None or self.own_files() is not None
        parts = (part for part in (self.refiner, self.transformer) if part is not None)
        return own and all(part.hub is not None or part.here() is not None for part in parts)

    def file_problem(self) -> str | None:
        """Why its single file, or that of its transformer, cannot be drawn with, as a sentence; ``None``: nothing is
        known against it, or it is not here. Reads the file's header."""
        if self.transformer is not None and (path := self.transformer.here()) is not None:
            why = sniffing.transformer_problem(path)
            return f"The file {path.name} {why}." if why is not None else None
        path = files.find_file(hub=self.hub, file=self.file or "") if self.file is not None else None
        if path is None:
            return None
        found = sniffing.look(path, config=self.config)
        why = found.problem if found.config is None else sniffing.family_problem(found.config, self.family)
        return f"The file {path.name} {why}." if why is not None else None

    def prompt_width(self) -> int | None:
        """How wide its prompts' embeddings are; ``None`` while its files are not here, or do not say."""
        if self.file is not None:
            width = configs.part(self.config, "unet").get("cross_attention_dim") if self.config is not None else None
            return width if type(width) is int else None
        folder = self.here()
        return files.prompt_width(folder) if folder is not None else None


_PATTERNS = {"sd1": "sd15", "sd2": "sd21", "sd2-base": "sd21", "sdxl": "sdxl"}
"""By the settings of a file's kind, which shipped model its defaults and limits are taken from."""


def _of_dropped(dropped: checkpoints.Dropped, pattern: ModelEntry) -> ModelEntry:
    defaults, limits = pattern.defaults, pattern.limits
    if dropped.found.config == "sd2-base":
        defaults, limits = replace(defaults, width=512, height=512), replace(limits, size_min=256)
    return replace(
        pattern,
        name=dropped.name,
        hub=None,
        file=str(dropped.path),
        config=dropped.found.config,
        stamp=dropped.stamp,
        variant=None,
        vae=None,
        about=f"A {pattern.abilities.title} model of the operator's.",
        licence=UNKNOWN_LICENCE,
        defaults=defaults,
        limits=limits,
    )


class Catalogue:
    """Every model that this worker knows by name: the entries of its files, and what lies in the folder of checkpoints,
    looked at anew each time."""

    def __init__(
        self,
        entries: Mapping[str, ModelEntry],
        *,
        folder: Path | None = None,
        patterns: Mapping[str, ModelEntry] | None = None,
        downloads_allowed: bool = False,
        safety_checker: str | None = None,
    ) -> None:
        """``folder``: of checkpoints, whose files get defaults and limits of ``patterns``, by their settings' name. An
        entry's name goes before a file's, and a file that an entry names is not found again."""
        self._entries = MappingProxyType(dict(entries))
        self._folder = folder
        parts = [part for entry in self._entries.values() for part in (entry, entry.transformer) if part is not None]
        self._known_files = {Path(part.file) for part in parts if part.file is not None and part.hub is None}
        self._patterns = dict(patterns or {})
        self._downloads_allowed = downloads_allowed
        self._safety_checker = safety_checker

    @property
    def images(self) -> Mapping[str, ModelEntry]:
        """By name. A few ``stat`` calls; reads the headers of files that are new or changed."""
        found = {
            one.name: _of_dropped(one, self._patterns[one.found.config])
            for one in self._dropped()
            if one.found.config in self._patterns
        }
        return MappingProxyType({**self._entries, **found})

    def broken(self) -> Mapping[str, str]:
        """By name, the models whose single file cannot be drawn with, and a sentence that says why. As ``images``."""
        said = {name: problem for name, entry in self._entries.items() if (problem := entry.file_problem()) is not None}
        for one in self._dropped():
            if one.found.config not in self._patterns:
                said[one.name] = f"The file {one.path.name} {one.found.problem or 'is of a kind without defaults'}."
        return said

    def _dropped(self) -> list[checkpoints.Dropped]:
        if self._folder is None:
            return []
        found = checkpoints.find(self._folder, self._known_files)
        return [one for one in found if one.name not in self._entries]

    def available(self, name: str, *, downloads_allowed: bool | None = None) -> bool:
        """Whether the model's files are here, or may be downloaded. :raises KeyError: unknown"""
        entry = self.images[name]
        allowed = self._downloads_allowed if downloads_allowed is None else downloads_allowed
        return entry.here() is not None or (allowed and entry.fetchable())

    @property
    def downloads_allowed(self) -> bool:
        return self._downloads_allowed

    def safety(self, name: str) -> dict[str, Any] | None:
        """Where the checker of that model's pictures is, as ``models.safety.place``. :raises KeyError: unknown"""
        return safety.place(self.images[name].here(), self._safety_checker, downloads=self._downloads_allowed)

    def default_model(self, device_kind: str, *, configured: str | None = None) -> tuple[str, str | None]:
        """The default model's name and, if it is only the small shipped one, why, and what to do about it.

        ``device_kind``: ``cuda`` or ``cpu`` (``gpu.probe.device_kind``). ``configured``: the
        operator's choice, taken as it is.
        """
        if configured is not None:
            return configured, None
        preferred = self.images.get(GPU_MODEL)
        if preferred is not None and (preferred.here() or (device_kind == "cuda" and self.available(GPU_MODEL))):
            return GPU_MODEL, None
        for name, entry in self.images.items():
            if name != SMALL_MODEL and entry.here() is not None:
                return name, None
        return SMALL_MODEL, self._why_small(device_kind)

    def _why_small(self, device_kind: str) -> str:
        if self._downloads_allowed:  # and no card, else the larger one would be fetched
            why = "this machine has no CUDA card and no other image model on disk"
            way_out = (
                f"Others can be chosen by name, but take minutes for a picture; with a card, it would be {GPU_MODEL}"
            )
        else:
            why = "no other image model is on this machine and downloads are not allowed"
            way_out = "For a larger one, allow them (images.downloads) or name its folder (images.catalogue)"
        return f"Pictures come from {SMALL_MODEL}, the small model that ships with Otterbot, because {why}. {way_out}."


def load_catalogue(
    *paths: Path, data_dir: Path, downloads_allowed: bool = False, safety_checker: str | None = None
) -> Catalogue:
    """Read the shipped file, then the operator's, in order; ``data_dir/checkpoints`` is looked at later.

    A relative ``folder`` or ``config`` lies in ``data_dir/models``, a relative ``file`` in ``data_dir/checkpoints``,
    what is ``shipped`` beside the shipped file.

    :raises CatalogueError:
    """
    shipped = {name: _entry(SHIPPED, name, raw, data_dir) for name, raw in _read(SHIPPED).items()}
    entries = dict(shipped)
    for path in paths:
        for name, raw in _read(path).items():
            entries[name] = _entry(path, name, raw, data_dir)
    return Catalogue(
        entries,
        folder=data_dir / checkpoints.FOLDER,
        patterns={config: shipped[name] for config, name in _PATTERNS.items()},
        downloads_allowed=downloads_allowed,
        safety_checker=safety_checker,
    )


# ---------------------------------------------------------------- the file


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Defaults(_Strict):
    steps: Annotated[int, Field(ge=1, le=200)]
    guidance_scale: Annotated[float, Field(ge=0, le=30)]
    width: Annotated[int, Field(ge=16, le=4096)]
    height: Annotated[int, Field(ge=16, le=4096)]
    sampler: str
    negative_prompt: str = ""


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
    vae: Annotated[str | None, Field(pattern=_HUB)] = None
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
        family = families.FAMILIES.get(self.family)
        if family is None:
            raise ValueError(f"family: one of {', '.join(families.FAMILIES)}")
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
        return self

    def _fit(self, family: families.Abilities) -> None:
        """:raises ValueError: something that this family has no use for"""
        if self.file is not None and not family.single_files:
            raise ValueError(f"file: {self.family} cannot come as a single one, but its transformer can")
        if self.limits.size_multiple % family.size_multiple:
            raise ValueError(f"limits.size_multiple: {self.family} needs multiples of {family.size_multiple}")
        if self.refiner is not None and not family.refiner:
            raise ValueError(f"refiner: {self.family} has none")
        if self.transformer is not None and "transformer" not in family.modules:
            raise ValueError(f"transformer: {self.family} has none")
        if unknown := set(self.without) - set(family.optional):
            raise ValueError(f"without: {self.family} cannot do without {min(unknown)}")
        if self.defaults.negative_prompt and family.guided_above is None:
            raise ValueError(f"defaults.negative_prompt: {self.family} takes none")


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
        vae=parsed.vae,
        transformer=Transformer(**transformer.model_dump()) if transformer is not None else None,
        without=tuple(parsed.without),
        refiner=Refiner(**refiner.model_dump()) if refiner is not None else None,
        whole_only=parsed.whole_only,
        about=parsed.about,
        licence=parsed.licence,
        defaults=Defaults(**parsed.defaults.model_dump()),
        limits=Limits(**parsed.limits.model_dump()),
    )


def _below(root: Path, path: str | None) -> str | None:
    return None if path is None else str((root / Path(path).expanduser()).absolute())


def _first_problem(errors: Iterable[Any]) -> str:
    problem = next(iter(errors))
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
