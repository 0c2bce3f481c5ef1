"""Converts a picture's colours to sRGB, which models and screens assume for untagged pixels.

A profile can be hostile, so this runs in the decoding process (``check``). An unusable profile is reported, and the
pixels are taken as sRGB.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

Colours = Literal["", "converted", "unread"]
"""Already sRGB; converted; the profile cannot be used."""
SAME = 3
"""Of 255. A profile that changes no pixel by more counts as sRGB, and the pixels stay unchanged."""
_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


class Plain(NamedTuple):
    picture: Image.Image
    """RGB, or RGBA if it was."""
    colours: Colours


def to_srgb(picture: Image.Image, profile: bytes | None, *, lost: bool = False) -> Plain:
    """``profile``: as it stands in the file; ``lost``: there was one."""
    alpha = picture.getchannel("A") if "A" in picture.getbands() else None
    plain = picture.convert("RGB")
    colours: Colours = "unread" if lost else ""
    if profile:
        made = _converted(picture, plain, profile)
        colours = "unread" if made is None else ""
        if made is not None and _differ(made, plain):
            plain, colours = made, "converted"
    if alpha is not None:
        plain.putalpha(alpha)
    return Plain(plain, colours)


def _converted(picture: Image.Image, plain: Image.Image, profile: bytes) -> Image.Image | None:
    """``None`` for a damaged profile, or one of another colour model than the picture's."""
    from PIL import ImageCms

    mode = _SPACES.get(profile[16:20])
    if mode is None or (mode == "CMYK") != (picture.mode == "CMYK"):
        return None
    if mode == "L" and plain.convert("L").convert("RGB").tobytes() != plain.tobytes():
        return None
    source = {"RGB": plain, "CMYK": picture}.get(mode) or plain.convert("L")
    try:
        made = ImageCms.profileToProfile(
            source,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except MemoryError:
        raise
    except Exception:
        return None
    return made


def _differ(one: Image.Image, other: Image.Image) -> bool:
    from PIL import ImageChops

    # The extrema of an RGB picture: least and greatest of each channel.
    return any(int(pair[1]) > SAME for pair in ImageChops.difference(one, other).getextrema())  # type: ignore[index]
