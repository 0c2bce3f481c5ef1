"""The files of a picture, looked up when it is drawn: model, LoRAs, embeddings, ControlNet, inputs, safety checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import JobFailed
from ..gpu.messages import Draw
from ..inputs.files import InputFiles
from ..memory.oom_history import OutOfMemory
from ..memory.peaks import Peak
from ..models import safety
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..prompts.lora_tags import lora_tags
from ..queue.model import Row, StoredJob
from ..requests.controlnet import control_files
from ..requests.loras import embedding_files, lora_files
from ..schemas.draw_files import (
    CaptionerFiles,
    CheckerFiles,
    ControlFiles,
    EmbeddingFile,
    InitImageFile,
    LoraFile,
    MaskFile,
)
from ..schemas.resolved import ResolvedRequest


@dataclass(frozen=True, kw_only=True)
class NeededFiles:
    entry: ModelEntry
    init_image: InitImageFile | None
    mask: MaskFile | None
    control: ControlFiles | None
    loras: tuple[LoraFile, ...]
    embeddings: tuple[EmbeddingFile, ...]
    checker: CheckerFiles | None
    captioner: CaptionerFiles | None


def find(row: Row, job: StoredJob, catalogue: Catalogue, library: Library, inputs: InputFiles) -> NeededFiles:
    """Reads folders, so it runs in a thread.

    :raises JobFailed: something is not here any more :raises CannotLook: a file could not be looked at
    """
    look = catalogue.look()
    entry, request = look.entry(row.model), job.pictures.picture(row.idx)
    if entry is None and (why := look.broken.get(row.model)) is not None:
        raise JobFailed("model_broken", f"The model {row.model} cannot be used. {why}")
    if entry is None:
        raise JobFailed("model_missing", f"The model {row.model} is not in the worker's catalogue any more.")
    loras, embeddings = lora_files(request, library), embedding_files(request, library)
    checker = None
    if request.safety and (checker := catalogue.safety(entry)) is None:
        raise JobFailed("safety_missing", safety.MISSING)
    control = None
    if request.control is not None:
        control = control_files(request.control, library.controlnets, inputs.path(job.client, request.control.id))
    return NeededFiles(
        entry=entry,
        init_image=_init_image(job.client, request, inputs),
        mask=_mask(job.client, request, inputs),
        control=control,
        loras=loras,
        embeddings=embeddings,
        checker=checker,
        captioner=catalogue.captioner() if request.describe else None,
    )


def task(
    row: Row,
    job: StoredJob,
    needed: NeededFiles,
    *,
    output: Path,
    oom_history: Sequence[OutOfMemory],
    peaks: Sequence[Peak],
) -> Draw:
    """The task of a row for the GPU process. ``output``: the file for its pixels; ``oom_history`` and ``peaks``: the
    model's."""
    picture = job.pictures.picture(row.idx)
    fields = {
        **dict(picture),
        "prompt": lora_tags(picture.prompt).text,
        "expansion": None,  # the prompts of the other pictures
        "chance": None,  # the words that were not drawn
        "styles": (),
        "styled": None,  # the styles stand around the prompts
        "init_image": needed.init_image,
        "mask": needed.mask,
        "control": needed.control,
        "loras": needed.loras,
        "embeddings": needed.embeddings,
    }
    return Draw(
        **fields,
        task_id=row.task_id,
        entry=needed.entry,
        output=output,
        checker=needed.checker,
        captioner=needed.captioner,
        oom_history=tuple(oom_history),
        peaks=tuple(peaks),
    )


def _init_image(client: str, request: ResolvedRequest, inputs: InputFiles) -> InitImageFile | None:
    picture = request.init_image
    if picture is None:
        return None
    return InitImageFile(**dict(picture), path=str(inputs.path(client, picture.id)))


def _mask(client: str, request: ResolvedRequest, inputs: InputFiles) -> MaskFile | None:
    mask, picture = request.mask, request.init_image
    if mask is None or picture is None:
        return None
    place = inputs.mask_path if mask.alpha else inputs.path
    own = mask.alpha and mask.id == picture.id
    return MaskFile(**dict(mask), path=str(place(client, mask.id)), of_init_image=own)
