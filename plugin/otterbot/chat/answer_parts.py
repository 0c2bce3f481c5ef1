"""From the worker's result to what is sent of an answer: messages, and the file for what is too long for the room."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from .. import texts
from ..errors import CannotEncrypt
from ..language.options import DrawOptions
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..requests.image_event import upload
from ..store.part_names import PartName
from ..store.rows import Part, Request
from ..worker.jobs import ChatResult
from . import drawings, formatting
from .drawings import DREW, MOST_DREW
from .entries import AGAIN, LEFT_OUT
from .formatting import Made


@dataclass(frozen=True, kw_only=True)
class Said:
    """What an answer is made of. ``stopped``: a person wanted no more of it."""

    result: ChatResult
    stopped: bool = False
    moved: bool = False
    drawn: DrawOptions | None = None
    """The picture that the model asks for."""


async def made_of(said: Said, request: Request, *, prefix: str) -> Made:
    """The same however often it has to be made."""
    result = said.result
    broken = [texts.CHAT_STOPPED if said.stopped else texts.CHAT_BROKE_OFF] if not result.complete else []
    notes = [*request.notes, *result.notes, *broken]
    notes += [texts.asked_in_the_room_before(request.sender)] if said.moved else []
    if said.drawn is not None:
        notes.insert(0, texts.drawn_in_chat(drawings.line(said.drawn), prefix))
    made = await asyncio.to_thread(
        formatting.answer,
        result.text.strip(),
        notes,
        request.key,
        thoughts=result.reasoning,
        **_marks(request),
    )
    if said.drawn is not None:
        if not made.messages:
            only = formatting.message("\n\n".join(notes), request.key, PartName.answer(1), length=0, **_marks(request))
            made = Made(messages=[only])
        made.messages[-1][event_content.OUR_KEY] |= {DREW: (said.drawn.prompt or "")[:MOST_DREW]}
    if result.left_out_told and made.messages:
        made.messages[-1][event_content.OUR_KEY] |= {LEFT_OUT: True}
    return made


async def file_of(made: Made, part: Part, request: Request, http: MatrixHttp, encryption: Encryption) -> dict[str, Any]:
    """The file's message; uploads it, encrypted in an encrypted room. Raises the errors of :mod:`..errors`."""
    encrypted = await encryption.is_encrypted(part.room_id)
    if encrypted and not encryption.possible:
        raise CannotEncrypt("no end-to-end encryption in this client")
    if not encrypted and request.private and request.moved:
        raise CannotEncrypt("it was asked for in an encrypted room")
    content = formatting.file_content(made.rest, part.key, part.part, **_marks(request))
    uploaded = await upload(http, made.rest.encode(), formatting.MARKDOWN, encrypted=encrypted)
    uploaded.into(content)
    return content


def _marks(request: Request) -> dict[str, Any]:
    """What another answer to a question says of it: by its key alone nobody would know to what it belongs."""
    return {"question": request.event_id} if request.asked.get(AGAIN) else {}
