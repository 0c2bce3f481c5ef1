"""What the worker is and has: version, features, card, queue, limits."""

from __future__ import annotations

from aiohttp import web

from .. import __version__
from ..schemas.listings import WorkerInfo
from ..schemas.requests import MAX_CHAT_CHARACTERS, MAX_COUNT, MAX_PROMPT
from .card_info import gpu_info, lanes_info, lease_info
from .operations import Operation, reply
from .parts import PARTS

FEATURES = [
    "images", "chat", "events", "pause", "delivered", "img2img", "inpaint", "loras", "explain", "aspect", "safety",
    "variation", "control", "previews", "film", "hires", "upscale", "expand", "draws", "describe", "chat_pictures",
    "check", "sheet", "structure", "styles", "chance", "sweep", "users", "lanes",
    "card", "layers",
]  # fmt: skip
CHATS = frozenset({"chat", "chat_pictures", "expand", "draws"})
"""Features that need a language model."""


async def info(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    queued, running = await parts.store.open_counts()
    state, _ = await parts.chat.get()
    obstacles = parts.dispatcher.obstacles
    queue = parts.config.queue
    return reply(
        WorkerInfo(
            version=__version__,
            features=[name for name in FEATURES if state != "off" or name not in CHATS],
            pause=parts.dispatcher.pause_state,
            gpu=gpu_info(parts.gpu),
            lanes=lanes_info(parts),
            lease=await lease_info(parts),
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
            keeps_private=not parts.archive.gone_when_delivered(private=True),
        )
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/info",
        handler=info,
        summary="Version, features, the card, the queue, what an operator should know.",
        answers={200: WorkerInfo},
    ),
)
