"""The bodies of ``POST /v1/jobs``: a request for pictures, the same as it was resolved before, a turn of chat, or the
description of a picture."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from .base import Name, Received
from .requests import MAX_COUNT, MAX_PICTURES, ChatRequest, DescribeRequest, ImageRequest, Prompt
from .resolved import Differences, ResolvedRequest
from .resolved_parts import ResolvedExpansion, UsedAxis, UsedChance

JobKey = Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]
Note = Annotated[str, Field(max_length=2_000)]


class _NewJob(Received):
    key: JobKey
    """The client's idempotency key: the same key with the same body is the same job."""
    owner: Name
    room: Name
    private: bool = False
    """From an encrypted room: ``archive.encrypted_rooms`` says how long its pictures stay."""


class NewImageJob(_NewJob):
    kind: Literal["image"]
    request: ImageRequest


class ExpandedBefore(ResolvedExpansion):
    model_config = ConfigDict(extra="forbid")

    prompt: Prompt
    model: Name
    prompts: Annotated[tuple[Prompt, ...], Field(max_length=MAX_COUNT)] = ()


class ChanceBefore(UsedChance):
    model_config = ConfigDict(extra="forbid")

    prompt: Prompt | None = None
    negative_prompt: Prompt | None = None


class ResolvedBefore(ResolvedRequest):
    """``Job.resolved`` as it was told once, with the ids of pictures that are here now. Nothing in it is believed: what
    it names is held against the catalogue as if somebody had asked for it, and what follows from that is found anew."""

    # A field that this worker does not know would be lost, and the picture be another one.
    model_config = ConfigDict(extra="forbid")

    expansion: ExpandedBefore | None = None
    """Its prompts are drawn as they are."""
    chance: ChanceBefore | None = None
    """Its words are drawn as they are."""
    notes: Annotated[tuple[Note, ...], Field(max_length=100)] = ()
    """They are said again, with what is another one by now."""
    each: Annotated[tuple[Differences, ...], Field(max_length=MAX_PICTURES)] = ()
    sweep: Annotated[tuple[UsedAxis, ...], Field(max_length=2)] = ()


class NewResolvedJob(_NewJob):
    """The pictures of a job that a worker has forgotten. It is a job of the kind ``image``."""

    kind: Literal["resolved"]
    request: ResolvedBefore


class NewChatJob(_NewJob):
    kind: Literal["chat"]
    request: ChatRequest


class NewDescribeJob(_NewJob):
    kind: Literal["describe"]
    request: DescribeRequest


NewJob = Annotated[NewImageJob | NewResolvedJob | NewChatJob | NewDescribeJob, Field(discriminator="kind")]
