"""``chat/completions``: a turn of chat under the same queue and lease as the bot's own, in OpenAI's form."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from aiohttp import web

from ....schemas.jobs import ChatResult, Job
from ....schemas.new_jobs import NewChatJob
from ....schemas.requests import MAX_CHAT_PICTURES, MAX_CONVERSATION_PICTURES
from ...auth import client_of
from ...problems import ApiProblem
from .. import bodies, results
from ..errand import Errand, Update, errand, new_key, sent
from .chat_body import ChatBody
from .events import events
from .images import ROOM


async def completions(request: web.Request) -> web.StreamResponse:
    asked = await bodies.with_pictures(request, ChatBody.model_validate_json, pictures=bodies.MOST_PICTURES)
    shown = await _shown(request, asked)
    job = NewChatJob(
        kind="chat",
        key=new_key(),
        owner=client_of(request),
        room=ROOM,
        private=True,
        request=asked.request(shown),
    )
    async with errand(request, job) as one:
        if asked.stream:
            return await _streamed(request, asked, one)
        done = await one.finished()
        return await sent(request, web.json_response(_whole(done)))


async def _shown(request: web.Request, asked: ChatBody) -> list[tuple[str, ...]]:
    """The ids of each message's pictures: of a conversation the newest, as in rooms. :raises ApiProblem:"""
    shown, left = list[tuple[str, ...]](), MAX_CONVERSATION_PICTURES
    for message in reversed(asked.messages):
        if len(message.pictures) > MAX_CHAT_PICTURES:
            detail = f"One message has at most {MAX_CHAT_PICTURES} pictures."
            raise ApiProblem(422, "too_many_pictures", detail, fields=[bodies.field("messages", detail)])
        newest = message.pictures[-left:] if left else []
        left -= len(newest)
        shown.append(tuple([await _kept(request, url) for url in newest]))
    return shown[::-1]


async def _kept(request: web.Request, url: str) -> str:
    data = bodies.of_base64(url, "messages")
    return (await bodies.keep(request, data, "messages", private=True)).id


def _result(job: Job) -> ChatResult:
    """:raises ApiProblem: there is none"""
    if job.turn is None or job.turn.result is None or (job.turn.error is not None):
        raise results.why_none(job)
    return job.turn.result


def _whole(job: Job) -> dict[str, Any]:
    result = _result(job)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": result.text, "refusal": None},
        "logprobs": None,
        "finish_reason": _finish(result),
    }
    # The notes are no field of OpenAI's: its clients keep them as they are.
    return {
        "id": f"chatcmpl-{job.id}",
        "object": "chat.completion",
        "created": int(job.created_at),
        "model": result.model,
        "choices": [choice],
        "usage": _usage(result),
        "notes": result.notes,
    }


def _finish(result: ChatResult) -> str:
    """What broke off in the middle came to no end either; ``notes`` say more."""
    return "length" if result.cut or not result.complete else "stop"


def _usage(result: ChatResult) -> dict[str, int] | None:
    if result.usage is None:
        return None
    read, written = result.usage.prompt_tokens, result.usage.answer_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


# ---------------------------------------------------------------- streamed


async def _streamed(request: web.Request, asked: ChatBody, one: Errand) -> web.StreamResponse:
    async with events(request) as stream:
        text = Growing(one)
        await stream.send(_chunk(one.job, {"role": "assistant", "content": ""}))
        async with aclosing(one.updates()) as updates:
            async for update in updates:
                if not update.progress and update.job is None and update.said is None:
                    await stream.alive()
                if piece := text.of(update):
                    await stream.send(_chunk(one.job, {"content": piece}))
        result = _result(one.job)
        if rest := text.rest(result.text):
            await stream.send(_chunk(one.job, {"content": rest}, model=result.model))
        await stream.send(_chunk(one.job, {}, model=result.model, finish=_finish(result)) | {"notes": result.notes})
        if asked.counts:
            last = _chunk(one.job, {}, model=result.model)
            await stream.send(last | {"choices": [], "usage": _usage(result)})
        await stream.done()
    return stream.response


def _chunk(job: Job, delta: dict[str, str], *, model: str = "", finish: str | None = None) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{job.id}",
        "object": "chat.completion.chunk",
        "created": int(job.created_at),
        "model": model or str(job.request.get("model", "")),
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


class Growing:
    """What of an answer was sent: it can only grow there, whatever becomes of it here."""

    def __init__(self, one: Errand) -> None:
        self._one = one
        self._sent = ""

    def of(self, update: Update) -> str:
        """What is new. Blanks wait for what follows them: they may be none of the answer's.

        :raises ApiProblem: the answer was begun anew, and is another one
        """
        return "" if update.said is None else self.rest(update.said.text.rstrip())

    def rest(self, text: str) -> str:
        if not text.startswith(self._sent):
            if self._sent.startswith(text):
                return ""
            raise ApiProblem(503, "chat_broke_off", "The answer broke off and was begun anew; please ask again.")
        piece, self._sent = text[len(self._sent) :], text
        return piece
