"""Turns of chat and descriptions, as they are stored: nothing of them is left open but who answers."""

from __future__ import annotations

from collections.abc import Sequence

from ..queue.model import NewRow
from ..queue.submission import Submission
from ..schemas.new_jobs import NewChatJob, NewDescribeJob
from ..schemas.requests import MAX_CONVERSATION_PICTURES, ChatMessage
from ..schemas.resolved import ResolvedChat, ResolvedDescription
from .refusal import Refused, problem
from .resolve import body_hash


def chat_submission(job: NewChatJob, client: str, default_model: str | None) -> Submission:
    """The model may stay open (``""``) while the chat backend has not said what it has. Of the pictures only the newest
    are shown to it.

    :raises Refused:
    """
    messages = _newest_pictures(job.request.messages)
    if messages[-1].role != "user":
        raise Refused([problem("messages", "last_not_user", "The last message has to be the user's.")])
    shown = tuple(dict.fromkeys(one for message in messages for one in message.pictures))
    model = job.request.model or default_model or ""
    return Submission(
        client=client,
        key=job.key,
        body_hash=body_hash(job),
        kind="chat",
        owner=job.owner,
        room=job.room,
        private=job.private,
        request=ResolvedChat(
            model=model,
            named=job.request.model is not None,
            left_out_told=job.request.left_out_told,
            draws=job.request.draws,
            sampling=job.request.sampling,
            pictures=shown,
        ),
        content=messages,
        rows=[NewRow(seed=0, model=model, work=0.0)],
        input_ids=shown,
    )


def _newest_pictures(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    kept, left = list[ChatMessage](), MAX_CONVERSATION_PICTURES
    for message in reversed(messages):
        shown = message.pictures[-left:] if left else ()
        left -= len(shown)
        kept.append(message if shown == message.pictures else message.model_copy(update={"pictures": shown}))
    return kept[::-1]


def describe_submission(job: NewDescribeJob, client: str, model: str) -> Submission:
    """``model``: the one that would describe it now; another one may by the time it runs."""
    shown = (job.request.picture.id,)
    return Submission(
        client=client,
        key=job.key,
        body_hash=body_hash(job),
        kind="describe",
        owner=job.owner,
        room=job.room,
        private=job.private,
        request=ResolvedDescription(pictures=shown),
        content=[],
        rows=[NewRow(seed=0, model=model, work=0.0)],
        input_ids=shown,
    )
