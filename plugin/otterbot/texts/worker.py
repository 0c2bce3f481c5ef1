"""Sentences about the worker: connection, activity, warnings for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .escape import code, plain
from .jobs import count_of, paused, plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker.info import Gpu, Info, Lane, Lease

WORKER_OFF = (
    "💤 The worker, the machine with the graphics card, does not answer: it is probably off. "
    "What you ask for is kept and done when it is back."
)
WORKER_REFUSES_TOKEN = (
    "⚠️ The worker is on but does not accept my token. The operator has to put the worker's token into `worker.token` "
    "or `worker.token_file`. What you ask for is kept meanwhile."
)
WORKER_FOREIGN = (
    "⚠️ Something else than the worker answers at `worker.url`, a proxy or a login page perhaps. The operator has to "
    "look at that address. What you ask for is kept meanwhile."
)
PICTURES_SPOILED = (
    "Something else than the picture comes from `worker.url` when I fetch one: half of it, or a page of a proxy or a "
    "login. I fetch it again until it is whole. The operator should look at what stands between me and the worker."
)
STREAM_SILENT = (
    "The worker answers, but its event stream brings nothing: a proxy in between may hold it back. I ask every few "
    "seconds instead, so pictures come, only without their progress at each step. The operator should switch off that "
    "proxy's buffering for `/v1/events`."
)
SYNC_WARNING = (
    "Maubot syncs this client itself, so messages can be lost while it restarts. The operator should set `sync: false` "
    "for the client; the README says how."
)

KEYS_NOT_DURABLE = (
    "A power cut could make messages unreadable: the database with this account's encryption keys cannot be made to "
    "write at once. The operator should give Maubot's `crypto_database` an SQLite file on a local disk, or PostgreSQL."
)


def too_old_for_default(flag: str) -> str:
    """A room or the instance has a default for ``flag``."""
    return f"This worker is too old for {code(flag)}, so what is usual here is left out; its operator has to update it."


def kept_here(number: int) -> str:
    return f"Kept for it in this room: {count_of(number, 'request', 'requests')}."


def status(info: Info, *, chat: str | None, whole: bool) -> list[str]:
    """What the worker is and does, each thing in a line; ``chat``: what is said of chat. Not ``whole``: as short as a
    phone is narrow."""
    lines = [_activity(info)]
    apart = len(info.lanes) > 1 or any(lane.elsewhere for lane in info.lanes)
    lines += [_lane(lane, whole=whole) for lane in info.lanes] if apart else [_card(info)]
    shared = _lease(info.lease) if info.lease is not None and whole else ""
    waiting = info.queued + info.running
    queue = f"Queue: {count_of(waiting, 'picture or answer', 'pictures and answers')}" if waiting else "Queue: empty"
    lines += [shared, queue] if shared else [queue]
    if chat is not None:
        lines.append(f"Chat: {chat}")
    if whole:
        lines.append(f"Worker {plain(info.version, 40)}")
    lines.append(f"Default model: {code(info.default_model)}")
    return lines


def told_before(number: int, prefix: str) -> str:
    """In place of warnings that the room has read today."""
    return f"{count_of(number, 'warning', 'warnings')} as before: {command(prefix, 'status all')}"


def _activity(info: Info) -> str:
    if info.pause.paused:
        return f"{paused(info.pause)} What you ask for is kept and done when it is free again."
    gpu = next((lane.gpu for lane in info.lanes if lane.busy), info.gpu)
    resident = f" {code(gpu.resident)}" if gpu.resident else ""
    match gpu.state:
        case "drawing":
            return f"🎨 Drawing with{resident}." if resident else "🎨 Drawing."
        case "loading":
            return f"⏳ Loading{resident}." if resident else "⏳ Loading a model."
        case _ if info.running:
            return "💭 Answering a chat."
    return f"✅ Ready, with{resident} loaded." if resident else "✅ Ready."


def _lane(lane: Lane, *, whole: bool) -> str:
    """One card of several."""
    if lane.paused:
        doing = "paused"
    elif lane.rests:
        doing = f"rests for a while. {plain_sentence(lane.rests)}"
    else:
        doing = "at work" if lane.busy else "free"
        doing += f", with {code(lane.gpu.resident)}" if lane.gpu.resident else ""
    known = f"{plain(lane.gpu.name, 80)}{_memory(lane.gpu)}: " if whole and lane.gpu.name else ""
    return f"{code(lane.name)}: {known}{doing}"


def _memory(gpu: Gpu) -> str:
    if not gpu.total_bytes:
        return ""
    whole = f"{gpu.total_bytes / 2**30:.1f} GiB"
    return f", {whole}" if gpu.free_bytes is None else f", {gpu.free_bytes / 2**30:.1f} of {whole} free"


def _card(info: Info) -> str:
    gpu, memory = info.gpu, _memory(info.gpu)
    if gpu.device == "cpu":
        name = f" ({plain(gpu.name, 80)}{memory})" if gpu.name not in ("", "cpu") else ""
        return f"No graphics card; the processor draws{name}"
    known = gpu.name or ("" if gpu.device == "auto" else gpu.device)
    return f"Card: {plain(known, 80) or 'not looked at yet'}{memory}"


def _lease(lease: Lease) -> str:
    """Who is on the card with how much of it, and whether the picture model and the chat model stay together."""
    there = [f"{code(one.name)}{_with(one.bytes)}" for one in (lease.image, *(lease.chat or ())) if one is not None]
    unknown = "" if lease.chat is not None else " What the chat model has of the card, nobody could say."
    said = f"On the card: {' and '.join(there)}." if there else ""
    if lease.mode == "exclusive":
        terms = "Picture model and chat model take turns, as the worker's settings want it."
    elif lease.together is None:
        terms = ""
    elif lease.together:
        terms = "Picture model and chat model stay together."
    else:
        terms = f"Picture model and chat model take turns. {plain_sentence(lease.why or '')}"
    return f"{said}{unknown} {terms}".strip()


def _with(count: int | None) -> str:
    return "" if count is None else f" with {count / 2**30:.1f} GiB"


def chat_off_at_worker() -> str:
    return "switched off on the worker"


def chat_ready(model: str | None, notice: str | None = None) -> str:
    ready = f"ready, with {code(model)}" if model else "ready"
    return f"{ready}. {plain_sentence(notice)}" if notice else ready


def chat_cannot(problem: str | None, backend: str | None = None) -> str:
    return f"⚠️ {plain_sentence(problem)}" if problem else f"⚠️ {plain(backend or 'Ollama', 60)} does not answer"


def chat_model_not_there(model: str, backend: str | None = None) -> str:
    """``backend``: what answers chats now; of an older worker, Ollama."""
    fetch = f"fetch it with {code(f'ollama pull {model}')}, or " if backend in (None, "Ollama") else ""
    return (
        f"⚠️ {code(model)}, which this room or the bot's settings ({code('chat.model')}) name, is not among the "
        f"worker's chat models. The operator can {fetch}name another one."
    )


def chat_unsure(model: str) -> str:
    return f"with {code(model)}; the worker did not say whether it is installed"
