"""What is kept of a drawn picture: its record, its row among the pictures, and what its client is told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .. import __version__
from ..archive import Stored
from ..gpu.tasks import Drawn
from ..prompts import PARSER
from ..queue.model import ImageRow, Row, StoredJob
from ..requests import variations
from ..schemas.records import (
    ImageResult,
    Record,
    Thumbnail,
    Used,
    UsedControl,
    UsedHires,
    UsedRefiner,
    UsedVae,
    UsedVariation,
)


def record(row: Row, job: StoredJob, drawn: Drawn, *, took: float) -> Record:
    options: dict[str, Any] = job.request
    variation = variations.of_picture(options, row.idx)
    used = Used(
        prompt=options["prompt"],
        negative_prompt=options["negative_prompt"],
        model=row.model,
        model_hash=drawn.model_hash,
        sampler=options["sampler"],
        steps=options["steps"],
        guidance_scale=options["guidance_scale"],
        width=options["width"],
        height=options["height"],
        seed=row.seed,
        variation=None if variation is None else UsedVariation(**variation),
        init_image=(options.get("init_image") or {}).get("id"),
        strength=options.get("strength"),
        mask=(options.get("mask") or {}).get("id"),
        control=_used_control(options.get("control"), drawn.control),
        hires=None if options.get("hires") is None else UsedHires.model_validate(options["hires"]),
        upscale=(options.get("upscale") or {}).get("factor"),
        tile=(options.get("upscale") or {}).get("tile"),
        loras=options.get("loras", []),
        embeddings=[e for e in options.get("embeddings", []) if e["name"] not in drawn.unused_embeddings],
        refiner=None if drawn.refiner is None else UsedRefiner(**drawn.refiner),
        vae=None if drawn.vae is None else UsedVae(**drawn.vae),
        guidance_rescale=drawn.guidance_rescale,
        safety=options.get("safety", False),
        plan=drawn.plan,
        parser=PARSER,
        versions={"otterbot-worker": __version__, **drawn.versions},
    )
    return Record(asked=options["asked"], used=used, took=round(took, 3))


def _used_control(control: dict[str, Any] | None, drawn: dict[str, Any] | None) -> UsedControl | None:
    """``drawn``: what the GPU process says of the ControlNet, which may have been fetched only then."""
    return None if control is None or drawn is None else UsedControl.model_validate({**control, **drawn})


def image_row(row: Row, job: StoredJob, stored: Stored, now: float) -> ImageRow:
    return ImageRow(
        image_id=stored.image_id,
        client=row.client,
        job_id=row.job_id,
        idx=row.idx,
        relpath=stored.relpath,
        mimetype=stored.mimetype,
        thumbnail_type=stored.thumbnail.mimetype,
        private=job.private,
        created_at=now,
        delivered_at=None,
        gone_at=None,
    )


def image_result(stored: Stored, record: Record, notes: list[str]) -> ImageResult:
    return ImageResult(
        image_id=stored.image_id,
        filename=stored.filename,
        mimetype=stored.mimetype,
        size=stored.size,
        sha256=stored.sha256,
        width=stored.width,
        height=stored.height,
        blurhash=stored.blurhash,
        thumbnail=Thumbnail(**asdict(stored.thumbnail)),
        record=record,
        notes=notes,
    )
