"""A request with nothing left open: what a client asked for, with everything fixed that makes the picture.

One type from the moment a request is accepted to the archive. The row stores it as JSON and reads it back; the task
for the GPU process is this request for one picture (``gpu.messages.Draw``); the record is this request and what was
measured (``runner.results``). Readers ignore fields that they do not know, and every field that came later has a
default, so rows of older and newer versions can be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, JsonValue, PlainSerializer, ValidationError

from .requests import MAX_SEED, ImageOptions, Sampling
from .resolved_parts import (
    Fixed,
    Pair,
    ResolvedControl,
    ResolvedExpansion,
    ResolvedHires,
    ResolvedInitImage,
    ResolvedMask,
    ResolvedSheet,
    ResolvedUpscale,
    UsedAxis,
    UsedChance,
    UsedEmbedding,
    UsedLora,
    UsedStyle,
    UsedVariation,
    UsedWords,
)
from .settings import Settings
from .structure import UsedStructure
from .style_words import Words, styled


def _readable(asked: Any) -> Any:
    """What was stored once, without options that there are no more, or not with these values."""
    if not isinstance(asked, dict):
        return asked
    try:
        return ImageOptions.model_validate(asked, strict=False)
    except ValidationError as error:
        bad = {str(one["loc"][0]) for one in error.errors(include_input=False) if one["loc"]}
        return ImageOptions.model_validate({k: v for k, v in asked.items() if k not in bad}, strict=False)


Asked = Annotated[
    ImageOptions,
    BeforeValidator(_readable),
    PlainSerializer(lambda asked: asked.model_dump(mode="json", exclude_unset=True)),
]
"""Only what the person typed: what nobody named is not there, in JSON too."""

Differences = dict[str, JsonValue]
"""Fields of a `ResolvedRequest`, as JSON has them."""


class ResolvedRequest(Settings, Fixed):
    """Everything that makes the pictures of a job, but for what is only known once a model is loaded: the hash of its
    weights (the SHA-256 of a single file takes long) and of its VAE and refiner. Those stand in the record."""

    v: Literal[1] = 1
    model: str
    """A name of the catalogue."""
    prompt: str
    """As it was typed, LoRA tags included; of one picture (`picture`), as it is drawn."""
    negative_prompt: str
    styles: tuple[UsedStyle, ...] = ()
    """Put around the words of each picture, in order."""
    styled: UsedWords | None = None
    """Of one picture with styles (`picture`): the words that they were put around."""
    steps: int
    guidance_scale: float
    width: int
    height: int
    """With ``hires`` those of the first pass; with ``upscale`` those of the finished picture."""
    canvas: Pair | None = None
    """With ``mask``: the size that is drawn, where the picture's own is no multiple of the model's. The picture lies
    at the upper left and goes on beyond its edges; what is finished has its size again."""
    sampler: str
    seed: int
    """The first picture's."""
    variation: UsedVariation | None = None
    """The first picture's. The noise to begin with lies between that of ``seed`` and that of this one."""
    count: int = 1
    init_image: ResolvedInitImage | None = None
    strength: float | None = None
    """How much of ``init_image`` is drawn anew, above 0 and up to 1; ``null`` without one."""
    mask: ResolvedMask | None = None
    control: ResolvedControl | None = None
    hires: ResolvedHires | None = None
    upscale: ResolvedUpscale | None = None
    expand: bool = False
    """A language model is still to write the prompt; ``false`` once it has, or could not."""
    expansion: ResolvedExpansion | None = None
    structure: UsedStructure | None = None
    """What the prompt was joined of, or a language model asked with."""
    chance: UsedChance | None = None
    """What ``prompt`` and ``negative_prompt`` were drawn from; ``null``: nothing was drawn."""
    theme: str | None = None
    """Names the files."""
    loras: tuple[UsedLora, ...] = ()
    """Their order is part of the picture."""
    embeddings: tuple[UsedEmbedding, ...] = ()
    safety: bool = False
    """The safety checker has to look at the picture before it is kept."""
    preview: bool = False
    """Small previews while it is drawn."""
    film: bool = False
    """The early steps and the picture as an animation."""
    card: str | None = None
    """The name of the card that is to draw it if it can; none of what makes the picture."""
    describe: bool = False
    """The captioner says what it shows, once it is drawn."""
    sheet: ResolvedSheet | None = None
    """All pictures come on one contact sheet as well; of one picture (`picture`) always ``null``."""
    notes: tuple[str, ...] = ()
    """What was changed, ignored or fallen back to, as sentences for people."""
    asked: Asked = ImageOptions()
    each: tuple[Differences, ...] = ()
    """Where its pictures differ in more than their seed: what each has in place of this request's. Each is a request of
    its own (`picture`), and this one is the first one's, with the notes that all have."""

    sweep: tuple[UsedAxis, ...] = ()
    """What the pictures of ``each`` differ in, across and down: they are the fields of a grid, row by row."""

    def picture(self, index: int) -> ResolvedRequest:
        """The request of one of its pictures, which may differ in everything where ``each`` says so. Else each has the
        next seed; but with a variation all share the job's seed, as in AUTOMATIC1111's web UI, and that of the
        variation counts up: each is a variation of the same picture."""
        if self.each:
            return self.single(index).picture(0)
        one = self._in_style(self._prompt(index))
        if one.variation is None:
            return one.model_copy(update={"seed": seed_of(self.seed, index), "sheet": None})
        varied = one.variation.model_copy(update={"seed": seed_of(one.variation.seed, index)})
        return one.model_copy(update={"variation": varied, "sheet": None})

    def _in_style(self, prompt: str) -> Self:
        """With these words. A language model writes before styles are put around them."""
        if not self.styles:
            return self.model_copy(update={"prompt": prompt})
        before = Words(prompt, self.negative_prompt)
        drawn = styled(before, self.styles)
        words = UsedWords(prompt=before.prompt, negative_prompt=before.negative_prompt)
        return self.model_copy(
            update={"prompt": drawn.prompt, "negative_prompt": drawn.negative_prompt, "styled": words}
        )

    def single(self, index: int) -> Self:
        """One of the pictures of ``each`` as a request of its own, which stands for the job's with its words as typed.

        :raises ValidationError: a client sent something that makes no request
        """
        whole = self.model_dump(mode="json", exclude={"each", "count", "sweep"})
        return self.model_validate({**whole, **self.each[index]})

    def _prompt(self, index: int) -> str:
        written = self.expansion.prompts if self.expansion is not None else ()
        return written[index % len(written)] if written else self.prompt


def joined(pictures: Sequence[ResolvedRequest], sweep: Sequence[UsedAxis] = ()) -> ResolvedRequest:
    """One request of several that are one picture each; `ResolvedRequest.single` gives them back."""
    first = pictures[0]
    notes = tuple(note for note in first.notes if all(note in one.notes for one in pictures))
    whole = first.model_copy(update={"notes": notes})
    common = whole.model_dump(mode="json")
    each = tuple(
        {name: value for name, value in one.model_dump(mode="json").items() if value != common[name]}
        for one in pictures
    )
    return whole.model_copy(update={"count": len(pictures), "each": each, "sweep": tuple(sweep)})


class ResolvedChat(Fixed):
    """A chat turn, but for what was said: that is kept apart, because it is forgotten earlier."""

    v: Literal[1] = 1
    model: str
    """May be ``""`` while nobody knows what the chat server has: its default then."""
    named: bool = True
    """Somebody asked for this model. Else it was the default when the turn was submitted, and the one that is the
    default when it runs answers."""
    pictures: tuple[str, ...] = ()
    """Ids of those that the conversation names: they stay while it is open."""
    left_out_told: bool = False
    """As in the request."""
    draws: bool = False
    """The model may ask for a picture."""
    sampling: Sampling = Sampling()


class ResolvedDescription(Fixed):
    """A picture that is to be described. Who does it is found when it is its turn."""

    v: Literal[1] = 1
    pictures: tuple[str, ...] = ()
    """Its id; gone an hour after the end."""


def seed_of(first: int, index: int) -> int:
    """The seed of picture ``index`` of a job whose first picture has ``first``."""
    return (first + index) % (MAX_SEED + 1)
