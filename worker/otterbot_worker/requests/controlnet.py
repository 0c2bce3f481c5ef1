"""The ControlNet of a request: found and checked when it is accepted, found again when it is drawn.

What is stored is its name and hash, never a path: the operator's folders may lie elsewhere tomorrow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import CannotLook, JobFailed, look_failed
from ..families import FAMILIES
from ..models.controlnets import AT_HUB, CANNY, FOLDER, ControlNet, ControlNets, short
from ..models.entries import ModelEntry
from ..models.user_files import good_name
from ..queue.input_rows import Input
from ..schemas.draw_files import ControlFiles
from ..schemas.jobs import FieldProblem
from ..schemas.requests import ImageRequest
from ..schemas.resolved_parts import ResolvedControl

NAMES_SHOWN = 12
_USUAL_WIDTH = {"sd": 768, "sdxl": 2048}
"""Usual width of prompt embeddings, for models whose files are not here yet."""


@dataclass(kw_only=True)
class ChosenControlNet:
    """``request``: as stored; ``None`` without a ControlNet, or where it has problems."""

    request: ResolvedControl | None = None
    notes: list[str] = field(default_factory=list)
    problems: list[FieldProblem] = field(default_factory=list)

    def refuse(self, code: str, message: str, where: str = "request.control") -> None:
        self.problems.append(FieldProblem(field=where, code=code, message=message))


def find_controlnet(
    request: ImageRequest, picture: Input | None, entry: ModelEntry, nets: ControlNets, *, downloads: bool
) -> ChosenControlNet:
    """Choose and check the request's ControlNet. ``picture``: its input, if it is here. Reads files, so it runs in a
    thread."""
    steering, control = ChosenControlNet(), request.control
    if control is None:
        return steering
    if not entry.abilities.control:
        sentence = f"{entry.name} cannot be steered by a picture: no ControlNet works with it. Another model can."
        steering.refuse("no_control", sentence)
        return steering
    if control.start >= control.end:
        sentence = "Steering has to begin before it ends: start is a smaller share of the steps than end, from 0 to 1."
        steering.refuse("bad_range", sentence, "request.control.start")
    if control.kind == CANNY:
        chosen = _edges(entry, nets, downloads=downloads)
        if chosen is None:
            steering.refuse("controlnet_missing", _no_edges(entry, nets))
    else:
        chosen = _named(control.kind, entry, nets, steering, downloads=downloads)
    if steering.problems or chosen is None or picture is None:
        return steering
    steering.request = ResolvedControl(
        kind=control.kind,
        id=control.id,
        scale=control.scale,
        start=control.start,
        end=control.end,
        width=picture.width,
        height=picture.height,
        name=chosen.name,
        hash=chosen.hash,
        hub=chosen.hub,
    )
    if control.scale == 0:
        steering.notes.append("At a scale of 0 the picture that steers has no effect.")
    else:
        if entry.refiner is not None:
            steering.notes.append(f"The refiner of {entry.name} draws the last steps without being steered.")
        if request.hires is not None:
            steering.notes.append("The second pass is not steered: it keeps what the first one drew.")
    return steering


class _Chosen(NamedTuple):
    """A ControlNet as it is stored; fields of ``ResolvedControl``."""

    name: str
    hash: str | None
    hub: str | None


def _named(
    kind: str, entry: ModelEntry, nets: ControlNets, steering: ChosenControlNet, *, downloads: bool
) -> _Chosen | None:
    net = nets.find(kind)
    if net is None:
        names = [CANNY] if _edges(entry, nets, downloads=downloads) is not None else []
        names += [name for name, one in nets.all().items() if one.problem is None and _why_not(one, entry) is None]
        known = ", ".join(f"`{name}`" for name in names[:NAMES_SHOWN])
        there = f"For {entry.name} there are: {known}." if names else f"For {entry.name} there is none."
        steering.refuse("unknown_controlnet", f"No such ControlNet. {there}", "request.control.kind")
        return None
    if net.unread is not None:
        raise CannotLook(f"the ControlNet {net.name}", net.unread)
    if (problem := net.problem or _why_not(net, entry)) is not None:
        code = "controlnet_broken" if net.problem else "controlnet_mismatch"
        steering.refuse(code, f"The ControlNet `{net.name}` {problem}.", "request.control.kind")
        return None
    try:
        return _Chosen(net.name, net.hash(), None)
    except OSError as error:
        look_failed(error, f"the ControlNet {net.name}")
        sentence = f"The ControlNet `{net.name}` is not there any more."
        steering.refuse("controlnet_broken", sentence, "request.control.kind")
        return None


def _edges(entry: ModelEntry, nets: ControlNets, *, downloads: bool) -> _Chosen | None:
    """The first ControlNet of the operator's for edges that fits the model, else the known one of the hub.

    :raises CannotLook: none is known to fit, and a file that may fit could not be read now
    """
    edges = [one for one in nets.all().values() if one.canny]
    fitting = [one for one in edges if not (one.problem or _why_not(one, entry))]
    for net in sorted(fitting, key=lambda one: one.name.lower() != CANNY):
        if (hashed := _hash(net)) is not None:
            return _Chosen(net.name, hashed, None)
    hub = _known(entry)
    cached = nets.at_hub(hub) if hub is not None else None
    if cached is not None and _why_not(cached, entry) is None and (hashed := _hash(cached)) is not None:
        return _Chosen(cached.name, hashed, hub)
    for net in edges:
        # Before a download, and before it is said that there is none.
        if net.unread is not None:
            raise CannotLook(f"the ControlNet {net.name}", net.unread)
    return _Chosen(short(hub), None, hub) if hub is not None and downloads else None


def _hash(net: ControlNet) -> str | None:
    """The hash; ``None``: the file is gone meanwhile. :raises CannotLook:"""
    try:
        return net.hash()
    except OSError as error:
        look_failed(error, f"the ControlNet {net.name}")
        return None


def _known(entry: ModelEntry) -> str | None:
    """The known repository with an edge ControlNet for this model."""
    return AT_HUB.get(entry.prompt_width() or _USUAL_WIDTH.get(entry.family, 0))


def _no_edges(entry: ModelEntry, nets: ControlNets) -> str:
    hub = _known(entry)
    example = f", such as `{hub}` of the hub," if hub is not None else ""
    named = (one for one in nets.all().values() if one.problem and good_name(one.name))
    broken = next((f" The ControlNet `{one.name}` {one.problem}." for one in named), "")
    return (
        f"No ControlNet for edges fits {entry.name}.{broken} The operator puts one for {entry.abilities.title} "
        f"models{example} into `{FOLDER}/` in the worker's data directory, with `{CANNY}` in its name."
    )


def _why_not(net: ControlNet, entry: ModelEntry) -> str | None:
    """Why an intact ControlNet does not fit the model, as the end of a sentence."""
    if net.family is not None and net.family != entry.family:
        return f"is made for {FAMILIES[net.family].title} models, and {entry.name} is none"
    if net.width is not None and (width := entry.prompt_width()) is not None and width != net.width:
        return f"is made for another model than {entry.name}"
    return None


# ---------------------------------------------------------------- when it is drawn


def control_files(control: ResolvedControl, nets: ControlNets, picture: Path) -> ControlFiles:
    """The resolved ControlNet with the paths of its files now. ``picture``: the path of its input.

    :raises JobFailed: the ControlNet is not there any more
    """
    hub = control.hub
    net = nets.at_hub(hub) if hub is not None else nets.find(control.name)
    if net is None and (hub is None or control.hash is not None):
        sentence = f"The ControlNet {control.name} is not on the worker any more."
        raise JobFailed("controlnet_missing", sentence, {"controlnet": control.name})
    path = None if net is None else str(net.path)
    return ControlFiles(**dict(control), picture=str(picture), canny=control.kind == CANNY, path=path)
