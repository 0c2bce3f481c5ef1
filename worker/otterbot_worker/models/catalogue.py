"""The catalogue: which image models there are, and what is good for each. Free of torch.

``models.yaml`` beside this file is shipped, and so is one model, ``otter-mini``, in a folder
beside it. An operator's own file has the same form, and an entry of the same name replaces the
shipped one. A bad file is refused at start with the entry's and the key's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from ..errors import CannotLook
from ..schemas.draw_files import CheckerFiles
from . import checkpoints, safety, user_files
from .checkpoint_probe import Found
from .entries import ModelEntry
from .entry_file import SHIPPED, read_entries
from .header_reader import LOOK_SECONDS, Patience

GPU_MODEL = "ssd-1b"
SMALL_MODEL = "otter-mini"
START_SECONDS = 0.2
"""Time for reading file headers during the worker's start."""

UNKNOWN_LICENCE = "unknown: its file does not say"

_PATTERNS = {"sd1": "sd15", "sd2": "sd21", "sd2-base": "sd21", "sdxl": "sdxl"}
"""Settings of a single file → the shipped model whose defaults and limits it gets."""


def _of_dropped(place: checkpoints.Place, found: Found, pattern: ModelEntry) -> ModelEntry:
    config, about = found.config, f"A {pattern.abilities.title} model of the operator's."
    # Most fine-tuned SDXL models want a lower CFG than SDXL itself. Their CFG for weighted prompts is unknown.
    defaults, limits = replace(pattern.defaults, guidance_scale_weighted=None), pattern.limits
    if config == "sd2-base":
        defaults, limits = replace(defaults, width=512, height=512), replace(limits, size_min=256)
    if config == "sdxl" and found.scheduler.get("prediction_type") == "v_prediction":
        # As recommended by the makers of v-prediction SDXL models (NoobAI and its relatives).
        defaults = replace(defaults, steps=28, guidance_scale=4.5, sampler="Euler a")
        about = f"A {pattern.abilities.title} model of the operator's that predicts the velocity, as NoobAI does."
    return replace(
        pattern,
        name=place.name,
        hub=None,
        file=str(place.path),
        config=config,
        stamp=place.stamp,
        variant=None,
        vae=None,
        about=about,
        licence=UNKNOWN_LICENCE,
        defaults=defaults,
        limits=limits,
    )


@dataclass(frozen=True, kw_only=True)
class Look:
    """A snapshot of the catalogue. Files may disappear at any time, so a request takes one snapshot and uses it
    throughout."""

    images: Mapping[str, ModelEntry]
    """The usable models by name."""
    broken: Mapping[str, str]
    """Unusable models by name, with a sentence that says why."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """The models of ``broken`` that could not be read now and may be intact, with the reason."""
    folder_unread: str | None = None
    """Why the folder of checkpoints could not be looked at."""

    def entry(self, name: str) -> ModelEntry | None:
        """The model of that name, broken or not. :raises CannotLook: nobody could say whether there is one"""
        if (why := self.unread.get(name)) is not None:
            raise CannotLook(f"the model {name}", why)
        if (entry := self.images.get(name)) is None and self.folder_unread is not None:
            raise CannotLook(f"the model {name}", self.folder_unread)
        return entry


@dataclass(frozen=True, kw_only=True)
class Default:
    """The default model."""

    name: str
    notice: str | None = None
    """Where only the small shipped model is left: why, and what to do."""
    settled: bool = True
    """``False`` while unread files may hold a better choice."""


class Catalogue:
    """All models by name: entries of the models files, and the files in the checkpoints folder, which is listed anew
    each time."""

    def __init__(
        self,
        entries: Mapping[str, ModelEntry],
        *,
        folder: Path | None = None,
        patterns: Mapping[str, ModelEntry] | None = None,
        downloads_allowed: bool = False,
        safety_checker: str | None = None,
    ) -> None:
        """``folder``: checkpoints, whose files get defaults and limits from ``patterns``. Entries have precedence over
        files of the same name, and a file named by an entry is not listed twice."""
        self._entries = MappingProxyType(dict(entries))
        self._folder = folder
        parts = [part for entry in self._entries.values() for part in (entry, entry.transformer) if part is not None]
        self._known_files = {Path(part.file) for part in parts if part.file is not None and part.hub is None}
        self._patterns = dict(patterns or {})
        self._downloads_allowed = downloads_allowed
        self._safety_checker = safety_checker
        self._closed = False

    def look(self, seconds: float = LOOK_SECONDS) -> Look:
        """A few ``stat`` calls for each file. The headers of those that are new or changed are read, for so many
        seconds at most: what is left then counts as not read yet. Never raises. Not for the event loop."""
        patience = Patience(seconds, lambda: self._closed)
        images, broken, unread = dict(self._entries), {}, {}
        for name, entry in self._entries.items():
            try:
                problem = entry.file_problem()
            except CannotLook as error:
                unread[name], problem = str(error), error.sentence
            if problem is not None:
                broken[name] = problem
        try:
            places, folder_unread = self._places(), None
        except CannotLook as error:
            places, folder_unread = [], str(error)
            broken[checkpoints.FOLDER] = error.sentence
        for place in places:
            found = place.look(patience)
            if found.config in self._patterns:
                images[place.name] = _of_dropped(place, found, self._patterns[found.config])
                continue
            problem = found.problem or "is of a kind without defaults"
            broken[place.name] = f"The file {user_files.shown(place.path.name)} {problem}."
            if found.unread is not None:
                unread[place.name] = f"the file {user_files.shown(place.path.name)} {problem}"
        return Look(
            images=MappingProxyType(images),
            broken=MappingProxyType(broken),
            unread=MappingProxyType(unread),
            folder_unread=folder_unread,
        )

    @property
    def images(self) -> Mapping[str, ModelEntry]:
        """The models of a new snapshot. For several questions take one ``look``."""
        return self.look().images

    def may_have(self, name: str) -> bool:
        """Whether there is a model of that name, without reading other files."""
        if name in self._entries:
            return True
        try:
            place = next((one for one in self._places() if one.name == name), None)
        except CannotLook:
            return True
        if place is None:
            return False
        found = place.look(Patience(START_SECONDS))
        return found.unread is not None or found.config in self._patterns

    def close(self) -> None:
        """At the worker's end: a running ``look`` reads no further file."""
        self._closed = True

    def _places(self) -> list[checkpoints.Place]:
        """:raises CannotLook:"""
        if self._folder is None:
            return []
        found = checkpoints.find(self._folder, self._known_files)
        return [one for one in found if one.name not in self._entries]

    def available(self, entry: ModelEntry, *, downloads_allowed: bool | None = None) -> bool:
        """Whether the model's files are here, or may be downloaded. :raises CannotLook:"""
        allowed = self._downloads_allowed if downloads_allowed is None else downloads_allowed
        return entry.here() is not None or (allowed and entry.fetchable())

    @property
    def downloads_allowed(self) -> bool:
        return self._downloads_allowed

    def safety(self, entry: ModelEntry) -> CheckerFiles | None:
        """The safety checker's files for that model, as ``models.safety.place``. :raises CannotLook:"""
        return safety.place(entry.here(), self._safety_checker, downloads=self._downloads_allowed)

    def default_model(
        self, device_kind: str, *, configured: str | None = None, seconds: float = LOOK_SECONDS
    ) -> tuple[str, str | None]:
        """As ``find_default``: its name, and the notice."""
        found = self.find_default(device_kind, configured=configured, seconds=seconds)
        return found.name, found.notice

    def find_default(
        self, device_kind: str, *, configured: str | None = None, seconds: float = LOOK_SECONDS
    ) -> Default:
        """Choose the default model. ``device_kind``: ``cuda`` or ``cpu`` (``gpu.probe.device_kind``). ``configured``:
        the operator's choice, used unchecked. ``seconds``: limit for reading new files."""
        if configured is not None:
            return Default(name=configured)
        preferred = self._entries.get(GPU_MODEL)
        if preferred is not None and (_is_here(preferred) or (device_kind == "cuda" and self._may_come(preferred))):
            return Default(name=GPU_MODEL)
        for name, entry in self._entries.items():
            if name != SMALL_MODEL and _is_here(entry):
                return Default(name=name)
        patience = Patience(seconds, lambda: self._closed)
        try:
            places, settled = self._places(), True
        except CannotLook:
            places, settled = [], False
        for place in places:  # one after the other: the first good one ends the search
            found = place.look(patience)
            if found.config in self._patterns:
                return Default(name=place.name)
            settled = settled and found.unread is None
        return Default(name=SMALL_MODEL, notice=self._why_small(device_kind), settled=settled)

    def _may_come(self, entry: ModelEntry) -> bool:
        try:
            return self.available(entry)
        except CannotLook:
            return False

    def _why_small(self, device_kind: str) -> str:
        if self._downloads_allowed:  # on the processor: with a card the larger one is downloaded
            why = "this machine has no CUDA card and no other image model on disk"
            way_out = (
                f"Others can be chosen by name, but take minutes for a picture; with a card, it would be {GPU_MODEL}"
            )
        else:
            why = "no other image model is on this machine and downloads are not allowed"
            way_out = "For a larger one, allow them (images.downloads) or name its folder (images.catalogue)"
        return f"Pictures come from {SMALL_MODEL}, the small model that ships with Otterbot, because {why}. {way_out}."


def _is_here(entry: ModelEntry) -> bool:
    """Whether the model's files are here; unreadable ones are never chosen as default."""
    try:
        return entry.here() is not None
    except CannotLook:
        return False


def load_catalogue(
    *paths: Path, data_dir: Path, downloads_allowed: bool = False, safety_checker: str | None = None
) -> Catalogue:
    """Read the shipped file, then the operator's, in order; ``data_dir/checkpoints`` is looked at later.

    :raises CatalogueError:
    """
    shipped = read_entries(SHIPPED, data_dir)
    entries = dict(shipped)
    for path in paths:
        entries |= read_entries(path, data_dir)
    return Catalogue(
        entries,
        folder=data_dir / checkpoints.FOLDER,
        patterns={config: shipped[name] for config, name in _PATTERNS.items()},
        downloads_allowed=downloads_allowed,
        safety_checker=safety_checker,
    )
