"""What a client asks for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import Name, Received
from .settings import Settings
from .structure import Structure

MAX_PROMPT = 4_000
MAX_SEED = 2**32 - 1
"""A1111's and ComfyUI's limit; picture k of a job has the seed ``(seed + k) % 2**32``."""
MAX_COUNT = 8
MAX_STYLES = 8
MAX_STYLE_NAME = 100
MAX_CARD_NAME = 200
MAX_PICTURES = 64
"""Of a job, where they differ in more than their seed, and of a contact sheet."""
MAX_CHAT_CHARACTERS = 64_000
MAX_CHAT_PICTURES = 4
"""Of one message."""
MAX_CONVERSATION_PICTURES = 8


Steps = Annotated[int, Field(ge=1, le=200)]
GuidanceScale = Annotated[float, Field(ge=0, le=30)]
Side = Annotated[int, Field(ge=16, le=4096)]
"""Of a picture, in pixels."""
Prompt = Annotated[str, Field(max_length=MAX_PROMPT)]
StyleName = Annotated[str, Field(min_length=1, max_length=MAX_STYLE_NAME)]


class StyleWords(Received):
    """A style with its words: one that the worker does not know, as a room's own, or one as it was once."""

    name: StyleName
    prompt: Prompt = ""
    """``{prompt}`` in it is where a picture's words go; without it they stand before these."""
    negative_prompt: Prompt = ""


Styles = Annotated[tuple[StyleName | StyleWords, ...], Field(max_length=MAX_STYLES)]
"""In order: the first is put around a picture's words, the second around what that gives. Names are those of ``GET
/v1/styles``; capitals, spaces and hyphens in them do not matter. An empty list is no style, whatever is usual."""


class Variation(Received):
    """The noise that a picture begins with, between that of its own seed and that of another one."""

    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    """Of a job with several pictures, the first one's: they have one seed then, and this one counts up."""
    strength: Annotated[float, Field(ge=0, le=1)]
    """0 is the picture of its own seed, 1 that of the other one; about 0.2 changes small things."""


class Hires(Received):
    """A second pass: the picture, drawn at its size, is enlarged and drawn once more."""

    scale: Annotated[float, Field(ge=1, le=4)]
    strength: Annotated[float | None, Field(gt=0, le=1)] = None
    """How much is drawn anew. Usually 0.7 for ``latent`` and 0.5 for ``lanczos``; 0.35 where it is so large that it is
    drawn in tiles."""
    steps: Steps | None = None
    """Of which the strength takes its part; the picture's own where it is absent."""
    upscaler: Literal["latent", "lanczos"] | None = None
    """What is enlarged: latents or pixels. Absent: latents, in tiles pixels."""


class ImageOptions(Settings, Received):
    """The options of a picture; ``None`` is "the model's default"."""

    prompt: Prompt | None = None
    negative_prompt: Prompt | None = None
    style: Styles | None = None
    """Put around both prompts, which are these words then and what the styles say."""
    model: Name | None = None
    """Capitals do not matter."""
    steps: Steps | None = None
    guidance_scale: GuidanceScale | None = None
    width: Side | None = None
    height: Side | None = None
    """What is no multiple of the model's is rounded, and a note says so; but with ``mask`` the size of ``init_image``
    stays as it is."""
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
    expand: bool | None = None
    """A language model writes the prompt, with every word of this one in it, before anything is drawn. Where it cannot,
    the picture is drawn from the words as they are, and a note says so."""


class Expansion(Received):
    """What a language model has made ``prompt`` of."""

    prompt: Prompt
    """What it was asked with."""
    model: Name
    """The language model's."""


class Chance(Received):
    """What words were drawn from before, with their choices and wildcards. Where it is said, the words are taken as
    they are."""

    prompt: Prompt | None = None
    """The same as the words: nothing was drawn, whatever they look like."""
    negative_prompt: Prompt | None = None


InputId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class InitImage(Received):
    """A picture that was sent: to start from, or to be described."""

    id: InputId
    """As ``POST /v1/inputs`` answered: SHA-256 of the bytes that were sent."""


class Mask(Received):
    """Where ``init_image`` is drawn anew. All else stays as it is, pixel by pixel, where the picture keeps its size: no
    other one is named, and it is within the model's limits. Otherwise all else is scaled, and a note says so."""

    id: InputId
    """A picture of the same shape, or ``init_image`` itself. If it has ``alpha``, what is transparent is drawn anew,
    else what is white. Greys mix both."""


class Control(Received):
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


class Layer(Received):
    """Defaults for whatever model draws: of a room, or of a whole instance. What a request leaves open is taken from
    the first of its layers that says something of it, where the model can take that, else it is the model's own."""

    layer: Literal["room", "instance"]
    """Whose they are."""
    model: Name | None = None
    """Of the first layer that names one. Where it is gone, or its files are, the worker's default draws, and a note
    says so."""
    steps: Steps | None = None
    guidance_scale: GuidanceScale | None = None
    size: tuple[Side, Side] | None = None
    """Width and height; where the request names no size and no shape, and no picture that has one."""
    sampler: Name | None = None
    """One that nobody knows is refused."""
    negative_prompt: Prompt | None = None
    style: Styles | None = None
    """Names that nobody knows any more are left out, and a note says so. Not with ``upscale``."""
    expand: bool | None = None


class Most(Received):
    """What a client allows, whatever a model does. More is refused where it was asked for; a default is lowered to it,
    and a note says so."""

    steps: Steps | None = None


SheetTitle = Annotated[str, Field(max_length=80)]


class SheetRequest(Received):
    """All pictures of a job on one contact sheet: what its fields are called, and what stands beside them."""

    columns: Annotated[int | None, Field(ge=1, le=MAX_PICTURES)] = None
    """Absent: as many as make the sheet nearly square."""
    column_titles: Annotated[tuple[SheetTitle, ...], Field(max_length=MAX_PICTURES)] = ()
    """One for each column, or none."""
    row_titles: Annotated[tuple[SheetTitle, ...], Field(max_length=MAX_PICTURES)] = ()
    """One for each row, or none."""
    titles: Annotated[tuple[SheetTitle, ...], Field(max_length=MAX_PICTURES)] = ()
    """One below each picture, or none."""
    caption: Annotated[str, Field(max_length=300)] = ""
    """Below all of it."""


Swept = Literal[
    "guidance_scale", "steps", "seed", "sampler", "model", "strength", "style", "size", "lora", "variation", "hires",
    "clip_skip", "words",
]  # fmt: skip
SweptValue = int | float | Annotated[str, Field(max_length=1_000)] | tuple[int, int] | Styles


class SweepAxis(Received):
    """One setting with the values that take the place of the request's. Bounds are those of the request's field."""

    field: Swept
    """``size``: width and height. ``lora``: the weight of a LoRA of the prompt, 0 without it. ``variation`` and
    ``hires``: their strength; the request says the rest. ``words``: the first value stands in the prompt, and each
    takes its place, with the brackets and weights around it; ``""`` takes it out."""
    values: Annotated[tuple[SweptValue, ...], Field(min_length=2, max_length=MAX_PICTURES)]
    name: Name | None = None
    """Of the LoRA; absent, where the prompt has one only."""


class ImageRequest(ImageOptions):
    """A picture request. The client draws the seed, so that a worker that has forgotten
    everything draws the same picture when the same request is submitted again."""

    prompt: Prompt
    """Only with ``upscale`` or ``structure`` it may be empty."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    count: Annotated[int, Field(ge=1, le=MAX_COUNT)] = 1
    layers: Annotated[tuple[Layer, ...], Field(max_length=8)] = ()
    """The most important first."""
    most: Most = Most()
    init_image: InitImage | None = None
    """Without width, height and aspect its own size is drawn, in the model's multiples, where it has between half and
    one and a half times the model's usual number of pixels and is within the limits; else its shape at that number.
    With ``mask`` its own size wherever it is within the limits."""
    mask: Mask | None = None
    """Makes the strength 1 where nobody says one."""
    control: Control | None = None
    """Without width, height, aspect and ``init_image`` the size follows from its picture as from that one."""
    upscale: Literal[2, 4] | None = None
    """``init_image`` so many times as large, with more detail, and nothing else than it shows. Makes the strength 0.3
    where nobody says one; takes no size and no ``hires``."""
    expansion: Expansion | None = None
    """Where the prompt comes from, if a language model wrote it before: kept in the record. Not with ``expand``, which
    makes another one."""
    structure: Structure | None = None
    """The prompt by keys. ``prompt`` is joined of it, and ``negative_prompt`` where it says one, whatever those say
    themselves (a client may send there what it would ask of a worker without the feature ``structure``). With
    ``expansion`` the prompt stands, and with ``chance`` the words that it is about: the structure is what they are
    of."""
    chance: Chance | None = None
    """Where the words come from, if they were drawn before; kept in the record. All others are drawn by the picture's
    seed: choices and wildcards in them."""
    theme: Annotated[str | None, Field(max_length=64)] = None
    """Names the files; the first words of the prompt where it is absent."""
    safety: bool = False
    """The safety checker has to look at the picture before anybody does; what it finds unsafe is not kept."""
    preview: bool = False
    """Small previews while it is drawn; ``Progress.preview`` says when there is a new one. They change nothing in the
    picture and are gone with its last step. None where ``safety`` is set: the checker has not seen them."""
    drawn_before: Annotated[str | None, Field(max_length=64)] = None
    """The id of the picture that this request makes again. Where it is still here, was drawn for the same room, and its
    record says the same, the job has it at once; else it is drawn. Of one picture only."""
    film: bool = False
    """The early steps and the finished picture as one short animated WebP (`ImageResult.film`), kept beside the
    picture. Not with ``upscale``, and none where ``safety`` is set: the checker has not seen them."""
    sheet: SheetRequest | None = None
    """All of its pictures are put on one contact sheet as well, when the last of them is done (``Job.sheet``)."""
    card: Annotated[str | None, Field(min_length=1, max_length=MAX_CARD_NAME)] = None
    """The card that is to draw it if it can, as a record names it (``versions.device``): unlike cards draw pictures
    that differ in the last bits. Another one draws where that one rests, is paused or gone, or works for more than a
    minute."""
    describe: bool = False
    """Once it is drawn, the captioner says what the picture shows (``ImageResult.alt``), where there is one."""
    sweep: Annotated[tuple[SweepAxis, ...], Field(max_length=2)] = ()
    """One picture for each value of a setting, or for each pair of two: the first one goes across, the second one down,
    and pictures are counted row by row. What takes long to change (a model, LoRAs, the size) changes least often while
    they are drawn."""
    asked: ImageOptions = ImageOptions()
    """Only what the person typed; kept in the record, so that a later change of model can
    return everything else to that model's defaults."""


class ChatMessage(Received):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(max_length=MAX_CHAT_CHARACTERS)]
    pictures: Annotated[tuple[InputId, ...], Field(max_length=MAX_CHAT_PICTURES)] = ()
    """Pictures that belong to it, as ``POST /v1/inputs`` answered. Of a whole conversation the newest 8 are shown to
    the model, scaled down."""


class Sampling(Received):
    """How a language model chooses its words; what is open is as the model is used. Numbers as OpenAI has them. A
    server that does not take one of them answers without it, and a note says so."""

    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    presence_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    frequency_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None
    seed: Annotated[int | None, Field(ge=-(2**63), lt=2**63)] = None
    tokens: Annotated[int | None, Field(ge=1, le=1_048_576)] = None
    """Of the answer at most; never more than `chat.options.num_predict` allows."""


class ChatRequest(Received):
    """One turn: the whole conversation so far, oldest first, ending with the user's message."""

    model: Name | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=200)]
    draws: bool = False
    """The model may ask for a picture, where it can (``ChatResult.draws``)."""
    left_out_told: bool = False
    """The room knows that the beginning of this conversation does not fit any more: it is not said again."""
    sampling: Sampling = Sampling()


class DescribeRequest(Received):
    """What a picture shows, and prompts by which one like it may be drawn."""

    picture: InitImage


LaneName = Annotated[str, Field(min_length=1, max_length=64)]


class PauseRequest(Received):
    minutes: Annotated[float | None, Field(gt=0, le=7 * 24 * 60)] = None
    """``None``: until ``resume``."""
    lane: LaneName | None = None
    """One card alone, until ``resume`` names it; ``None``: all of them, and all chats."""

    @model_validator(mode="after")
    def _without_an_end(self) -> Self:
        if self.lane is not None and self.minutes is not None:
            raise ValueError("a card alone is paused until it is resumed: leave minutes out")
        return self


class ResumeRequest(Received):
    lane: LaneName | None = None
    """A card that was paused alone; ``None``: the pause of all."""


class ExplainRequest(Received):
    prompt: Prompt
    negative_prompt: Prompt | None = None
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    """By which choices and wildcards are drawn."""
    style: Styles = ()
    """Explained is what they make of the prompts."""
