"""``python -m otterbot_worker.inputs.check SOURCE TARGET PIXELS``: somebody's picture → a plain RGB PNG.

Runs as a process of its own under kernel limits (memory, time): a hostile file can crash, fill or stall a decoder, and
then hurts this process alone. Before anything is decoded, sizes are read from the header and the file's scans and parts
are counted (``complexity``), and what lies around the pixels is left out (``whole``). Only four formats are tried,
whatever the file is called. The result has no metadata (no GPS position), sRGB colours (``colours``), no transparency
(white behind it), one frame, and the right orientation. Transparency is kept beside it as a grey PNG of the same size
at `mask_path`: white is transparent, black opaque.

Prints one line of JSON: the fields of ``Converted``, ``{"code"}``, one of ``CODES``, or ``{"errno"}`` where the disk
is to blame.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import resource
import signal
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import colours, complexity, named_colours
from .whole import Whole, whole

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MIN_SIDE = 16
MAX_SIDE = 16_384
KEPT_SIDE = 2_048
"""Pixels of the shorter side that are kept: no model draws more, and a phone's photo takes a fifth of the space."""
UNREADABLE, TOO_LARGE, TOO_SMALL = "picture_unreadable", "picture_too_large", "picture_too_small"
TOO_COMPLEX, CUT_OFF = "picture_too_complex", "picture_cut_off"
CODES = (UNREADABLE, TOO_LARGE, TOO_SMALL, TOO_COMPLEX, CUT_OFF)
OPAQUE = 128
"""Alpha (of 255) from which a pixel counts as opaque."""

MEMORY_BYTES = 1536 * 1024 * 1024
FILE_BYTES = 256 * 1024 * 1024
CPU_SECONDS = 10
"""Limit of processor time. The slowest honest picture, 40 megapixels of transparent WebP, takes 3 s on a server."""
_PR_SET_PDEATHSIG = 1


_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""EXIF orientation → the transposition that undoes it."""


class Refused(Exception):
    """``code`` is one of ``CODES``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Converted(NamedTuple):
    """Width and height in pixels as sent, the right way up."""

    width: int
    height: int
    alpha: bool
    """It has transparency, kept at `mask_path`."""
    animated: bool
    """It is animated; the first frame is kept."""
    colours: colours.Colours = ""
    """What became of its colour profile."""


def mask_path(target: str) -> str:
    """The path of the transparency mask that belongs to ``target``."""
    return f"{target.removesuffix('.png')}.mask.png"


def convert(source: str, target: str, max_pixels: int) -> Converted:
    """What was made of the picture.

    :raises Refused: :raises OSError: ``target`` cannot be written
    """
    sent = Path(source).read_bytes()
    if complexity.too_complex(sent):
        raise Refused(TOO_COMPLEX)
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = max_pixels
    found = whole(sent, max_pixels)
    try:
        # Pillow only warns up to twice its limit: make it an error, for frames larger than the header says.
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(found.data), formats=FORMATS) as picture:
            _check_size(picture.size, max_pixels)
            if found.lacks:
                raise Refused(CUT_OFF)
            animated = found.animated or _animated(picture)
            plain, holes, coloured = _plain(picture, found)
            size = plain.size
            kept, mask = _smaller(plain), None if holes is None else _smaller(holes)
    except (Refused, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused(TOO_LARGE) from None
    except Exception:
        # Broken files make decoders raise anything: OSError, SyntaxError, ValueError, struct.error…
        raise Refused(CUT_OFF if found.cut_off else UNREADABLE) from None
    if mask is not None:
        mask.save(mask_path(target), "PNG", compress_level=1)
    kept.save(target, "PNG", compress_level=1)
    return Converted(*size, alpha=mask is not None, animated=animated, colours=coloured)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    """By the header alone: nothing has been decoded yet."""
    width, height = size
    if max(size) > MAX_SIDE or width * height > max_pixels:
        raise Refused(TOO_LARGE)
    if min(size) < MIN_SIDE:
        raise Refused(TOO_SMALL)


def _animated(picture: Any) -> bool:
    """Whether it is animated. A phone's JPEG with a second image (gain map, stereo) is not."""
    if picture.format not in ("GIF", "WEBP", "PNG"):
        return False
    try:
        return bool(picture.is_animated)
    except Exception:
        return False  # later frames are broken, but only the first is used


def _plain(picture: Any, found: Whole) -> tuple[Image.Image, Image.Image | None, colours.Colours]:
    """The first frame in sRGB, turned as its EXIF data say, on white where one could see through it; and its holes."""
    from PIL import Image

    picture.seek(0)
    picture.load()
    flat: Image.Image = picture
    holes: Image.Image | None = None
    if flat.mode.startswith("I"):  # 16 bits of grey; a plain conversion would cut them off at 255
        flat = flat.convert("I").point(lambda value: value / 256).convert("L")
    if flat.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in flat.info:
        flat = flat.convert("RGBA")
    profile = found.profile or picture.info.get("icc_profile") or (None if found.has_profile else _of_camera(picture))
    # Convert first: the white behind it is sRGB's.
    flat, coloured = colours.to_srgb(flat, profile, lost=found.has_profile and not profile)
    if flat.mode == "RGBA":
        holes = _holes(flat.getchannel("A"))
        flat = Image.alpha_composite(Image.new("RGBA", flat.size, "white"), flat).convert("RGB")
    try:
        orientation = picture.getexif().get(0x0112)
    except Exception:  # hostile EXIF data: only the orientation would be used
        orientation = None
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    if turn is not None:
        flat = flat.transpose(Image.Transpose[turn])
        holes = None if holes is None else holes.transpose(Image.Transpose[turn])
    flat.info.clear()
    return flat, holes, coloured


def _of_camera(picture: Any) -> bytes | None:
    """The profile of the colours that its EXIF data name."""
    try:
        return named_colours.of_exif(picture.getexif())
    except Exception:  # hostile EXIF data: draw on without the profile
        return None


def _holes(alpha: Image.Image) -> Image.Image | None:
    """Transparency as brightness; ``None`` where every pixel is more opaque than not."""
    from PIL import ImageChops

    holes = ImageChops.invert(alpha)
    return holes if any(holes.histogram()[OPAQUE:]) else None


def _smaller(picture: Image.Image) -> Image.Image:
    from PIL import Image

    scale = KEPT_SIDE / min(picture.size)
    if scale >= 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def _limit_oneself() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    with contextlib.suppress(OSError, ValueError):
        # The soft limit's signal tells the parent why it ended.
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))


def main(arguments: list[str]) -> int:
    source, target, max_pixels = arguments
    _limit_oneself()
    try:
        made = convert(source, target, int(max_pixels))
    except Refused as refusal:
        print(json.dumps({"code": refusal.code}))
    except MemoryError:
        print(json.dumps({"code": TOO_LARGE}))
    except OSError as error:
        print(json.dumps({"errno": error.errno}))
    else:
        print(json.dumps(made._asdict()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
