"""``python -m otterbot_worker.inputs.shown SIDE PICTURE…``: kept pictures → what a language model is shown of them.

Runs under the same limits as `check`, in a process of its own, since decoding eight of them takes seconds. Prints one
line of JSON: for each picture a JPEG in base64 whose longer side has ``SIDE`` pixels at most, or ``null`` where there
is none that can be read. The pictures are those that `check` has made: no metadata, the right way up, in sRGB.
"""

from __future__ import annotations

import base64
import io
import json
import sys

from .check import limit_oneself

QUALITY = 90


def shown(path: str, side: int) -> str | None:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as picture:
            small = picture.convert("RGB")
            small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    except (OSError, SyntaxError, ValueError):
        return None
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return base64.b64encode(out.getvalue()).decode()


def main(arguments: list[str]) -> int:
    side, *paths = arguments
    limit_oneself()
    print(json.dumps([shown(path, int(side)) for path in paths]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
