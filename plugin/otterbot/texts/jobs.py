"""Sentences about requests: progress, and how they ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import numeric
from ..clock import steady
from .escape import code, plain

if TYPE_CHECKING:
    from ..worker.info import Pause
    from ..worker.jobs import Failure, Job, Progress

ACK = "⏳"
DONE = "✅"
FAILED = "❌"
SAME = "☝️"
"""Reaction for a repeated question, whose answer is above or about to come."""


def duration(seconds: float) -> str:
    """``1 s``, ``45 s``, ``3 min``, ``2 h``: never zero, never finer than it is known."""
    if numeric.number(seconds) is None:
        return "some time"
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"


def count_of(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def typed(prefix: str, command: str) -> str:
    """A command as people type it here: ``!draw``, ``otter: draw``."""
    space = " " if prefix[-1:].isalnum() or len(prefix) > 1 else ""
    return f"{prefix}{space}{command}"


_OVER = ("succeeded", "failed", "cancelled")

# ---------------------------------------------------------------- while it goes on


def status_line(job: Job, pause: Pause | None = None, *, notes: Sequence[str] = ()) -> str:
    """One line that says where an accepted job stands. ``notes`` are what was changed at the start."""
    line = _place_or_progress(job, pause)
    return " ".join((line, *notes)) if notes else line


def _place_or_progress(job: Job, pause: Pause | None) -> str:
    if job.state == "running":
        return progress_line(job)
    if job.final:
        return done_line(job)
    if pause is not None and pause.paused:
        return f"{paused(pause)} I keep this and start when it is free again."
    many = f" {count_of(len(job.pictures), 'picture', 'pictures')}." if len(job.pictures) > 1 else ""
    where = f"⏳ In the queue, {job.place} before this.{many}" if job.place else f"⏳ Next in the queue.{many}"
    return where if job.eta_s is None else f"{where} Done in about {duration(job.eta_s)}."


def progress_line(job: Job) -> str:
    """What is being done right now: loading, step n of N, thinking."""
    if job.turn is not None:
        return thinking(job.turn.progress)
    if job.description is not None:
        return f"👀 {_looking(job.description.progress)}{_left(job.eta_s)}"
    total = len(job.pictures)
    running = next((picture for picture in job.pictures if picture.state == "running"), None)
    # They are not always drawn in the order in which they are counted.
    at = 0 if running is None else 1 + sum(picture.state in _OVER for picture in job.pictures)
    which = f"Picture {at} of {total}: " if total > 1 and at else ""
    progress = running.progress if running is not None else None
    said = _doing(progress, str(job.request.get("model") or ""))
    return f"🎨 {which}{said if not which else said[:1].lower() + said[1:]}" + _left(job.eta_s)


def _doing(progress: Progress | None, model: str) -> str:
    if progress is None or progress.phase == "starting":
        return "Getting ready."
    if progress.phase == "writing":
        return "Writing the prompt."
    if progress.phase == "downloading":
        of = f": {progress.step / 1e9:.1f} of {progress.steps / 1e9:.1f} GB" if progress.steps else ""
        return f"Downloading {code(model) if model else 'the model'}{of}."
    if progress.phase == "loading":
        return f"Loading {code(model)}." if model else "Loading the model."
    if progress.phase == "denoising":
        return f"Step {progress.step}/{progress.steps}."
    return "Finishing."


def _looking(progress: Progress | None) -> str:
    if progress is not None and progress.phase == "downloading":
        return _doing(progress, "")
    if progress is not None and progress.phase == "loading":
        return "Loading the model that sees."
    return "Looking at the picture."


def _left(eta: float | None) -> str:
    return "" if eta is None or eta < 1 else f" About {duration(eta)} left."


def thinking(progress: Progress | None = None) -> str:
    """The placeholder of a chat answer, and its status."""
    if progress is not None and progress.phase == "loading":
        return "💭 Loading the chat model. The first answer takes a little longer."
    return "💭 Thinking…"


def paused(pause: Pause) -> str:
    until = "" if pause.until is None else f" for about {duration(pause.until - steady())} more"
    return f"⏸️ The graphics card is needed for something else{until}."


def kept(expires_at: float, *, now: float) -> str:
    """The worker cannot be reached; both are Unix time, by the same clock."""
    left = duration(expires_at - now)
    return f"💤 The machine with the graphics card is off. I keep this and start when it is back, for up to {left}."


def kept_disk_full(expires_at: float, *, now: float) -> str:
    """Of a request that was kept before; a new one is refused. Both are Unix time, by the same clock."""
    left = duration(expires_at - now)
    return f"💾 The worker's disk is full. I keep this and start when the operator has made room, for up to {left}."


KEPT_UNAUTHORIZED = (
    "💤 I keep this: the worker does not accept my token, so I cannot pass it on. "
    "The operator has to correct `worker.token`."
)
KEPT_FOREIGN = (
    "💤 I keep this: something else than the worker answers at its address, a proxy or a login page perhaps. "
    "The operator has to look at `worker.url`."
)
SUBMITTING = "⏳ Passing it on…"

# ---------------------------------------------------------------- how it ended


def done_line(job: Job, *, took: float | None = None) -> str:
    """The one short line that the status becomes."""
    if job.state == "cancelled":
        return CANCELLED
    failures = [picture.error for picture in job.pictures if picture.state == "failed" and picture.error is not None]
    if job.turn is not None and job.turn.error is not None:
        failures.append(job.turn.error)
    if job.description is not None and job.description.error is not None:
        failures.append(job.description.error)
    drawn = sum(picture.state == "succeeded" for picture in job.pictures)
    if failures and not drawn:
        return failed(failures[0])
    if failures:
        return f"⚠️ {drawn} of {len(job.pictures)} drawn. For the rest: {failure_sentence(failures[0])}"
    if took is None:
        took = sum(seconds_taken(picture.result.record) for picture in job.pictures if picture.result is not None)
        if job.description is not None and job.description.result is not None:
            took = job.description.result.took
    return f"✅ Done in {duration(took)}." if took else "✅ Done."


def seconds_taken(record: Mapping[str, Any]) -> float:
    """Seconds measured by the worker; 0 if there are none."""
    return numeric.number(record.get("took")) or 0.0


CANCELLED = "🛑 Cancelled."
EDITED = "✏️ Taken back, because you changed the message. The new one is coming."
EDIT_TOO_LATE = "I had begun with that already, so the edit changes nothing. Please send it as a new message."

UPLOADING = "⏳ Putting it into the room…"
TOO_LARGE_TO_POST = "❌ The picture is larger than this homeserver accepts. Please try a smaller `--size`."
UPLOAD_REFUSED = (
    "❌ The picture is drawn, but this homeserver takes no more files from me for now: its limit for uploads may be "
    "reached. Please ask again later, or ask the homeserver's administrator."
)
PICTURE_GONE = "❌ The picture left the worker's archive before I could post it. Please ask for it again."
NOT_POSTED = "❌ The homeserver did not take the picture."


def expired(
    hours: float, *, away: bool, unauthorized: bool, paused: bool, disk_full: bool = False, drawn: bool = False
) -> str:
    """A request has expired; the current obstacle is most likely the reason."""
    waited = duration(hours * 3600)
    if drawn:
        return (
            f"⌛ This is done, but in {waited} I could not put it into the room: between the worker, me and the "
            "homeserver something does not get through. Please ask again; the operator finds the reason in the log."
        )
    if unauthorized:
        return (
            f"⌛ For {waited} the worker has not accepted my token, so I could not pass this on and give it back. "
            "Please ask again when the operator has corrected `worker.token`."
        )
    if away:
        return (
            f"⌛ The machine with the graphics card was off for {waited}, so I give this back. "
            "Please ask again when it is on."
        )
    if paused:
        return (
            f"⌛ The graphics card was needed for something else for {waited}, so I give this back. "
            "Please ask again when it is free."
        )
    if disk_full:
        return (
            f"⌛ The worker's disk was full for {waited}, so I give this back. "
            "Please ask again when the operator has made room."
        )
    return f"⌛ This has waited for {waited}, and its turn has not come, so I give it back. Please ask again."


NOR_WHAT_FOLLOWS = "What was to follow from it does not come either."


def failed(failure: Failure) -> str:
    return f"❌ {failure_sentence(failure)}"


def failure_sentence(failure: Failure) -> str:
    """The worker's own sentence; ours where it sent none."""
    if failure.message:
        return plain_sentence(failure.message)
    return _FAILURES.get(failure.code, "That did not work. Please try again; the operator finds the reason in the log.")


def plain_sentence(text: str) -> str:
    """A sentence of the worker, in which only code type is allowed as markup."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return plain(text, 600)
    return "".join(
        code(part, 200) if index % 2 else plain_keeping_space(part) for index, part in enumerate(parts) if part
    )


def plain_keeping_space(text: str) -> str:
    start = " " if text[:1].isspace() else ""
    end = " " if text[-1:].isspace() and text.strip() else ""
    return start + plain(text, 600) + end


_FAILURES = {
    "poison": "The worker broke down over this twice, so I gave up on it. A smaller size or another model may help.",
    "out_of_memory": "The graphics card has too little memory for that. Please try a smaller `--size`.",
    "model_broken": "The files of that model are broken. Please choose another model.",
    "model_missing": "The files of that model are not on the worker.",
    "nan": "The model computed no picture. Another seed, sampler or CFG may help.",
    "worker_restarts": "The worker was restarted again and again over this, so I gave up. Please try again later.",
    "hang": "The worker got stuck over this. Please try again.",
    "ollama_unreachable": "What answers chats cannot be reached. Please try again later.",
    "chat_broke_off": "The answer broke off. Please ask again.",
    "chat_timeout": "The answer took too long. Please ask again, perhaps with a shorter question.",
    "chat_too_long": "That is too long for the chat model. Please send less.",
    "forgotten": "The worker has forgotten this, and it was too long ago to draw again. Please ask again.",
}
