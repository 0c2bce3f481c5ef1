"""What a picture needs of files, looked for when it is drawn: the model, its LoRAs, its ControlNet, the checker."""

from __future__ import annotations

from typing import Any

from ..errors import JobFailed
from ..inputs.files import InputFiles
from ..models import safety
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..queue.model import Row, StoredJob
from ..requests.controlnet import with_path
from ..requests.loras import with_paths


def find(
    row: Row, job: StoredJob, catalogue: Catalogue, library: Library, inputs: InputFiles
) -> tuple[ModelEntry, dict[str, Any]]:
    """The model, and fields of ``DrawTask``. Reads folders: not for the event loop.

    :raises JobFailed: something is not here any more :raises CannotLook: nobody can say
    """
    look = catalogue.look()
    entry = look.entry(row.model)
    if entry is None and (why := look.broken.get(row.model)) is not None:
        raise JobFailed("model_broken", f"The model {row.model} cannot be used. {why}")
    if entry is None:
        raise JobFailed("model_missing", f"The model {row.model} is not in the worker's catalogue any more.")
    loras, embeddings = with_paths(job.request, library)
    checker = None
    if job.request.get("safety") and (checker := catalogue.safety(entry)) is None:
        raise JobFailed("safety_missing", safety.MISSING)
    if (control := job.request.get("control")) is not None:
        control = with_path(control, library.controlnets, inputs.path(job.client, control["id"]))
    return entry, {"loras": loras, "embeddings": embeddings, "safety": checker, "control": control}
