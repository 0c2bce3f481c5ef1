"""LoRAs and embeddings: files that lie in a folder and are called by their name. Free of torch.

``loras/*.safetensors`` and ``embeddings/*.safetensors``, looked for in the operator's data directory first and then
among what is shipped. A prompt's names are only compared with these and never become a path. Pickled files (``.pt``,
``.bin``, ``.ckpt``) can run code when they are read, so they are never opened. They, and files whose name cannot be
typed, are listed with a problem, so that people see why they are not used.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import CannotLook
from . import controlnets, headers, lora_bases, lora_names, lora_pairs, plain_files, quantisation, user_files, wildcards
from .header_reader import READER, Patience
from .user_files import HashCache, Hashes, Stamp

SHIPPED = Path(__file__).with_name("otter-mini-extras")
Kind = Literal["lora", "embedding"]

FOLDERS: Mapping[Kind, str] = {"lora": "loras", "embedding": "embeddings"}
SIZE_MAX: Mapping[Kind, int] = {"lora": 2 * 1024**3, "embedding": 64 * 1024**2}
TRIGGERS_MAX = 3

_ENDINGS = frozenset({".safetensors"})
_WORD = re.compile(r"(?:<(\w(?:[\w.\-]*\w)?)>|(\w(?:[\w.\-]*\w)?))")
"""A word as ``prompts.lora_tags`` finds it in a prompt."""
_CONTAINERS = frozenset({"emb_params", "clip_l", "clip_g"})
"""Names of an embedding's tensors that are not its word."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """One file. ``family``: the models that it is made for as far as its header says, ``None`` where it does not."""

    kind: Kind
    name: str
    path: Path
    size: int
    stamp: Stamp
    family: str | None = None
    width: int | None = None
    """Width of the prompt embeddings of the models that it is for; ``None``: unknown."""
    layout: str = "?"
    """``kohya``, ``diffusers``, ``a1111``, or ``?``."""
    triggers: tuple[str, ...] = ()
    """A LoRA's trigger words. An embedding's own words: the trained one first, then its file's name."""
    problem: str | None
    """Why it cannot be used, as the end of a sentence that begins with its name."""
    unread: str | None = None
    """It may be well, but could not be read now: why."""


class Library:
    """The operator's and the shipped files, listed anew each time. Thread-safe."""

    def __init__(self, *roots: Path) -> None:
        """``roots``: directories with the two folders in them, the first one wins."""
        self._roots = roots
        self.controlnets = controlnets.ControlNets(*roots)
        self.wildcards = wildcards.Wildcards(*roots)
        self._hashes = HashCache()
        self._closed = False

    def close(self) -> None:
        """The worker ends: a look that is going on reads no further file."""
        self._closed = True
        self.controlnets.close()

    def all(self, kind: Kind) -> dict[str, Extra]:
        """All of a kind by name, sorted. Of two with one name a usable file counts.

        :raises CannotLook: at a folder
        """
        found: dict[str, Extra] = {}
        places = [root / FOLDERS[kind] for root in self._roots]
        patience = Patience(stopped=lambda: self._closed)
        for path, stamp in (one for place in places for one in user_files.listing(place, _ENDINGS)):
            if (name := path.stem.strip()) not in found:
                found[name] = read(kind, path, stamp, patience)
        for one in (one for place in places for one in user_files.unusable(place, _ENDINGS, user_files.PICKLES)):
            name, size = user_files.shown(one.path.stem), one.stamp[0]
            extra = Extra(
                kind=kind, name=name, path=one.path, size=size, stamp=one.stamp, problem=one.problem, unread=one.unread
            )
            found.setdefault(name, extra)
        return dict(sorted(found.items(), key=lambda item: item[0].casefold()))

    def find(self, kind: Kind, name: str) -> Extra | None:
        """The file of that name (``user_files.named``); ``None`` for unusable ones. :raises CannotLook: at a folder"""
        return user_files.named(self.all(kind), name) if user_files.good_name(name) else None

    def listed(self, kind: Kind) -> list[Extra]:
        """All of a kind, for people. An unreadable folder is listed as one line. Never raises."""
        try:
            return list(self.all(kind).values())
        except CannotLook as error:
            name, said = FOLDERS[kind], f"is a folder that could not be looked at: {error.why}"
            return [Extra(kind=kind, name=name, path=Path(name), size=0, stamp=(0, 0), problem=said, unread=error.why)]

    def words(self) -> dict[str, Extra]:
        """Words in small letters → embeddings: their names, and the words they were trained as. A file's name has
        precedence over another file's word; of two with one word the first by name counts.

        :raises CannotLook: at a folder
        """
        known = list(self.all("embedding").values())
        found: dict[str, Extra] = {}
        taken: set[str] = set()
        usable = [extra for extra in known if extra.problem is None]
        names = [(extra.name, extra) for extra in usable]
        own = [(word, extra) for extra in usable for word in extra.triggers if word != extra.name]
        unusable = [(extra.name, extra) for extra in known if extra.problem is not None]
        for word, extra in (*names, *own, *unusable):
            bare = word.lower().strip("<>")
            if bare not in taken:
                taken.add(bare)
                found[word.lower()] = extra
        return found

    def hashes(self, extra: Extra) -> Hashes:
        """Reads the whole file, the first time. :raises OSError:"""
        return self._hashes.get(extra.path, extra.stamp)

    def known_hashes(self, extra: Extra) -> Hashes | None:
        """The hashes, if they are known without reading the file."""
        return self._hashes.known(extra.path, extra.stamp)

    def hash_some(self, seconds: float) -> None:
        """Hash files with unknown hashes until the time is over, at least one."""
        known = [*self.listed("embedding"), *self.listed("lora")]
        until = time.monotonic() + seconds
        for extra in known:
            if extra.problem is not None or self.known_hashes(extra) is not None:
                continue
            try:
                self.hashes(extra)
            except OSError:
                continue
            if time.monotonic() >= until:
                return


def read(kind: Kind, path: Path, stamp: Stamp, patience: Patience | None = None) -> Extra:
    """Read a file's header. Never raises: errors are in ``problem``."""
    bare = Extra(kind=kind, name=path.stem.strip(), path=path, size=stamp[0], stamp=stamp, problem=None)
    if stamp[0] > SIZE_MAX[kind]:
        return replace(bare, problem=f"is larger than {SIZE_MAX[kind] // 1024**2} MB")
    try:
        said = READER.ask(kind, path, patience)
    except headers.BadFile as error:
        return replace(bare, problem=str(error))
    except plain_files.ABSENT:
        return replace(bare, problem="is not there any more")
    except OSError as error:
        why = error.strerror or type(error).__name__
    except CannotLook as error:
        why = error.why
    else:
        return replace(bare, **{**said, "triggers": tuple(said["triggers"])})
    return replace(bare, problem=headers.unread(why), unread=why)


def examined_lora(path: Path) -> dict[str, Any]:
    """The fields of ``Extra``, read from the file. :raises headers.BadFile: :raises OSError:"""
    return _examined("lora", path)


def examined_embedding(path: Path) -> dict[str, Any]:
    """As ``examined_lora``."""
    return _examined("embedding", path)


def _examined(kind: Kind, path: Path) -> dict[str, Any]:
    header = headers.read(path)
    layout, family, width = (_lora if kind == "lora" else _embedding)(header)
    problem = _problem(kind, layout, header)
    triggers = _triggers(header.metadata) if kind == "lora" else _calls(path.stem.strip(), header)
    if problem is None and kind == "embedding" and not triggers:
        problem = user_files.BAD_NAME
    return {"layout": layout, "family": family, "width": width, "triggers": triggers, "problem": problem}


def is_lora(keys: Iterable[str]) -> bool:
    """Whether any of these names belongs to a LoRA."""
    return any(lora_names.is_half(key) for key in keys)


def is_embedding(header: headers.Header) -> bool:
    """Whether it looks like a textual inversion."""
    return _embedding(header)[0] != "?"


def _problem(kind: Kind, layout: str, header: headers.Header) -> str | None:
    """Why an intact file cannot be used."""
    if kind == "embedding":
        return "is no textual inversion" if layout == "?" else None
    if (other := lora_names.other_kind(header.shapes)) is not None:
        return f"is {other}, and only plain LoRAs can be drawn with"
    if layout == "?":
        return "is no LoRA that this worker can read"
    if (why := quantisation.problem_of_lora(header.shapes)) is not None:
        return why
    if (models := lora_bases.other(header)) is not None:
        return f"is made for {models}, and only those for Stable Diffusion 1, 2 and SDXL can be drawn with"
    stems = [half[0] for key in header.shapes if (half := lora_names.read(key)) is not None]
    if not any(lora_names.place(stem) for stem in stems):
        return "is no LoRA that this worker can read: its layers have names that are not known here"
    return lora_pairs.problem(header.shapes)


def _lora(header: headers.Header) -> tuple[str, str | None, int | None]:
    """Layout, family and width. Only certain knowledge is used: where it is unknown, the engine tries whether it
    fits."""
    keys = list(header.shapes)
    kohya = any(key.startswith(("lora_unet_", "lora_te")) for key in keys)
    if not is_lora(keys):
        return "?", None, None
    width = lora_bases.width(header)
    return "kohya" if kohya else "diffusers", lora_bases.family(header, width), width


def _embedding(header: headers.Header) -> tuple[str, str | None, int | None]:
    shapes = header.shapes
    if not all(1 <= len(shape) <= 2 and 0 not in shape for shape in shapes.values()):
        return "?", None, None
    if set(shapes) == {"clip_l", "clip_g"}:
        return "a1111", "sdxl", shapes["clip_l"][-1] + shapes["clip_g"][-1]
    if len(shapes) == 1:
        return ("a1111" if "emb_params" in shapes else "diffusers"), "sd", next(iter(shapes.values()))[-1]
    return "?", None, None


def _calls(name: str, header: headers.Header) -> tuple[str, ...]:
    """An embedding's words in prompts: the one it was trained as (diffusers names its only tensor so), and its file's
    name."""
    own = [key for key in header.shapes if len(header.shapes) == 1 and key not in _CONTAINERS]
    words = [word for word in own if len(word) <= user_files.NAME_MAX and _WORD.fullmatch(word)]
    names = [name] if (match := _WORD.fullmatch(name)) and match[2] else []
    return tuple(dict.fromkeys([*words, *names]))


def _triggers(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """A LoRA's trigger words: as its maker says, else the most frequent tag of the training pictures."""
    said = metadata.get("modelspec.trigger_phrase", "") or metadata.get("trigger_word", "")
    words = [_word(said)] if said else [_word(tag) for tag in _most_frequent(metadata.get("ss_tag_frequency", ""))]
    return tuple(dict.fromkeys(word for word in words if word))[:TRIGGERS_MAX]


def _most_frequent(text: str) -> list[str]:
    """One tag for each of the trainer's folders of pictures."""
    try:
        folders = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return []
    tags = []
    for counts in folders.values() if isinstance(folders, dict) else ():
        if isinstance(counts, dict):
            numbers = Counter({str(tag): n for tag, n in counts.items() if type(n) is int})
            tags += [tag for tag, _ in numbers.most_common(1)]
    return tags


def _word(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text[:200]).split())[:60].strip(" ,")
