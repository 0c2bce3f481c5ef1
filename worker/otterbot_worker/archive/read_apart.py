"""``python -m otterbot_worker.archive.read_apart FD``: what somebody's file says of itself, as JSON in one line.

Runs as a process of its own under kernel limits (memory, time): a hostile file can fill or stall a reader, and then
hurts this process alone. ``FD`` is an open file that it has inherited, which lies on no disk.

Prints what `telling.everything` gives, or ``{"problem"}``, the end of a sentence that begins with the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ..inputs.check import limit_oneself
from . import reading, telling
from .containers import BadPicture

TOO_MUCH = "takes too much memory to be read"


def main(arguments: list[str]) -> int:
    limit_oneself()
    try:
        said = telling.everything(reading.read(Path(f"/proc/self/fd/{int(arguments[0])}")))
    except BadPicture as error:
        said = {"problem": str(error)}
    except MemoryError:
        said = {"problem": TOO_MUCH}
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
