"""What a resolved request, and a record, are made of: LoRAs, styles, words before they were changed, pictures to start
from, second passes, sheets."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue

Pair = tuple[int, int]
"""Width and height, in pixels."""


class Fixed(BaseModel):
    """Never changed once it is made. Bounds are not checked again: rows that were accepted once go on."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_serialization_defaults_required=True,
        ser_json_inf_nan="constants",
    )


class UsedLora(Fixed):
    name: str
    weight: float
    hash: str
    """SHA-256 of the file, in hex."""
    autov3: str
    """The first 12 digits of the SHA-256 of its tensors alone: by this the tools of the field know it."""


class UsedEmbedding(Fixed):
    token: str
    """The word of the prompt that stood for it, in small letters."""
    name: str
    hash: str
    """SHA-256 of the file, in hex."""


class UsedVariation(Fixed):
    seed: int
    strength: float


class ResolvedInitImage(Fixed):
    """The picture that the drawing starts from (image to image, inpainting, upscaling)."""

    id: str
    """SHA-256 of the bytes that were sent."""
    width: int
    height: int
    """As it was sent, the right way up."""


class ResolvedMask(Fixed):
    id: str
    """SHA-256 of the bytes that were sent; that of ``init_image`` where its own transparency is the mask."""
    alpha: bool
    """Its transparency says where to draw anew; else its brightness."""


class UsedStyle(Fixed):
    """A style as it was when the request was accepted."""

    name: str
    prompt: str = ""
    negative_prompt: str = ""


class UsedWords(Fixed):
    """A picture's words before its styles were put around them."""

    prompt: str
    negative_prompt: str


class UsedExpansion(Fixed):
    """A language model has written the prompt."""

    prompt: str
    """What it was asked with."""
    model: str
    """The language model's name."""


class UsedChance(Fixed):
    """Words were drawn by chance, by the picture's seed."""

    prompt: str | None = None
    """What the prompt was drawn from; ``null``: it is nobody's draw."""
    negative_prompt: str | None = None


class ResolvedExpansion(UsedExpansion):
    prompts: tuple[str, ...] = ()
    """What it wrote: picture k has the one after the one of picture k - 1, and from the last one on the first again.
    Empty: ``prompt`` of the request is what it wrote, in an earlier request."""


class UsedAxis(Fixed):
    """One direction of a sweep."""

    field: str
    name: str | None = None
    """Of the LoRA."""
    values: tuple[JsonValue, ...]


class ResolvedControl(Fixed):
    """A ControlNet and the picture that steers it."""

    kind: str
    """``canny``, or the name that was asked for."""
    id: str
    """SHA-256 of the picture that was sent."""
    scale: float
    start: float
    end: float
    """Between which shares of the steps it steers."""
    width: int
    height: int
    """Of the picture, as it was sent."""
    name: str
    """The ControlNet's."""
    hash: str | None
    """16 hex digits, as in a record; ``null``: its file is still to be fetched."""
    hub: str | None
    """The repository that it comes from; ``null``: a file of the operator's."""


class ResolvedHires(Fixed):
    """The second pass: the picture is enlarged and drawn once more."""

    scale: float
    strength: float
    steps: int
    upscaler: str
    width: int
    height: int
    """The finished picture's."""
    tile: Pair
    """What is drawn in one go: the whole where nothing is cut."""


class ResolvedUpscale(Fixed):
    """``init_image`` is enlarged and drawn once more, in tiles where it is too large."""

    factor: int
    tile: Pair


class ResolvedSheet(Fixed):
    """The contact sheet of a job's pictures. A field is called by its number, from 1; with titles of columns and rows
    by column and row, as ``B3``."""

    columns: int
    column_titles: tuple[str, ...] = ()
    row_titles: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    """One below each picture, or none."""
    caption: str = ""

    def name(self, index: int) -> str:
        """What the field of picture ``index`` is called."""
        return field_name(index, self.columns if self.column_titles and self.row_titles else None)


def field_name(index: int, across: int | None) -> str:
    """``2``, or with so many pictures in a row ``B3``, which is the third one of the second column."""
    if across is None:
        return str(index + 1)
    row, column = divmod(index, across)
    return f"{column_letters(column)}{row + 1}"


def column_letters(column: int) -> str:
    """``A`` to ``Z``, then ``AA``, as spreadsheets have it; ``column`` from 0."""
    letters = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters
