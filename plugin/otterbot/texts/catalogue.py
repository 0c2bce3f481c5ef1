"""Sentences about models: which there are, what each is good for, and which cannot be used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .escape import code, plain
from .jobs import count_of, duration, plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker.info import Lora, Model

LINE = 100e6
"""Bits in a second of a usual line, by which times of downloads are said."""
_CLAUSE = re.compile(r"[,;:.](?:\s|$)")
MAX_HERE = 10
"""Lines of the list, which fits a phone."""
WIDTH = 45
"""Characters of a line on a phone."""
MAX_LORAS = 30
"""How many names a list shows."""
MAX_CHATS = 20
MAX_CHATS_SHORT = 5
MAX_UNUSABLE = 5

MODELS_UNKNOWN = "The worker is off, and I have not seen its models yet. Please ask again when it is on."


def models(
    known: Sequence[Model], room_model: str | None, chat_model: str | None, loras: Sequence[Lora], prefix: str
) -> str:
    """The short list: what is on the worker, what draws here first, one line each; of the rest how many there are."""
    images = [model for model in known if model.kind == "image"]
    here = sorted(
        (model for model in images if model.name == room_model or _is_here(model)),
        key=lambda model: model.name != room_model,
    )
    lines = [_short_line(model, model.name == room_model) for model in here[:MAX_HERE]]
    said = "\n".join(lines) if lines else "No model for pictures is on the worker yet."
    rest = [_rest(images, here, prefix), _extras(loras, prefix), f"More of one: {command(prefix, 'models NAME')}."]
    return "\n\n".join(part for part in (said, _chats(known, chat_model, MAX_CHATS_SHORT), *rest) if part)


def all_models(
    known: Sequence[Model], room_model: str | None, chat_model: str | None, samplers: Sequence[str], prefix: str
) -> str:
    """Each model in a line, with what has to be downloaded, or why it cannot be used."""
    images = [model for model in known if model.kind == "image"]
    images.sort(key=lambda model: (not _is_here(model), model.name != room_model))
    lines = [_short_line(model, model.name == room_model) for model in images if model.problem is None]
    broken = [f"- {code(model.name)}: {plain_sentence(model.problem)}" for model in images if model.problem is not None]
    said = "\n".join((*lines, *broken)) or "The worker has no image models."
    known_samplers = f"Samplers: {', '.join(plain(name) for name in samplers)}." if samplers else ""
    more = f"For one picture: {command(prefix, 'draw otter --model NAME')}. More: {command(prefix, 'models NAME')}."
    return "\n\n".join(part for part in (said, _chats(known, chat_model, MAX_CHATS), known_samplers, more) if part)


def all_loras(loras: Sequence[Lora]) -> str:
    said = _lora_lines([lora for lora in loras if lora.problem is None])
    said += _unusable_line([lora for lora in loras if lora.problem is not None])
    return said.strip() or "The worker has no LoRAs and no embeddings."


def model_in_full(model: Model, loras: Sequence[Lora], prefix: str) -> str:
    """One model: what it is good for, its licence, what has to be downloaded, its defaults and limits, and what goes
    with it."""
    if model.kind == "chat":
        sees = " It sees pictures." if model.sees_pictures else ""
        why = f" It cannot be used: {plain_sentence(model.problem)}" if model.problem else ""
        return f"{code(model.name)} answers chats.{sees}{why} {command(prefix, f'settings chat {model.name}')} sets it."
    rows = [_presence(model), *_defaults(model), *_bounds(model)]
    if model.samplers:
        rows.append(f"Samplers: {', '.join(plain(name) for name in model.samplers)}")
    if model.ignores:
        rows.append(f"It does not do: {', '.join(plain(one) for one in model.ignores)}")
    fitting = [lora for lora in loras if lora.problem is None and model.family and lora.family == model.family]
    for kind, title in (("lora", "LoRAs that fit"), ("embedding", "Embeddings that fit")):
        if names := [_lora_name(lora) for lora in fitting if lora.kind == kind]:
            rows.append(f"{title}: {', '.join(names[:MAX_LORAS])}{_more(names, MAX_LORAS)}")
    if model.licence:
        rows.append(f"Licence: {plain(model.licence)}")
    about = f": {plain(model.about, 300)}" if model.about else ""
    listed = "\n".join(f"- {row}" for row in rows)
    return (
        f"{code(model.name)}{about}\n\n{listed}\n\n{command(prefix, f'draw otter --model {model.name}')} draws with it."
    )


def is_here(model: Model) -> str:
    """After somebody chose it: a sentence, where a picture has to wait for a download."""
    return "" if _is_here(model) else f"{_presence(model)}."


def _is_here(model: Model) -> bool:
    return model.here and model.available and model.problem is None


def _presence(model: Model) -> str:
    if model.problem:
        return f"It cannot be used: {plain_sentence(model.problem).rstrip('.')}"
    size = f"about {_gigabytes(model.download_bytes)}" if model.download_bytes else ""
    if not model.available:
        return f"It is not on the worker, which may not download it{f' ({size})' if size else ''}"
    if model.here:
        return "It is on the worker"
    if model.download_bytes is None:
        return "It is not on the worker yet: the first picture downloads it, which may take long"
    time = duration(model.download_bytes * 8 / LINE)
    return f"It is not on the worker yet: the first picture downloads {size}, about {time} at 100 Mbit/s"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def _defaults(model: Model) -> list[str]:
    own = model.defaults
    if own is None:
        return []
    weighted = f" ({own.guidance_scale_weighted:g} with weights)" if own.guidance_scale_weighted else ""
    numbers = f"{count_of(own.steps, 'step', 'steps')}, CFG {own.guidance_scale:g}{weighted}"
    rows = [f"If nobody says otherwise: {own.width}×{own.height}, {numbers}, {plain(own.sampler)}"]
    return rows + ([f"Negative prompt: {plain(own.negative_prompt, 300)}"] if own.negative_prompt else [])


def _bounds(model: Model) -> list[str]:
    limits = model.limits
    if limits is None:
        return []
    sides = f"sides from {limits.size_min} to {limits.size_max} in multiples of {limits.size_multiple}"
    pixels = f"{limits.pixels_max / 1e6:.2f} megapixels"
    steps = f"{limits.steps_min} to {limits.steps_max} steps"
    return [f"It takes {sides}, up to {pixels}; {steps}; CFG up to {limits.guidance_scale_max:g}"]


def _short_line(model: Model, draws: bool) -> str:
    """``ssd-1b **draws here** · All-round``: as wide as a phone."""
    marks = "**draws here** " if draws else ""
    if not model.available:
        marks += "may not be downloaded "
    elif not model.here:
        marks += f"{_gigabytes(model.download_bytes)} to download " if model.download_bytes else "to download "
    left = WIDTH - len(model.name) - len(marks.replace("*", "")) - 4
    clause = _CLAUSE.split(model.about.strip(), maxsplit=1)[0]
    about = plain(clause, left) if left > 8 and clause else ""
    parts = (f"- {code(model.name)} {marks}".rstrip(), about)
    return " · ".join(part for part in parts if part)


def _rest(images: Sequence[Model], listed: Sequence[Model], prefix: str) -> str:
    here, names = len(listed) - MAX_HERE, {model.name for model in listed}
    others = [model for model in images if model.name not in names]
    fetched = sum(model.available and model.problem is None for model in others)
    counts = (
        (max(0, here), "more here"),
        (fetched, "more can be downloaded"),
        (len(others) - fetched, "cannot be used"),
    )
    said = ", ".join(f"{count} {what}" for count, what in counts if count)
    return f"{said}: {command(prefix, 'models all')}." if said else ""


def _extras(loras: Sequence[Lora], prefix: str) -> str:
    kinds = (("lora", "LoRA", "LoRAs"), ("embedding", "embedding", "embeddings"))
    counts = [(sum(lora.kind == kind for lora in loras), one, many) for kind, one, many in kinds]
    said = ", ".join(count_of(count, one, many) for count, one, many in counts if count)
    return f"{said}: {command(prefix, 'models loras')}." if said else ""


def _chats(known: Sequence[Model], chat_model: str | None, most: int) -> str:
    chats = [model for model in known if model.kind == "chat" and model.available]
    chats.sort(key=lambda model: model.name != chat_model)
    named = [_chat_model(model, model.name == chat_model) for model in chats]
    return f"For chat: {', '.join(named[:most])}{_more(named, most)}." if named else ""


def _more(names: Sequence[str], most: int) -> str:
    return f" and {len(names) - most} more" if len(names) > most else ""


def _chat_model(model: Model, answers: bool) -> str:
    said = [*(["**answers here**"] if answers else []), *(["sees pictures"] if model.sees_pictures else [])]
    return f"{code(model.name)} ({', '.join(said)})" if said else code(model.name)


def _lora_lines(loras: Sequence[Lora]) -> str:
    said = ""
    kinds = (("lora", f"LoRAs, as {code('<lora:NAME:0.8>')} among the words"), ("embedding", "Embeddings, by name"))
    for kind, title in kinds:
        names = [_lora_name(lora) for lora in loras if lora.kind == kind]
        said += f"\n\n{title}: {', '.join(names[:MAX_LORAS])}{_more(names, MAX_LORAS)}." if names else ""
    return said


def _unusable_line(loras: Sequence[Lora]) -> str:
    """Unusable files with the reason, for people who look for them."""
    if not loras:
        return ""
    named = [f"{code(lora.name, 100)} {plain(lora.problem or '', 120)}" for lora in loras[:MAX_UNUSABLE]]
    more = f"; and {len(loras) - MAX_UNUSABLE} more" if len(loras) > MAX_UNUSABLE else ""
    return f"\n\nCannot be used: {'; '.join(named)}{more}."


def _lora_name(lora: Lora) -> str:
    """With the word that brings it out, where that is another one."""
    triggers = [plain(word, 40) for word in lora.triggers[:1] if word.casefold() != lora.name.casefold()]
    return code(lora.name, 100) + "".join(f" ({word})" for word in triggers)


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
