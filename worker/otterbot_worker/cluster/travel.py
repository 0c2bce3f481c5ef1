"""A task on its way to another machine: its files by name instead of by path, and what that machine has itself.

Pictures to start from, masks, LoRAs and embeddings travel: they lie where the worker is. Models, ControlNets, the
safety checker and the captioner are that machine's own, and a lane that lacks one gives the picture back.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import LANE_LACKS, JobFailed
from ..gpu.messages import Draw
from ..models.catalogue import Catalogue
from ..models.loras import Library
from ..schemas.draw_files import ControlFiles

_NAME = re.compile(r"(?:input|lora|embedding)-[0-9a-f]{1,64}(?:\.[a-z]{1,12})?")
INPUT = "input-"
"""Names of files that are forgotten after each picture begin so."""


def packed(task: Draw) -> tuple[Draw, dict[str, Path]]:
    """The task with names of files, and the files by name. Files with one content have one name."""
    sent: dict[str, Path] = {}

    def named(kind: str, content: str, path: str) -> str:
        name = f"{kind}-{content}{Path(path).suffix.lower() if kind != 'input' else ''}"
        sent[name] = Path(path)
        return name

    changed: dict[str, Any] = {
        "loras": tuple(one.model_copy(update={"path": named("lora", one.hash, one.path)}) for one in task.loras),
        "embeddings": tuple(
            one.model_copy(update={"path": named("embedding", one.hash, one.path)}) for one in task.embeddings
        ),
    }
    for number, (field, place) in enumerate((("init_image", "path"), ("mask", "path"), ("control", "picture"))):
        if (found := getattr(task, field)) is not None:
            changed[field] = found.model_copy(update={place: named("input", str(number), getattr(found, place))})
    return task.model_copy(update={**changed, "output": Path("picture")}), sent


def wanted(task: Draw) -> list[str]:
    """The names of the files of a packed task."""
    names = [*(one.path for one in task.loras), *(one.path for one in task.embeddings)]
    names += [one.path for one in (task.init_image, task.mask) if one is not None]
    return names + ([task.control.picture] if task.control is not None else [])


def good_name(name: str) -> bool:
    """Whether it is a name that `packed` gives: it becomes part of a path."""
    return _NAME.fullmatch(name) is not None


def unpacked(task: Draw, folder: Path, catalogue: Catalogue, library: Library) -> Draw:
    """The task for the GPU process of this machine; its files lie in ``folder``. Reads folders.

    :raises JobFailed: ``LANE_LACKS``: this machine lacks something :raises CannotLook:
    """

    def moved(one: Any, place: str = "path") -> Any:
        return None if one is None else one.model_copy(update={place: str(folder / getattr(one, place))})

    entry = catalogue.look().entry(task.entry.name)
    if entry is None or not catalogue.available(entry):
        raise _lacks("the model", task.entry.name)
    checker = task.checker
    if checker is not None and (checker := catalogue.safety(entry)) is None:
        raise _lacks("the safety checker of", task.entry.name)
    return task.model_copy(
        update={
            "entry": entry,
            "loras": tuple(moved(one) for one in task.loras),
            "embeddings": tuple(moved(one) for one in task.embeddings),
            "init_image": moved(task.init_image),
            "mask": moved(task.mask),
            "control": _control(moved(task.control, "picture"), library),
            "checker": checker,
            "captioner": catalogue.captioner() if task.captioner is not None else None,
            "output": folder / "picture",
        }
    )


def _control(control: ControlFiles | None, library: Library) -> ControlFiles | None:
    """With the file of this machine's ControlNet of that name or repository."""
    if control is None:
        return None
    nets = library.controlnets
    found = nets.at_hub(control.hub) if control.hub is not None else nets.find(control.name)
    same = found is not None and (control.hub is not None or control.hash in (None, found.hash()))
    if not same and control.hub is None:
        raise _lacks("the ControlNet", control.name)
    return control.model_copy(update={"path": str(found.path) if same and found is not None else None})


def _lacks(what: str, name: str) -> JobFailed:
    return JobFailed(LANE_LACKS, f"A machine of the Ray cluster lacks {what} {name}.")
