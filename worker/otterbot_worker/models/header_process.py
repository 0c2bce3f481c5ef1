"""``python -m otterbot_worker.models.header_process``: the headers of people's files, read where they hurt nobody.

A hostile header can take hours or all memory to read. Each reader has bounds of its own; kernel limits on this process
catch what they miss, so a file can hang, fill or kill only this process. ``header_reader`` asks it.

One line of JSON in, one out, in turn:

====  ====================================================================================
in    ``{"kind", "path", "options"}``; ``kind`` is a key of ``READERS``
out   ``{"found": {…}}``; ``{"bad": …}``, why it is of no use, the end of a sentence; or
      ``{"errno": …}`` or ``{"unread": [what, why]}``, where the system could not read it
====  ====================================================================================

Its first line says that it is ready. It ends when nobody asks any more.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import CannotLook
from . import checkpoint_probe, controlnets, headers, loras, plain_files, quantisation, vae_files
from .header_reader import READY

MEMORY_BYTES = 512 * 1024 * 1024
"""Memory limit; the largest honest header takes a fifth of it."""
CPU_SECONDS = 3.0
"""Processor time per file; an honest one takes 0.02 s."""
IDLE_SECONDS = 20.0
TOO_MUCH = "needs too much memory to be read, so it is left alone"
UNREADABLE = "cannot be read: its header makes no sense"

READERS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "model": checkpoint_probe.examined,
    "transformer": checkpoint_probe.examined_transformer,
    "lora": loras.examined_lora,
    "embedding": loras.examined_embedding,
    "controlnet": controlnets.examined,
    "decoder": vae_files.examined,
    "values": headers.examined_values,
    "part": quantisation.examined_part,
}


def answer(line: bytes) -> dict[str, Any]:
    """:raises MemoryError:"""
    asked = json.loads(line)
    try:
        return {"found": READERS[asked["kind"]](Path(asked["path"]), **asked["options"])}
    except headers.BadFile as error:
        return {"bad": str(error)}
    except plain_files.NotPlain as error:
        return {"bad": error.strerror}
    except OSError as error:
        return {"errno": error.errno}
    except CannotLook as error:  # at another needed file, such as an entry's settings
        return {"unread": [error.what, error.why]}
    except MemoryError:
        raise
    except Exception:
        # A reader's bounds did not suffice. The exception's message may quote the file.
        return {"bad": UNREADABLE}


def serve() -> None:
    while select.select([0], [], [], IDLE_SECONDS)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        exhausted = False
        try:
            said = json.dumps(answer(line))
        except MemoryError:
            said, exhausted = json.dumps({"bad": TOO_MUCH}), True
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(said.encode("ascii") + b"\n")
        sys.stdout.buffer.flush()
        if exhausted:
            return  # end: after a MemoryError the process is unreliable


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # the default action ends the process even inside C code
    for what, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    with contextlib.suppress(OSError):
        # Where memory runs out, the kernel should end this process, not the worker with the queue.
        Path("/proc/self/oom_score_adj").write_text("800")
    gc.disable()
    os.write(1, READY)
    serve()


if __name__ == "__main__":
    main()
