"""What the worker is and has: version, features, card, queue, limits."""

from __future__ import annotations

from aiohttp import web

from .. import __version__
from ..runner import lease
from ..schemas.listings import GpuInfo, WorkerInfo
from ..schemas.requests import MAX_CHAT_CHARACTERS, MAX_COUNT, MAX_PROMPT
from .operations import Operation, reply
from .parts import PARTS, Parts

FEATURES = [
    "images", "chat", "events", "pause", "delivered", "img2img", "inpaint", "loras", "explain", "aspect", "safety",
    "variation", "control", "previews", "hires", "upscale",
]  # fmt: skip


async def info(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    queued, running = await parts.store.open_counts()
    state, _ = await parts.chat.get()
    obstacles = parts.dispatcher.obstacles
    queue = parts.config.queue
    return reply(
        WorkerInfo(
            version=__version__,
            features=FEATURES if state != "off" else [name for name in FEATURES if name != "chat"],
            pause=parts.dispatcher.pause_state,
            gpu=gpu_info(parts),
            queued=queued,
            running=running,
            default_model=parts.default_model,
            chat_model=await parts.chat.default_model(),
            ollama=state,
            chat_backend=parts.chat.backend,
            chat_problem=await parts.chat.problem(),
            chat_notice=await parts.chat.notice(),
            notice=" ".join([*obstacles.values(), *([parts.notice] if parts.notice else [])]) or None,
            limits={
                "prompt_characters": MAX_PROMPT,
                "count": MAX_COUNT,
                "chat_characters": MAX_CHAT_CHARACTERS,
                "body_bytes": parts.config.api.max_body_bytes,
                "input_bytes": int(parts.config.inputs.max_mb * 1_000_000),
                "input_pixels": int(parts.config.inputs.max_megapixels * 1_000_000),
                "open": queue.max_open,
                "open_per_owner": queue.max_open_per_owner,
            },
        )
    )


def gpu_info(parts: Parts) -> GpuInfo:
    """What the GPU process last said; before its first word, what the driver says."""
    known = parts.gpu.info
    shown = GpuInfo(
        device=known.device,
        name=known.name,
        total_bytes=known.total_bytes,
        free_bytes=known.free_bytes,
        state=known.state,
        resident=known.resident,
    )
    if known.state in ("stopped", "starting") and (seen := lease.look(parts.config.gpu.device)) is not None:
        shown.device, shown.name, shown.total_bytes, shown.free_bytes = "cuda", seen.name, seen.total, seen.free
    return shown


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/info",
        handler=info,
        summary="Version, features, the card, the queue, what an operator should know.",
        answers={200: WorkerInfo},
    ),
)
