"""What the API says of the card: what it is, who is on it, and whether they stay there together."""

from __future__ import annotations

from ..gpu import driver
from ..gpu.process import GpuProcess
from ..schemas.listings import GpuInfo, LaneInfo, LeaseInfo, OnCard
from .parts import Parts


def gpu_info(gpu: GpuProcess) -> GpuInfo:
    """What the GPU process last said; before its first word, what the driver says."""
    known = gpu.info
    shown = GpuInfo(
        device=known.device,
        name=known.name,
        total_bytes=known.total_bytes,
        free_bytes=known.free_bytes,
        state=known.state,
        resident=known.resident,
    )
    if gpu.remote:
        return shown
    if known.state in ("stopped", "starting") and (seen := driver.look(gpu.device)) is not None:
        shown.device, shown.name, shown.total_bytes, shown.free_bytes = "cuda", seen.name, seen.total, seen.free
    return shown


def lanes_info(parts: Parts) -> list[LaneInfo]:
    """Those that draw; where there is none, the one that does not, with the reason."""
    dispatcher = parts.dispatcher
    cards = [lane for lane in dispatcher.lanes if lane.parts is not None]
    drawing = [lane for lane in cards if lane.draws_pictures]
    return [
        LaneInfo(
            name=lane.name,
            gpu=gpu_info(lane.parts.gpu),
            busy=lane.current is not None,
            paused=lane.paused,
            rests=lane.why_not if drawing else dispatcher.obstacles.get("image"),
        )
        for lane in drawing or cards
        if lane.parts is not None
    ]


async def lease_info(parts: Parts) -> LeaseInfo | None:
    """As it is now, with what was decided last."""
    card, known = parts.card, parts.gpu.info
    if not card.contested:
        return None
    loaded = await parts.chat.loaded()
    chat = None
    if loaded is not None:
        chat = [OnCard(name=model.name, bytes=model.on_card) for model in loaded.models if model.on_card]
    image = None
    if card.on_cuda and known.resident is not None:
        image = OnCard(name=known.resident, bytes=known.held_bytes)
    terms = card.terms if card.sharing is not None else None
    return LeaseInfo(
        mode=parts.config.gpu.lease,
        image=image,
        chat=chat,
        together=terms.together if terms is not None else None,
        why=terms.why if terms is not None else None,
    )
