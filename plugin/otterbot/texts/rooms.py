"""What commands answer: models, queue, cancel, status, permissions, and what cannot be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .escape import code, person, plain
from .jobs import count_of, paused, plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker_about import Info, Lora, Model

MAX_LORAS = 30
"""How many names a list shows."""

INTERNAL = (
    "Something went wrong on my side and I could not do that. Please try again; if it stays like this, "
    "the operator finds the reason in my log."
)
NO_ENCRYPTION = "I cannot encrypt in this room, so I post nothing here. The operator has to look at my encryption."


def greeting(prefix: str) -> str:
    """The one line on joining a room."""
    return (
        f"Hello, I am Otterbot: I draw ({command(prefix, 'draw otter, cowboy hat')}) and chat on the operator's own "
        f"graphics card. {command(prefix, 'help')} shows more; this room's moderators choose the model with "
        f"{command(prefix, 'model')}."
    )


# ---------------------------------------------------------------- drawing


def prompt_too_long(length: int, most: int) -> str:
    return f"That prompt has {length} characters; I take at most {most}. Please shorten it by {length - most}."


def negative_too_long(length: int, most: int) -> str:
    return f"What stands after `--no` has {length} characters; I take at most {most}."


def too_many_pictures(most: int) -> str:
    return f"Here I draw at most {count_of(most, 'picture', 'pictures')} at once: `--count {most}`."


def too_many_steps(most: int, model: str | None) -> str:
    who = f"{code(model)} takes" if model else "Here I take"
    return f"{who} at most {count_of(most, 'step', 'steps')}: `--steps {most}`."


def cfg_too_high(most: float, model: str) -> str:
    return f"{code(model)} takes a CFG of at most {most:g}: `--cfg {most:g}`."


def size_out_of_bounds(model: str, least: int, most: int, width: int, height: int) -> str:
    """``width`` and ``height``: what comes closest."""
    return f"{code(model)} draws sides from {least} to {most} pixels. The closest is `--size {width}x{height}`."


def too_many_pixels(model: str, width: int, height: int) -> str:
    return f"That is too large for {code(model)}. The most in this shape is `--size {width}x{height}`."


def size_rounded(model: str, width: int, height: int, multiple: int) -> str:
    """A note, not a refusal."""
    return f"The size became {width}×{height}: {code(model)} draws in multiples of {multiple}."


def unknown_model(name: str, near: Sequence[str], prefix: str) -> str:
    said = f"I do not know the model {code(name)}."
    meant = f" Did you mean {' or '.join(code(one) for one in near)}?" if near else ""
    return f"{said}{meant} {command(prefix, 'models')} lists them."


def chat_model_cannot_draw(name: str, prefix: str) -> str:
    return f"{code(name)} is a chat model and cannot draw. {command(prefix, 'models')} lists those that can."


def model_not_there(name: str, prefix: str) -> str:
    return f"The files of {code(name)} are not on the worker. {command(prefix, 'models')} shows what is there."


def model_broken(name: str, problem: str) -> str:
    return f"{code(name)} cannot be used. {plain_sentence(problem)}"


def room_model_gone(name: str, prefix: str) -> str:
    """The room's or the instance's default is not in the catalogue any more; a note, another one draws."""
    return f"The model set here, {code(name)}, does not exist any more; I took the worker's default instead."


def unknown_sampler(name: str, near: Sequence[str], known: Sequence[str]) -> str:
    if near:
        return f"I do not know the sampler {code(name)}. Did you mean {' or '.join(code(one) for one in near)}?"
    return f"I do not know the sampler {code(name)}. There are: {', '.join(code(one) for one in known)}."


def seed_same_needs_a_picture(prefix: str) -> str:
    return (
        f"`--seed same` keeps the seed of a picture that is there: {command(prefix, 'again --seed same')}. "
        "Here, give a number or leave it out."
    )


VARIED_BEFORE = "That picture is a variation itself; these are variations of the one that it was made from."


def how_much_varied(prefix: str) -> str:
    """To a flag that means something else."""
    return (
        "`--strength` is for pictures that were drawn from another one, and that one was not. How much is varied comes "
        f"right after the command: {command(prefix, 'vary 0.4')}."
    )


def no_picture(prefix: str) -> str:
    return f"I find no picture of mine in this room. Start with {command(prefix, 'draw otter, cowboy hat')}."


def not_a_picture(prefix: str) -> str:
    return (
        f"That message is not a picture that I drew. Reply to one of mine, or type {command(prefix, 'again')} alone "
        "for the last one."
    )


PICTURE_UNREADABLE = "I cannot read that picture's message, so I do not know how it was made. Please type it anew."


def record_unusable(prefix: str) -> str:
    return f"That picture does not say how it was made. Please type it anew with {command(prefix, 'draw …')}."


def model_returned(model: str) -> str:
    """A note after a change of model in ``!again``."""
    return f"Settings that nobody typed became those of {code(model)}."


# ---------------------------------------------------------------- models


def models(
    known: Sequence[Model], room_model: str | None, samplers: Sequence[str], loras: Sequence[Lora], prefix: str
) -> str:
    """The list, the room's own marked."""
    lines = [_model_line(model, model.name == room_model) for model in known if model.kind == "image"]
    chats = [code(model.name) for model in known if model.kind == "chat"]
    said = "\n".join(lines) if lines else "The worker has no image models."
    if chats:
        said += f"\n\nFor chat: {', '.join(chats)}."
    if samplers:
        said += f"\n\nSamplers: {', '.join(plain(name) for name in samplers)}."
    said += _lora_lines([lora for lora in loras if lora.problem is None])
    return said + f"\n\nFor one picture: {command(prefix, 'draw otter --model NAME')}."


def _lora_lines(loras: Sequence[Lora]) -> str:
    said = ""
    kinds = (("lora", f"LoRAs, as {code('<lora:NAME:0.8>')} among the words"), ("embedding", "Embeddings, by name"))
    for kind, title in kinds:
        names = [_lora_name(lora) for lora in loras if lora.kind == kind]
        more = f" and {len(names) - MAX_LORAS} more" if len(names) > MAX_LORAS else ""
        said += f"\n\n{title}: {', '.join(names[:MAX_LORAS])}{more}." if names else ""
    return said


def _lora_name(lora: Lora) -> str:
    """With the word that brings it out, where that is another one."""
    triggers = [plain(word, 40) for word in lora.triggers[:1] if word.casefold() != lora.name.casefold()]
    return code(lora.name, 100) + "".join(f" ({word})" for word in triggers)


def _model_line(model: Model, here: bool) -> str:
    missing = "cannot be used" if model.problem else "files missing"
    marks = (["**draws here**"] if here else []) + ([] if model.available else [missing])
    about = (
        f": {plain_sentence(model.problem)}" if model.problem else f": {plain(model.about, 200)}" * bool(model.about)
    )
    defaults = ""
    if model.defaults is not None:
        size = f"{model.defaults.width}×{model.defaults.height}"
        defaults = (
            f" ({size}, {count_of(model.defaults.steps, 'step', 'steps')}, CFG {model.defaults.guidance_scale:g})"
        )
    marked = f" [{', '.join(marks)}]" if marks else ""
    return f"- {code(model.name)}{marked}{about}{defaults}"


def room_model(name: str | None, *, source: str, prefix: str) -> str:
    """``source`` is ``room``, ``instance`` or ``worker``; ``name`` is ``None`` where the worker's is not known yet."""
    if name is None:
        said = "The worker's default model draws here."
    elif source == "room":
        said = f"{code(name)} draws in this room."
    else:
        said = f"{code(name)} draws here, the default; this room has not chosen one."
    return f"{said} Moderators change it with {command(prefix, 'model NAME')}; {command(prefix, 'models')} lists them."


def model_set(name: str) -> str:
    return f"From now on {code(name)} draws in this room."


def model_set_unchecked(name: str) -> str:
    return (
        f"From now on {code(name)} draws in this room. The worker is off, so I could not look whether it has that "
        "model."
    )


def model_unset(name: str | None) -> str:
    return f"This room goes with the default again{f', {code(name)}' if name else ''}."


def may_not_set_model(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) set its model."


# ---------------------------------------------------------------- settings


def settings(model: str | None, safe: bool, prefix: str) -> str:
    """What holds in this room. ``model`` is ``None`` where the worker's default draws."""
    return (
        f"- Model: {code(model) if model else 'the worker’s default'}. {command(prefix, 'model NAME')} changes it.\n"
        f"- Safe mode: {_on(safe)}. {command(prefix, 'settings safe on')} or {command(prefix, 'settings safe off')} "
        "changes it.\n\nModerators may."
    )


def settings_usage(prefix: str) -> str:
    return (
        f"{command(prefix, 'settings')} shows what holds in this room. {command(prefix, 'settings safe on')}, "
        f"{command(prefix, 'settings safe off')} or {command(prefix, 'settings safe default')} says whether a safety "
        f"checker looks at its pictures; the model is changed with {command(prefix, 'model NAME')}."
    )


def safe_mode(safe: bool, prefix: str) -> str:
    return f"Safe mode is {_on(safe)} in this room. {command(prefix, f'settings safe {_on(not safe)}')} changes that."


def safe_mode_set(safe: bool) -> str:
    if safe:
        return "Safe mode is on: a safety checker looks at every picture for this room, and what it holds back is said."
    return "Safe mode is off: pictures for this room come as they are drawn."


def _on(value: bool) -> str:
    return "on" if value else "off"


def may_not_change_settings(level: int) -> str:
    return f"Only people with power level {level} or more in this room (moderators) change its settings."


POWER_UNKNOWN = "I could not look up who may do that in this room. Please try again in a moment."
MODELS_UNKNOWN = "The worker is off, and I have not seen its models yet. Please ask again when it is on."

# ---------------------------------------------------------------- queue and cancel

QUEUE_EMPTY = "Nothing is waiting in this room."


def queue_line(place: int, sender: str, what: str, where: str) -> str:
    """One request of this room; ``what`` is its prompt or empty for chat, ``where`` its place or phase."""
    said = f"“{plain(what, 60)}”" if what else "a chat answer"
    return f"{place}. {person(sender)}: {said}. {where}"


def queue(lines: Sequence[str], more: int, elsewhere: int, pause: str | None) -> str:
    said = "\n".join(lines) if lines else QUEUE_EMPTY
    if more:
        said += f"\n\nAnd {more} more here."
    if elsewhere:
        said += f"\n\nOther rooms: {count_of(elsewhere, 'request', 'requests')}."
    return f"{said}\n\n{pause}" if pause else said


WAITS_FOR_WORKER = "💤 Waits for the worker."
NOTHING_TO_CANCEL = "You have nothing waiting in this room."
NOTHING_AT_ALL_TO_CANCEL = "Nothing is waiting in this room."
NOT_A_REQUEST = "That message is not a request that is still waiting."
OVER_ALREADY = "That is finished already. To remove a picture, delete its message."
CHAT_OFF = "Chat is switched off here."


def cancelled(number: int) -> str:
    return f"🛑 Cancelled: {count_of(number, 'request', 'requests')}."


def may_not_cancel(level: int) -> str:
    return (
        f"That is somebody else's request. Only they, and people with power level {level} or more in this room "
        "(moderators), may cancel it."
    )


def may_not_cancel_all(level: int, prefix: str) -> str:
    return (
        f"Only people with power level {level} or more in this room (moderators) may cancel everybody's. "
        f"{command(prefix, 'cancel')} takes back your own."
    )


# ---------------------------------------------------------------- status

WORKER_OFF = (
    "💤 The worker, the machine with the graphics card, does not answer: it is probably off. "
    "What you ask for is kept and done when it is back."
)
WORKER_REFUSES_TOKEN = (
    "⚠️ The worker is on but does not accept my token. The operator has to put the worker's token into `worker.token` "
    "or `worker.token_file`. What you ask for is kept meanwhile."
)
SYNC_WARNING = (
    "Maubot syncs this client itself, so messages can be lost while it restarts. The operator should set `sync: false` "
    "for the client; the README says how."
)


def kept_here(number: int) -> str:
    return f"Kept for it in this room: {count_of(number, 'request', 'requests')}."


def status(info: Info, *, warnings: Sequence[str], chat: bool, now: float | None = None) -> str:
    """What the worker is and does, each thing in a line."""
    lines = [f"- {_activity(info)}", f"- {_card(info)}"]
    waiting = info.queued + info.running
    lines.append(
        f"- Queue: {count_of(waiting, 'picture or answer', 'pictures and answers')}" if waiting else "- Queue: empty"
    )
    if chat:
        lines.append(f"- Chat: {_chat(info)}")
    lines.append(f"- Worker {plain(info.version, 40)}, default model {code(info.default_model)}")
    if info.notice:
        lines.append(f"- ⚠️ {plain_sentence(info.notice)}")
    lines += [f"- ⚠️ {warning}" for warning in warnings]
    return "\n".join(lines)


def _activity(info: Info) -> str:
    if info.pause.paused:
        return f"{paused(info.pause)} What you ask for is kept and done when it is free again."
    resident = f" {code(info.gpu.resident)}" if info.gpu.resident else ""
    match info.gpu.state:
        case "drawing":
            return f"🎨 Drawing with{resident}." if resident else "🎨 Drawing."
        case "loading":
            return f"⏳ Loading{resident}." if resident else "⏳ Loading a model."
        case _ if info.running:
            return "💭 Answering a chat."
    return f"✅ Ready, with{resident} loaded." if resident else "✅ Ready."


def _card(info: Info) -> str:
    gpu = info.gpu
    memory = ""
    if gpu.total_bytes:
        free = "" if gpu.free_bytes is None else f", {gpu.free_bytes / 2**30:.1f} GiB free"
        memory = f", {gpu.total_bytes / 2**30:.1f} GiB{free}"
    if gpu.device == "cpu":
        name = f" ({plain(gpu.name, 80)}{memory})" if gpu.name not in ("", "cpu") else ""
        return f"No graphics card; the processor draws{name}"
    known = gpu.name or ("" if gpu.device == "auto" else gpu.device)
    return f"Card: {plain(known, 80) or 'not looked at yet'}{memory}"


def _chat(info: Info) -> str:
    if info.ollama == "off":
        return "switched off on the worker"
    if info.ollama == "unreachable":
        return "⚠️ Ollama does not answer"
    return f"ready, with {code(info.chat_model)}" if info.chat_model else "ready"
