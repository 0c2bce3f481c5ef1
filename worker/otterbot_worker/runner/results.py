"""Results of a drawn picture: its record, its row, and the answer for its client."""

from __future__ import annotations

from dataclasses import asdict

from .. import __version__
from ..archive import Stored
from ..chat import description
from ..gpu.messages import Drawn, UsedControlNet
from ..prompts import PARSER
from ..queue.model import ImageRow, Row, StoredJob
from ..schemas.records import Film, ImageResult, Record, Thumbnail, Used, UsedControl, UsedHires
from ..schemas.resolved_parts import ResolvedControl, ResolvedExpansion, UsedExpansion


def record(row: Row, job: StoredJob, drawn: Drawn, *, took: float) -> Record:
    """The request of the row's picture, and what was measured. ``took``: seconds from the claim on."""
    request = job.pictures.picture(row.idx)
    used = Used(
        prompt=request.prompt,
        expansion=_expansion(request.expansion),
        structure=request.structure,
        chance=request.chance,
        negative_prompt=request.negative_prompt,
        model=request.model,
        model_hash=drawn.model_hash,
        sampler=request.sampler,
        steps=request.steps,
        guidance_scale=request.guidance_scale,
        width=request.width,
        height=request.height,
        seed=request.seed,
        variation=request.variation,
        init_image=request.init_image.id if request.init_image is not None else None,
        strength=request.strength,
        mask=request.mask.id if request.mask is not None else None,
        control=_control(request.control, drawn.control),
        hires=UsedHires(**request.hires.model_dump()) if request.hires is not None else None,
        upscale=request.upscale.factor if request.upscale is not None else None,
        tile=list(request.upscale.tile) if request.upscale is not None else None,
        loras=list(request.loras),
        embeddings=[one for one in request.embeddings if one.name not in drawn.unused_embeddings],
        refiner=drawn.refiner,
        vae=drawn.vae,
        guidance_rescale=drawn.guidance_rescale,
        safety=request.safety,
        plan=drawn.plan,
        styles=list(request.styles),
        styled=request.styled,
        parser=PARSER,
        versions={"otterbot-worker": __version__, **drawn.versions},
        **request.settings(),
    )
    return Record(asked=request.asked, used=used, took=round(took, 3))


def _expansion(written: ResolvedExpansion | None) -> UsedExpansion | None:
    return None if written is None else UsedExpansion(prompt=written.prompt, model=written.model)


def _control(asked: ResolvedControl | None, drawn: UsedControlNet | None) -> UsedControl | None:
    """``drawn``: the ControlNet's name and hash from the GPU process, which may have downloaded it."""
    if asked is None or drawn is None:
        return None
    return UsedControl(
        kind=asked.kind,
        name=drawn.name,
        hash=drawn.hash,
        id=asked.id,
        scale=asked.scale,
        start=asked.start,
        end=asked.end,
    )


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


def image_result(stored: Stored, record: Record, notes: list[str], alt: str = "") -> ImageResult:
    """``alt``: the captioner's words."""
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
        film=None if stored.film is None else Film(**asdict(stored.film)),
        notes=notes,
        alt=description.clean(alt) or None,
    )
