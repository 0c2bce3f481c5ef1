"""Sentences about input pictures that are missing or unusable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .refusals import refused
from .usage import command

if TYPE_CHECKING:
    from ..errors import WorkerRefused

START_DELETED = "The message that I was to start from was deleted. Please send the picture again."
START_UNREADABLE = "I cannot read the message that I was to start from. Please send the picture again."
START_NO_PICTURE = "I can start from a picture only (PNG, JPEG, WebP or GIF), and that is none."
START_BROKEN = "I cannot open that picture: it is damaged, or no PNG, JPEG, WebP or GIF."
START_GONE = "The homeserver does not have that picture any more. Please send it again."
START_AWAY = "The homeserver could not give me that picture. Please try again later, or send it again."
START_SMALL = "That picture is too small to start from."
START_CUT_OFF = "That picture is cut off: its end is missing. Please send the whole of it again."
START_COMPLEX = (
    "That picture takes too long to read: it goes over its pixels too often, or is made of too many parts. Please save "
    "it anew with any program and send that."
)
START_PIXELS = "That picture has too many pixels to start from. Please send it smaller."
START_OLD_WORKER = "The worker is too old to start from a picture. The operator has to update it."

INPAINT_NO_HOLES = (
    "Nothing in that picture is transparent, so I cannot tell what to draw anew. Please erase that part of it in an "
    "editor and send it as a PNG or WebP."
)
INPAINT_OLD_WORKER = "The worker is too old to draw only a part of a picture anew. The operator has to update it."


def inpaint_needs_a_picture(prefix: str) -> str:
    return (
        "`--inpaint` draws the transparent parts of a picture anew, and there is none here: reply to one with "
        f"{command(prefix, 'draw … --inpaint')}, or write the command as the caption of one."
    )


def upscale_needs_a_picture(prefix: str) -> str:
    return (
        f"That is no picture that I could make larger. Reply to one with {command(prefix, 'upscale')}, or write the "
        "command as the caption of one."
    )


def upscale_is_that_picture(flag: str, prefix: str) -> str:
    """``flag``: one that asks for another picture."""
    return (
        f"An upscaled picture is that picture, only larger, so `--{flag}` has no place there. "
        f"{command(prefix, 'upscale 4')} makes it four times as large."
    )


def upscaled_not_varied(prefix: str) -> str:
    return (
        "An upscaled picture has no variations of its own: reply to the picture that it was made from, and "
        f"{command(prefix, 'upscale')} the one that you like."
    )


CONTROL_OLD_WORKER = "The worker is too old to be steered by a picture. The operator has to update it."


def control_needs_a_picture(prefix: str) -> str:
    return (
        "`--control` lets a picture steer what I draw, and there is none here: reply to one with "
        f"{command(prefix, 'draw … --control canny')}, or write the command as the caption of one."
    )


def control_is_no_start(flag: str) -> str:
    """``flag``: one that is about a picture to start from."""
    return (
        f"`--{flag}` is about a picture to start from, and with `--control` the picture only steers. Please keep one "
        "of them."
    )


def start_too_large(most: int) -> str:
    """``most``: bytes."""
    return f"That picture is too large to start from: I take at most {most / 1e6:.3g} MB. Please send it smaller."


def strength_needs_a_picture(prefix: str) -> str:
    return (
        "`--strength` says how much of a picture changes, and there is none here: reply to one with "
        f"{command(prefix, 'draw …')}, or write the command as the caption of one."
    )


def start_lost(prefix: str) -> str:
    """For a picture whose init image cannot be found any more."""
    return (
        "That picture was drawn from another one, and I do not find which. Reply to the one to start from with "
        f"{command(prefix, 'draw …')}."
    )


_REFUSALS = {
    "picture_unreadable": START_BROKEN,
    "unsupported_media_type": START_BROKEN,
    "picture_too_large": START_PIXELS,
    "picture_too_small": START_SMALL,
    "picture_too_complex": START_COMPLEX,
    "picture_cut_off": START_CUT_OFF,
    "not_found": START_OLD_WORKER,
    "method_not_allowed": START_OLD_WORKER,
}


def start_refused(refusal: WorkerRefused, most: int) -> str:
    """The worker refused the picture; ``most`` as in :func:`start_too_large`."""
    if refusal.code == "too_large":
        return f"❌ {start_too_large(most)}"
    sentence = _REFUSALS.get(refusal.code)
    return f"❌ {sentence}" if sentence is not None else refused(refusal)
