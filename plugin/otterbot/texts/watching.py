"""What is said of pictures that are shown while they are drawn, and of how they were drawn."""

from __future__ import annotations

WATCH_ON = (
    "From now on pictures for this room are shown while they are drawn, in one message that goes when they are there. "
    "`--unwatched` leaves that out for one picture; in safe mode nothing is shown."
)
WATCH_OFF = "Pictures for this room come when they are drawn; `--watch` shows one before."
STILL_DRAWN = "That picture is still being drawn, and what is shown of it goes again. Please reply when it is there."
PREVIEW = "👀 Being drawn…"
"""Under what is shown of a picture meanwhile."""
WATCH_OLD_WORKER = "This worker is too old to show pictures while they are drawn; its operator has to update it."
FILM_OLD_WORKER = "This worker is too old for films; its operator has to update it. Without `--film` it is drawn."
FILM = "🎞️ How it was drawn."
