"""Sentences about models: which there are, what each is good for, and which cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .escape import code, plain
from .jobs import count_of, plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker.info import Lora, Model

MAX_LORAS = 30
"""How many names a list shows."""
MAX_CHATS = 20
MAX_UNUSABLE = 5

MODELS_UNKNOWN = "The worker is off, and I have not seen its models yet. Please ask again when it is on."


def models(
    known: Sequence[Model],
    room_model: str | None,
    chat_model: str | None,
    samplers: Sequence[str],
    loras: Sequence[Lora],
    prefix: str,
) -> str:
    """The list, marked what draws and what answers here."""
    lines = [_model_line(model, model.name == room_model) for model in known if model.kind == "image"]
    chats = [model.name for model in known if model.kind == "chat" and model.available]
    chats.sort(key=lambda name: name != chat_model)
    said = "\n".join(lines) if lines else "The worker has no image models."
    if chats:
        more = f" and {len(chats) - MAX_CHATS} more" if len(chats) > MAX_CHATS else ""
        named = [code(name) + " (**answers here**)" * (name == chat_model) for name in chats[:MAX_CHATS]]
        said += f"\n\nFor chat: {', '.join(named)}{more}."
    if samplers:
        said += f"\n\nSamplers: {', '.join(plain(name) for name in samplers)}."
    said += _lora_lines([lora for lora in loras if lora.problem is None])
    said += _unusable_line([lora for lora in loras if lora.problem is not None])
    return said + f"\n\nFor one picture: {command(prefix, 'draw otter --model NAME')}."


def _lora_lines(loras: Sequence[Lora]) -> str:
    said = ""
    kinds = (("lora", f"LoRAs, as {code('<lora:NAME:0.8>')} among the words"), ("embedding", "Embeddings, by name"))
    for kind, title in kinds:
        names = [_lora_name(lora) for lora in loras if lora.kind == kind]
        more = f" and {len(names) - MAX_LORAS} more" if len(names) > MAX_LORAS else ""
        said += f"\n\n{title}: {', '.join(names[:MAX_LORAS])}{more}." if names else ""
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


def _model_line(model: Model, here: bool) -> str:
    marks = (["**draws here**"] if here else []) + _absence(model)
    about = (
        f": {plain_sentence(model.problem)}" if model.problem else f": {plain(model.about, 200)}" * bool(model.about)
    )
    defaults = ""
    if model.defaults is not None:
        size = f"{model.defaults.width}×{model.defaults.height}"
        weighted = model.defaults.guidance_scale_weighted
        guidance = f"CFG {model.defaults.guidance_scale:g}" + (f" or {weighted:g} with weights" if weighted else "")
        defaults = f" ({size}, {count_of(model.defaults.steps, 'step', 'steps')}, {guidance})"
    marked = f" [{', '.join(marks)}]" if marks else ""
    return f"- {code(model.name)}{marked}{about}{defaults}"


def _absence(model: Model) -> list[str]:
    """What prevents pictures with that model, or precedes the first one."""
    if model.problem:
        return ["cannot be used"]
    size = f" about {model.download_bytes / 1e9:.1f} GB" if model.download_bytes else ""
    if not model.available:
        return [f"not on the worker, which may not download it{f' ({size.strip()})' if size else ''}"]
    return [] if model.here else [f"not on the worker yet: the first picture downloads{size or ' it'}"]


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
