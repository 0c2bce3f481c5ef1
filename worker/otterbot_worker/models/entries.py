"""One model of the catalogue: where its files are, its defaults and its limits. Free of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import CannotLook
from ..families import FAMILIES, Family
from ..prompts.expansion import Form
from . import architectures, checkpoint_probe, configs, files, noise_schedule, vae_files

PHRASES, SENTENCES = Form(sentences=False, tokens=60), Form(sentences=True, tokens=140)
"""CLIP reads 75 tokens at a time, and what stands in a second run of them counts for less."""
REFINER_PART = "unet"
"""The only component of a refiner that is loaded."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    negative_prompt: str
    guidance_scale_weighted: float | None = None
    """Replaces ``guidance_scale`` where the prompt has weights; ``None``: the same."""


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
        """Its name in records."""
        return (self.hub or Path(self.folder or "").name).rpartition("/")[2]

    def here(self) -> Path | None:
        """Its folder, if the U-Net is there. The other parts are the base's."""
        return files.find_component(REFINER_PART, hub=self.hub, folder=self.folder, variant=self.variant)


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
    """Size and modification time of a file found in the checkpoints folder: a changed file counts as another model."""
    variant: str | None
    """``fp16``: which weight files to take where the model has several."""
    vae: str | None
    """Hub id of a VAE that replaces the model's own in half precision."""
    vae_path: str | None = None
    """Absolute path of an operator's VAE, a folder or a file, that replaces the model's own in any precision."""
    transformer: Transformer | None = None
    without: tuple[str, ...] = ()
    """Components that are not loaded, as SD3's third text encoder."""
    refiner: Refiner | None = None
    whole_only: bool = False
    """Tiles are drawn with an empty prompt: this model knows only whole scenes of one size, and would draw the whole
    scene in every tile."""
    about: str
    licence: str
    defaults: Defaults
    limits: Limits

    @property
    def absent(self) -> frozenset[str]:
        """Components whose weights do not come from the model's own folder."""
        return frozenset(self.without) | ({"transformer"} if self.transformer is not None else set())

    @property
    def abilities(self) -> Family:
        return FAMILIES[self.family]

    @property
    def prompt_form(self) -> Form:
        """What kind of prompt it reads best."""
        reader = self.abilities.sentences_by
        return SENTENCES if reader is not None and reader not in self.without else PHRASES

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
        part from elsewhere is missing, the refiner or another transformer. A few ``stat`` calls.

        :raises CannotLook: as all that asks for files, here and below
        """
        if any(part is not None and part.here() is None for part in (self.refiner, self.transformer)):
            return None
        return self.own_files()

    def own_files(self) -> Path | None:
        """As ``here``, ignoring parts from elsewhere."""
        if self.file is not None:
            return files.find_file(hub=self.hub, file=self.file)
        return files.find(
            hub=self.hub, folder=self.folder, variant=self.variant, without=self.absent, unused=self.without
        )

    def fetchable(self) -> bool:
        """Whether everything that is missing can be downloaded."""
        own = self.hub is not None or self.own_files() is not None
        parts = (part for part in (self.refiner, self.transformer) if part is not None)
        return own and all(part.hub is not None or part.here() is not None for part in parts)

    def file_problem(self) -> str | None:
        """Why its single file, or that of its transformer or decoder, cannot be drawn with, as a sentence; ``None``:
        nothing is known against it, or it is not here. Reads the files' headers."""
        return self._weights_problem() or self._vae_problem()

    def _weights_problem(self) -> str | None:
        if self.transformer is not None and (path := self.transformer.here()) is not None:
            why = checkpoint_probe.transformer_problem(path)
            return f"The file {path.name} {why}." if why is not None else None
        path = files.find_file(hub=self.hub, file=self.file or "") if self.file is not None else None
        if path is None:
            return None
        found = self.sniffed(path)
        if found.unread is not None:
            raise CannotLook(f"the file {path.name}", found.unread)
        why = found.problem if found.config is None else checkpoint_probe.family_problem(found.config, self.family)
        return f"The file {path.name} {why}." if why is not None else None

    def sniffed(self, path: Path) -> checkpoint_probe.Found:
        """What its single file holds. It needs no VAE where the operator names one."""
        return checkpoint_probe.look(path, config=self.config, decoder=self.vae_path is None)

    def _vae_problem(self) -> str | None:
        """What is wrong with the operator's VAE. A missing one is a mistake, since it is never downloaded."""
        if self.vae_path is None:
            return None
        path = Path(self.vae_path)
        why = vae_files.problem(path, self.vae_settings())
        return f"Its decoder (VAE) {path.name} {why}." if why is not None else None

    def vae_settings(self) -> dict[str, Any]:
        """The settings of its own VAE; ``{}`` while its files are not here."""
        where = self._file_config() if self.file is not None else self.folder or files.snapshot(self.hub or "")
        return configs.part(str(where), "vae") if where is not None else {}

    def noise(self) -> dict[str, Any]:
        """The settings of its scheduler, as far as its files are here. May read a single file's header."""
        if self.file is None:
            where = Path(self.folder) if self.folder is not None else files.snapshot(self.hub or "")
            return configs.scheduler(str(where)) if where is not None else {}
        config, path = self._file_config(), files.find_file(hub=self.hub, file=self.file)
        if config is None or path is None:
            return {}
        return noise_schedule.settled(configs.scheduler(config), self.sniffed(path).scheduler, self.prediction)

    def samplers(self) -> tuple[str, ...]:
        """The samplers that it supports, as far as its files are here."""
        return noise_schedule.samplers_for(self.abilities.samplers, self.noise())

    def kind(self) -> str | None:
        """The published kind that it is built as, a key of ``sizes.json``; ``None``: unknown. May read a single file's
        header."""
        config = self._file_config()
        return architectures.CONFIGS.get(config) if config is not None else architectures.at_hub(self.hub)

    def prompt_width(self) -> int | None:
        """How wide its prompts' embeddings are: as its files say, else as its kind is known to be; ``None``: nobody
        knows before its files are here. May read a single file's header."""
        width = None
        if (config := self._file_config()) is not None:
            width = configs.part(config, "unet").get("cross_attention_dim")
        elif self.file is None:
            folder = Path(self.folder) if self.folder is not None else files.snapshot(self.hub or "")
            width = files.prompt_width(folder) if folder is not None else None
        return width if type(width) is int else architectures.WIDTHS.get(self.kind() or "")

    def _file_config(self) -> str | None:
        """The settings of its single file, from the entry, else from the file."""
        if self.file is None or self.config is not None:
            return self.config
        path = files.find_file(hub=self.hub, file=self.file)
        return self.sniffed(path).config if path is not None else None
