"""What travels over HTTP between a client and the worker.

The OpenAPI document is made from these classes, so they are the contract. Two rules:
requests refuse fields that they do not know (an old worker says so by name instead of
ignoring a setting), and readers of answers ignore fields that they do not know.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_PROMPT = 4_000
MAX_SEED = 2**32 - 1
"""A1111's and ComfyUI's limit; picture k of a job has the seed ``(seed + k) % 2**32``."""
MAX_COUNT = 8
MAX_CHAT_CHARACTERS = 64_000

Name = Annotated[str, Field(min_length=1, max_length=255)]
JobKey = Annotated[str, Field(min_length=8, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")]


class State(StrEnum):
    """``queued → running → succeeded | failed | cancelled``; ``running → queued`` when the
    process that runs it dies. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class _Request(BaseModel):
    # Strict: "12" and true are no numbers. What is not meant is refused, never bent.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


# ---------------------------------------------------------------- requests


class Variation(_Request):
    """The noise that a picture begins with, between that of its own seed and that of another one."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    """Of a job with several pictures, the first one's: they have one seed then, and this one counts up."""
    strength: Annotated[float, Field(ge=0, le=1)]
    """0 is the picture of its own seed, 1 that of the other one; about 0.2 changes small things."""


class Hires(_Request):
    """A second pass: the picture, drawn at its size, is enlarged and drawn once more."""

    scale: Annotated[float, Field(ge=1, le=4)]
    strength: Annotated[float | None, Field(gt=0, le=1)] = None
    """How much is drawn anew. Usually 0.7 for ``latent`` and 0.5 for ``lanczos``; 0.35 where it is so large that it is
    drawn in tiles."""
    steps: Annotated[int | None, Field(ge=1, le=200)] = None
    """Of which the strength takes its part; the picture's own where it is absent."""
    upscaler: Literal["latent", "lanczos"] | None = None
    """What is enlarged: latents or pixels. Absent: latents, in tiles pixels."""


class ImageOptions(_Request):
    """The options of a picture; ``None`` is "the model's default"."""

    prompt: Annotated[str | None, Field(max_length=MAX_PROMPT)] = None
    negative_prompt: Annotated[str | None, Field(max_length=MAX_PROMPT)] = None
    model: Name | None = None
    steps: Annotated[int | None, Field(ge=1, le=200)] = None
    guidance_scale: Annotated[float | None, Field(ge=0, le=30)] = None
    width: Annotated[int | None, Field(ge=16, le=4096)] = None
    height: Annotated[int | None, Field(ge=16, le=4096)] = None
    """What is no multiple of the model's is rounded, and a note says so."""
    aspect: Annotated[str | None, Field(max_length=16)] = None
    """``3:2`` (1:4 to 4:1), ``square``, ``portrait`` (2:3) or ``landscape`` (3:2), instead of width and height: that
    shape at the model's usual number of pixels, whatever the shape of a picture to start from."""
    sampler: Name | None = None
    seed: Annotated[int | None, Field(ge=0, le=MAX_SEED)] = None
    count: Annotated[int | None, Field(ge=1, le=MAX_COUNT)] = None
    strength: Annotated[float | None, Field(gt=0, le=1)] = None
    """How much of the picture that it starts from is drawn anew."""
    variation: Variation | None = None
    hires: Hires | None = None


InputId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class InitImage(_Request):
    """A picture to start from."""

    id: InputId
    """As ``POST /v1/inputs`` answered: SHA-256 of the bytes that were sent."""


class Mask(_Request):
    """Where ``init_image`` is drawn anew; all else stays as it is, pixel by pixel."""

    id: InputId
    """A picture of the same shape, or ``init_image`` itself. If it has ``alpha``, what is transparent is drawn anew,
    else what is white. Greys mix both."""


class Control(_Request):
    """A picture that steers what is drawn, through a ControlNet."""

    kind: Annotated[str, Field(min_length=1, max_length=100)]
    """``canny``: the edges of the picture, which are found here. Else a name of ``GET /v1/controlnets``: the picture is
    given to that one as it is, and has to be the map that it expects."""
    id: InputId
    """As ``POST /v1/inputs`` answered. It is scaled to fill the size that is drawn, and cut off evenly."""
    scale: Annotated[float, Field(ge=0, le=2)] = 1.0
    """How much it steers; 0 is not at all."""
    start: Annotated[float, Field(ge=0, le=1)] = 0.0
    end: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Between which shares of the steps it does."""


class ImageRequest(ImageOptions):
    """A picture request. The client draws the seed, so that a worker that has forgotten
    everything draws the same picture when the same request is submitted again."""

    prompt: Annotated[str, Field(max_length=MAX_PROMPT)]
    """Only with ``upscale`` it may be empty."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 1
    init_image: InitImage | None = None
    """Without width, height and aspect the picture's shape is drawn, at the model's usual number of pixels."""
    mask: Mask | None = None
    """Makes the strength 1 where nobody says one."""
    control: Control | None = None
    """Without width, height, aspect and ``init_image`` its picture's shape is drawn."""
    upscale: Literal[2, 4] | None = None
    """``init_image`` so many times as large, with more detail, and nothing else than it shows. Makes the strength 0.3
    where nobody says one; takes no size and no ``hires``."""
    theme: Annotated[str | None, Field(max_length=64)] = None
    """Names the files; the first words of the prompt where it is absent."""
    safety: bool = False
    """The safety checker has to look at the picture before anybody does; what it finds unsafe is not kept."""
    preview: bool = False
    """Small previews while it is drawn; ``Progress.preview`` says when there is a new one. They change nothing in the
    picture and are gone with its last step. None where ``safety`` is set: the checker has not seen them."""
    asked: ImageOptions = ImageOptions()
    """Only what the person typed; kept in the record, so that a later change of model can
    return everything else to that model's defaults."""


class ChatMessage(_Request):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_CHAT_CHARACTERS)]


class ChatRequest(_Request):
    """One turn: the whole conversation so far, oldest first, ending with the user's message."""

    model: Name | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]


class _NewJob(_Request):
    key: JobKey
    """The client's idempotency key: the same key with the same body is the same job."""
    owner: Name
    room: Name
    private: bool = False
    """From an encrypted room: ``archive.encrypted_rooms`` says how long its pictures stay."""


class NewImageJob(_NewJob):
    kind: Literal["image"]
    request: ImageRequest


class NewChatJob(_NewJob):
    kind: Literal["chat"]
    request: ChatRequest


NewJob = Annotated[NewImageJob | NewChatJob, Field(discriminator="kind")]


class PauseRequest(_Request):
    minutes: Annotated[float | None, Field(gt=0, le=7 * 24 * 60)] = None
    """``None``: until ``resume``."""


class ExplainRequest(_Request):
    prompt: Annotated[str, Field(max_length=MAX_PROMPT)]
    negative_prompt: Annotated[str | None, Field(max_length=MAX_PROMPT)] = None


# ---------------------------------------------------------------- answers


class Problem(_Answer):
    """RFC 9457 problem document (``application/problem+json``). It never echoes the input."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """Stable, for programs: ``unauthorized``, ``invalid_request``, ``unknown_model``, ``key_reused``, ``queue_full``,
    ``owner_queue_full``, ``disk_full``, ``not_found``, ``no_preview`` (not yet, or not any more), ``image_gone``,
    ``input_gone`` (send the picture again),
    ``picture_unreadable``, ``picture_too_large``, ``picture_too_small``, ``too_large``, ``too_many_streams``,
    ``unknown_lora``, ``unsupported_media_type``, ``method_not_allowed``, ``internal``."""
    detail: str | None = None
    fields: list[FieldProblem] = []


class FieldProblem(_Answer):
    field: str
    """Dotted path in the body, as ``request.steps``."""
    code: str
    message: str
    """What was expected, in words that can be shown to a person; never what was sent."""


class Failure(_Answer):
    """Why a picture or a chat turn failed: a stable code and a sentence for people."""

    code: str
    """``poison``, ``out_of_memory``, ``model_broken``, ``model_missing``, ``nan``, ``worker_restarts``, ``hang``,
    ``image_failed``, ``input_gone``, ``controlnet_broken``, ``controlnet_missing``,
    ``lora_broken``, ``lora_missing``, ``embedding_broken``, ``embedding_missing``,
    ``unsafe`` (the safety checker's finding), ``safety_missing``, ``safety_broken``,
    ``ollama_unreachable``, ``chat_model_missing``, ``chat_broke_off``, ``chat_too_long``, ``chat_timeout``,
    ``chat_failed``, ``forgotten``."""
    message: str
    details: dict[str, Any] = {}


class Progress(_Answer):
    """Where a running picture or turn stands. Not stored; carries the attempt it belongs to."""

    phase: Literal["starting", "downloading", "loading", "denoising", "decoding", "saving", "thinking", "streaming"]
    step: int = 0
    steps: int = 0
    """Of a download ``step`` and ``steps`` are bytes, and ``steps`` is 0 where nobody knows how many."""
    eta_s: float | None = None
    """Seconds until this picture or turn is done, as far as it can be told; computed anew for every answer."""
    attempt: int = 0
    preview: int = 0
    """Grows with each new preview; 0: there is none. ``GET /v1/jobs/{id}/pictures/{index}/preview`` has the latest."""


class Thumbnail(_Answer):
    width: int
    height: int
    size: int
    mimetype: str


class ImageResult(_Answer):
    """A finished picture, with all that a client needs to post it without decoding it."""

    image_id: str
    filename: str
    mimetype: str
    size: int
    width: int
    height: int
    blurhash: str
    thumbnail: Thumbnail
    record: Record
    notes: list[str] = []
    """What was changed, ignored or fallen back to, as sentences for people."""


class UsedLora(_Answer):
    name: str
    weight: float
    hash: str
    """SHA-256 of the file, in hex."""
    autov3: str
    """The first 12 digits of the SHA-256 of its tensors alone: by this the tools of the field know it."""


class UsedEmbedding(_Answer):
    token: str
    """The word of the prompt that stood for it, in small letters."""
    name: str
    hash: str
    """SHA-256 of the file, in hex."""


class UsedControl(_Answer):
    kind: str
    name: str
    """The ControlNet's."""
    hash: str
    """The first 16 hex digits of a hash of its file's name, size and ends."""
    id: str
    """SHA-256 of the picture that steered."""
    scale: float
    start: float
    end: float


class UsedRefiner(_Answer):
    name: str
    hash: str
    """The first 16 hex digits of a hash of its weights' names, sizes and ends."""
    hand_over: float
    """The share of the steps that were drawn before it."""


class UsedVae(_Answer):
    name: str
    hash: str
    """The first 16 hex digits of a hash of its weights' names, sizes and ends."""


class UsedVariation(_Answer):
    seed: int
    strength: float


class UsedHires(_Answer):
    """How it was drawn once more, larger."""

    scale: float
    strength: float
    steps: int
    upscaler: str
    width: int
    height: int
    """The finished picture's."""


class Used(_Answer):
    """Everything that makes the picture again."""

    prompt: str
    negative_prompt: str
    model: str
    model_hash: str
    sampler: str
    steps: int
    guidance_scale: float
    width: int
    height: int
    """With ``hires`` those of its first pass."""
    seed: int
    variation: UsedVariation | None = None
    """It began between the noise of ``seed`` and that of this one."""
    init_image: str | None = None
    """SHA-256 of the picture that it was drawn from."""
    strength: float | None = None
    mask: str | None = None
    """SHA-256 of the picture that said where it was drawn anew."""
    control: UsedControl | None = None
    hires: UsedHires | None = None
    upscale: int | None = None
    """It is ``init_image``, so many times as large."""
    loras: list[UsedLora] = []
    embeddings: list[UsedEmbedding] = []
    refiner: UsedRefiner | None = None
    """A second model that drew the last steps."""
    vae: UsedVae | None = None
    """The decoder, where it is not the model's own."""
    safety: bool = False
    """Whether the safety checker has looked at it."""
    plan: str = ""
    """How the model lay in memory: ``resident``, ``tiled``, ``offload``, ``groups``, ``quantised``. Tiles and weights
    of 8 bits (the last one) make a slightly other picture; empty in old records."""
    parser: str
    versions: dict[str, str]


class Record(_Answer):
    """``record`` of the design: in the PNG, in the sidecar and in the event."""

    v: Literal[1] = 1
    asked: dict[str, Any]
    used: Used
    took: float
    """Seconds from the claim to the finished picture, loading included."""


class Picture(_Answer):
    index: int
    seed: int
    state: State
    attempt: int = 0
    progress: Progress | None = None
    result: ImageResult | None = None
    error: Failure | None = None


class ChatResult(_Answer):
    text: str
    model: str
    complete: bool
    """``False``: the model broke off in the middle; ``text`` keeps what came."""
    took: float
    notes: list[str] = []


class Turn(_Answer):
    """The one row of a chat job."""

    state: State
    attempt: int = 0
    progress: Progress | None = None
    text: str = ""
    """Cumulative while it streams; gone (``""``) an hour after the end."""
    result: ChatResult | None = None
    error: Failure | None = None


class Job(_Answer):
    id: str
    key: str
    kind: Literal["image", "chat"]
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
    """The request with every default filled in (for chat: without the messages)."""
    pictures: list[Picture] = []
    turn: Turn | None = None


class Input(_Answer):
    """A picture to start from, checked and kept for a while."""

    id: str
    width: int
    height: int
    """As it was sent, the right way up."""
    alpha: bool = False
    """One can see through it, so that it can be its own ``mask``."""


class JobList(_Answer):
    jobs: list[Job]
    elsewhere: int = 0
    """Open pictures and turns of other rooms (a number only)."""


class Pause(_Answer):
    paused: bool
    until: float | None = None


class GpuInfo(_Answer):
    device: str
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None
    state: str
    """``stopped``, ``starting``, ``idle``, ``loading``, ``drawing``."""
    resident: str | None = None


class WorkerInfo(_Answer):
    """What a worker is and does now."""

    version: str
    api: Literal["v1"] = "v1"
    features: list[str]
    pause: Pause
    gpu: GpuInfo
    queued: int
    running: int
    default_model: str
    chat_model: str | None
    ollama: Literal["reachable", "unreachable", "off"]
    notice: str | None = None
    """What an operator should see, as "Pictures come from otter-mini, …, because …"."""
    limits: dict[str, int | float] = {}


class ModelDefaults(_Answer):
    steps: int
    guidance_scale: float
    width: int
    height: int
    sampler: str
    negative_prompt: str


class ModelLimits(_Answer):
    steps_min: int = 1
    steps_max: int
    guidance_scale_max: float
    size_min: int
    size_max: int
    size_multiple: int
    pixels_max: int


class Model(_Answer):
    name: str
    kind: Literal["image", "chat"]
    about: str
    available: bool
    """Its files are here (or may be downloaded)."""
    default: bool
    defaults: ModelDefaults | None = None
    limits: ModelLimits | None = None
    licence: str = ""
    family: str | None = None
    """What kind of image model: ``sd``, ``sdxl``, ``sd3``, ``zimage``, ``flux2``."""
    samplers: list[str] = []
    """Those of ``Models.samplers`` that it takes."""
    ignores: list[str] = []
    """What it cannot do, in words, as ``negative prompts``: left out with a note, or refused."""
    problem: str | None = None
    """Why its file cannot be drawn with, as a sentence; it is not ``available`` then."""


class Models(_Answer):
    models: list[Model]
    samplers: list[str]


class Lora(_Answer):
    """A file in the folder of LoRAs or in that of embeddings."""

    kind: Literal["lora", "embedding"]
    name: str
    """``<lora:name:weight>`` in a prompt; of an embedding the name alone, as a word."""
    family: str | None = None
    """The models that it is for: ``sd``, ``sdxl``, ``other``; ``None`` where its file does not say."""
    triggers: list[str] = []
    """Words that it was trained with."""
    size: int
    hash: str | None = None
    """SHA-256 of the file, in hex; ``None`` until there was time to read it."""
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""


class Loras(_Answer):
    loras: list[Lora]


class ControlNet(_Answer):
    """A file or folder in the folder of ControlNets, or one that the hub's cache has."""

    name: str
    """What ``Control.kind`` may be."""
    family: str | None = None
    """The models that it is for: ``sd`` or ``sdxl``; ``None`` where it cannot be read."""
    canny: bool
    """Its name says that it takes edges, so that the kind ``canny`` may use it."""
    size: int
    hash: str | None = None
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""


class ControlNets(_Answer):
    controlnets: list[ControlNet]


class ExplainedFragment(_Answer):
    text: str
    weight: float
    """0 to 2; 1 is plain."""
    part: int
    """Which part of ``.and()`` or ``.blend()``, from 0."""
    chunk: int
    """How many ``BREAK`` of its part are before it."""


class ExplainedLora(_Answer):
    """As it was typed; whether there is one of that name is another question."""

    name: str
    weight: float


class ExplainedPrompt(_Answer):
    kind: Literal["plain", "and", "blend"]
    fragments: list[ExplainedFragment]
    """What the text encoder is given, in order."""
    part_weights: list[float]
    """Of ``.and()`` and ``.blend()``; ``[1.0]`` in a plain prompt."""
    loras: list[ExplainedLora]
    marks: list[str]
    """Notations that were recognised: ``emphasis``, ``number``, ``signs``, ``BREAK``, ``AND``, ``schedule``,
    ``alternation``, ``and``, ``blend``, ``malformed``, ``lora`` …"""
    notes: list[str]
    """What is not done as written, as sentences."""


class ExplainedPrompts(_Answer):
    parser: str
    prompt: ExplainedPrompt
    negative_prompt: ExplainedPrompt | None = None


class Snapshot(_Answer):
    """The first event of the stream: every open job of the client."""

    jobs: list[Job]
    pause: Pause


class JobEvent(_Answer):
    job: Job


class ProgressEvent(_Answer):
    job_id: str
    index: int
    progress: Progress
    eta_s: float | None = None
    """``Job.eta_s`` as of now: ``progress.eta_s`` is this picture's alone."""


class ChatEvent(_Answer):
    job_id: str
    attempt: int
    text: str


class PauseEvent(_Answer):
    pause: Pause


for _model in (Problem, ImageResult):
    _model.model_rebuild()
