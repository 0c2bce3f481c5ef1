"""The frames of a picture's film, kept in memory while it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from ..archive.films import Frames
from ..schemas.resolved import ResolvedRequest

MOST = 64
"""Frames; the engine sends fewer."""
MOST_BYTES = 256 * 1024
"""Of one frame; the engine's are a tenth of that."""
NONE = "There is no film"
"""How each note begins that says so."""


class Reel:
    """Of one attempt at one picture."""

    def __init__(self) -> None:
        self._frames: list[tuple[int, bytes]] = []

    def add(self, jpeg: bytes, step: int) -> None:
        """``step`` as in `gpu.messages.Preview.frame`."""
        if not step or len(jpeg) > MOST_BYTES:
            return
        while self._frames and self._frames[-1][0] >= step:  # begun anew, in another way
            self._frames.pop()
        if len(self._frames) < MOST:
            self._frames.append((step, jpeg))

    def frames(self, request: ResolvedRequest) -> Frames | None:
        """``None`` where no film was asked for."""
        if not request.film:
            return None
        jpegs = [jpeg for _, jpeg in self._frames]
        if request.canvas is None:
            return Frames(jpegs=jpegs)
        across, down = request.width / request.canvas[0], request.height / request.canvas[1]
        return Frames(jpegs=jpegs, shown=(across, down))


def reel_notes(notes: Sequence[str]) -> list[str]:
    """What is to be added to a picture's ``notes`` where it has no film: nothing, if they say why."""
    return [] if any(note.startswith(NONE) for note in notes) else [f"{NONE}: it could not be made."]
