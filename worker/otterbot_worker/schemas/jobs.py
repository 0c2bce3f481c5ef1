"""Jobs, their results and failures, and the events about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import WithJsonSchema

from ..errors import Details
from .base import Sent, State
from .records import ImageResult, Thumbnail
from .resolved import ResolvedRequest


class FieldProblem(Sent):
    field: str
    """Dotted path in the body, as ``request.steps``."""
    code: str
    message: str
    """What was expected, in words that can be shown to a person; never what was sent."""
    details: dict[str, int | float | str | list[str]] = {}
    """What a client needs that says it in words of its own; only the worker's own names and numbers. ``model``: the
    chosen one; ``least``, ``most``; ``width``, ``height``: the closest size that is drawn; ``near``: names like the one
    that nobody knows, ``number``: which of several that is, from 0; ``known``: all there are; ``problem``: what is
    wrong with a model; ``pictures``: which of a job's pictures it is wrong with, where not all of them."""


class Problem(Sent):
    """RFC 9457 problem document (``application/problem+json``). It never echoes the input."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """Stable, for programs: ``unauthorized``, ``invalid_request``, ``unknown_model``, ``key_reused``, ``queue_full``,
    ``owner_queue_full``, ``disk_full``, ``not_found``, ``no_preview`` (not yet, or not any more), ``image_gone``,
    ``no_film`` (of this picture),
    ``input_gone`` (send the picture again), ``cannot_describe`` (nothing here sees pictures; what to install),
    ``picture_unreadable``, ``picture_too_large``, ``picture_too_small``, ``picture_too_complex``, ``picture_cut_off``,
    ``too_large``,
    ``cannot_look`` (nobody could say whether a file is here: try again), ``too_many_streams``,
    ``unknown_lora``, ``unknown_style``, ``unsupported_media_type``, ``method_not_allowed``, ``internal``."""
    detail: str | None = None
    fields: list[FieldProblem] = []


class Failure(Sent):
    """Why a picture or a chat turn failed: a stable code and a sentence for people."""

    code: str
    """``poison``, ``out_of_memory``, ``model_broken``, ``model_missing``, ``nan``, ``worker_restarts``, ``hang``,
    ``image_failed``, ``input_gone``, ``controlnet_broken``, ``controlnet_missing``,
    ``lora_broken``, ``lora_missing``, ``embedding_broken``, ``embedding_missing``,
    ``unsafe`` (the safety checker's finding), ``safety_missing``, ``safety_broken``,
    ``ollama_unreachable``, ``chat_model_missing``, ``chat_broke_off``, ``chat_too_long``, ``chat_timeout``,
    ``chat_blind`` (there are only pictures, and the model sees none), ``chat_failed``, ``forgotten``,
    ``cannot_describe`` (nothing here sees pictures), ``captioner_missing``, ``captioner_broken``,
    ``describe_failed``."""
    message: str
    details: Annotated[Details, WithJsonSchema({"type": "object", "additionalProperties": True})] = {}


class Progress(Sent):
    """Where a running picture or turn stands. Not stored; carries the attempt it belongs to."""

    phase: Literal[
        "starting",
        "writing",
        "downloading",
        "loading",
        "denoising",
        "decoding",
        "saving",
        "thinking",
        "streaming",
        "describing",
    ]
    """``writing``: a language model writes the prompt of the job's pictures, or is loaded for it. The picture waits in
    the queue again afterwards."""
    step: int = 0
    steps: int = 0
    """Of a download ``step`` and ``steps`` are bytes, and ``steps`` is 0 where nobody knows how many."""
    eta_s: float | None = None
    """Seconds until this picture or turn is done, as far as it can be told; computed anew for every answer."""
    attempt: int = 0
    preview: int = 0
    """Grows with each new preview; 0: there is none. ``GET /v1/jobs/{id}/pictures/{index}/preview`` has the latest."""


class Picture(Sent):
    index: int
    seed: int
    state: State
    attempt: int = 0
    progress: Progress | None = None
    result: ImageResult | None = None
    error: Failure | None = None


class SheetField(Sent):
    index: int
    """Of its picture."""
    name: str
    """What it is called, as it stands on the sheet: ``2``, or ``B3`` where columns and rows have titles."""
    shown: bool
    """The picture is in it. Else there was none when the sheet was made, and the field says so."""


class SheetPicture(Sent):
    """A picture in the archive like any other: ``GET /v1/images/{image_id}`` and the paths below it have it. It leaves
    with the last picture that is on it; deleting it deletes them."""

    image_id: str
    filename: str
    mimetype: str
    size: int
    sha256: str
    """Of the file, in hex."""
    width: int
    height: int
    blurhash: str
    thumbnail: Thumbnail


class Sheet(Sent):
    """The contact sheet of a job, made as soon as its last picture is final."""

    columns: int
    fields: list[SheetField]
    """Row by row, one for each picture."""
    picture: SheetPicture | None = None
    error: Failure | None = None
    """Why there is no sheet, although pictures were drawn: ``sheet_failed``, ``gone`` (they were deleted before)."""


class Drawing(Sent):
    """A picture that a language model asks for. Plain words; whoever draws it treats them as typed."""

    prompt: str
    negative_prompt: str | None = None
    aspect: Literal["square", "portrait", "landscape"] | None = None


class TokenUsage(Sent):
    """Tokens as the chat server counted them. Some count only what they had not read before."""

    prompt_tokens: int
    answer_tokens: int


class ChatResult(Sent):
    text: str
    model: str
    complete: bool
    """``False``: the model broke off in the middle, or the turn was cancelled; ``text`` keeps what came."""
    took: float
    notes: list[str] = []
    draws: Drawing | None = None
    """The picture that the model asks for, where it may; ``text`` may be empty then. Gone an hour after the end, as the
    text is."""
    reasoning: str = ""
    """What the model thought (``chat.reasoning: fold``), at most 8,000 characters; gone with the text."""
    left_out_told: bool = False
    """The room knows, or learns from ``notes``, that the conversation's beginning is left out."""
    cut: bool = False
    """The answer ended at its greatest length; ``notes`` say which one."""
    usage: TokenUsage | None = None
    """``null``: the server did not count."""
    seeing: list[str] = []
    """Where ``notes`` say that the model did not see the pictures: installed ones that would have."""


class Turn(Sent):
    """The one row of a chat job."""

    state: State
    attempt: int = 0
    progress: Progress | None = None
    text: str = ""
    """Cumulative while it streams; gone (``""``) an hour after the end."""
    result: ChatResult | None = None
    """Also of a turn that was cancelled while it streamed."""
    error: Failure | None = None


class Described(Sent):
    """What a picture shows. Each is one line without markup, flags or LoRAs; gone an hour after the end."""

    alt: str
    """For people who do not see it; 300 characters at most."""
    prompts: list[str]
    """One to three, 300 characters at most each, by which something like it may be drawn."""
    model: str
    """Which one described it."""
    took: float
    notes: list[str] = []


class Description(Sent):
    """The one row of a job that describes a picture."""

    state: State
    attempt: int = 0
    progress: Progress | None = None
    result: Described | None = None
    error: Failure | None = None


class Job(Sent):
    id: str
    key: str
    kind: Literal["image", "chat", "describe"]
    owner: str
    room: str
    private: bool
    created_at: float
    """Unix time, seconds."""
    state: State
    """Derived from the rows: running if any runs, queued if any waits, else succeeded if all
    succeeded, cancelled if any was cancelled, failed otherwise."""
    place: int | None = None
    """How many pictures and turns come before its next one; 0 is next. ``None`` unless queued."""
    eta_s: float | None = None
    """Seconds until the whole job is done, as far as it can be told."""
    request: dict[str, Any] = {}
    """The request with every default filled in (for chat: without the messages). Where the pictures differ in more than
    their seed, the first one's: ``resolved`` has the others."""
    resolved: ResolvedRequest | None = None
    """The same, typed, of an image job: what a client keeps that wants the same pictures again, and submits as
    ``resolved`` where they are forgotten. Its ``notes`` say what was changed in the request."""
    pictures: list[Picture] = []
    sheet: Sheet | None = None
    """Where one was asked for, every picture is final, and at least one was drawn: a moment after the last of them.
    ``null`` until then."""
    turn: Turn | None = None
    description: Description | None = None


class JobList(Sent):
    jobs: list[Job]
    elsewhere: int = 0
    """Open pictures and turns of other rooms (a number only)."""


class Input(Sent):
    """A picture to start from, checked and kept for a while."""

    id: str
    width: int
    height: int
    """As it was sent, the right way up."""
    alpha: bool = False
    """One can see through it, so that it can be its own ``mask``."""
    animated: bool = False
    """It moves; its first image is used."""


class Pause(Sent):
    paused: bool
    until: float | None = None


class Snapshot(Sent):
    """The first event of the stream: every open job of the client."""

    jobs: list[Job]
    pause: Pause


class JobEvent(Sent):
    job: Job


class ProgressEvent(Sent):
    job_id: str
    index: int
    progress: Progress
    eta_s: float | None = None
    """``Job.eta_s`` as of now: ``progress.eta_s`` is this picture's alone."""


class ChatEvent(Sent):
    job_id: str
    attempt: int
    text: str


class PauseEvent(Sent):
    pause: Pause
