"""The JSON of OpenAI-compatible servers: lists and pieces of answers read with suspicion, and what a request says.

What is missing or of another kind becomes empty.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..calls import pieces
from ..chosen import Chosen
from ..reading import number
from ..records import CallPiece, ChatModel, Delta, Message

_NO_CHAT = re.compile(
    r"embed|whisper|\btts\b|transcri|dall-e|gpt-image|image-gen|moderation|rerank|realtime|\bsora\b|davinci-00|babbage",
    re.IGNORECASE,
)
"""In names of models that a server lists beside those that chat; it does not say which are which."""
ALWAYS = ("model", "messages", "stream")
"""Fields without which there is no question; all others may be left out."""
LONGER_NAME = "max_completion_tokens"
"""What newer servers want ``max_tokens`` to be called."""


def models(answer: Mapping[str, Any], *, server: str, remote: bool) -> list[ChatModel]:
    """From ``GET /models``."""
    entries = answer.get("data")
    found = (
        [_model(entry, server, remote) for entry in entries if isinstance(entry, Mapping)]
        if isinstance(entries, list)
        else []
    )
    return [model for model in found if model.name]


def _model(entry: Mapping[str, Any], server: str, remote: bool) -> ChatModel:
    name, meta = str(entry.get("id") or ""), entry.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    return ChatModel(
        name=name,
        size=number(meta.get("size")),
        parameters=_parameters(number(meta.get("n_params"))),
        capabilities=("other",) if _NO_CHAT.search(name) else (),
        remote=remote,
        # Nobody tells a digest of the file; a server seldom gives a name to another model.
        digest=hashlib.sha256(f"{server} {name}".encode("utf-8", "replace")).hexdigest(),
        context=number(entry.get("max_model_len")) or number(meta.get("n_ctx")),
    )


def _parameters(count: int) -> str:
    if count <= 0:
        return ""
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"


# ---------------------------------------------------------------- requests


def fields(chosen: Chosen) -> dict[str, Any]:
    """All that a request for a model says beside the conversation, if the server takes it."""
    options = chosen.options
    wanted: dict[str, Any] = {
        "max_tokens": options.answer,
        "stream_options": {"include_usage": True},
        **{name: value for name, value in options.more.items() if name not in ALWAYS},
    }
    if options.temperature is not None:
        wanted["temperature"] = options.temperature
    if isinstance(options.think, bool):
        wanted["chat_template_kwargs"] = {"enable_thinking": options.think}
    elif options.think is not None:
        wanted["reasoning_effort"] = options.think
    if chosen.tools:
        wanted["tools"] = [tool.wire for tool in chosen.tools]
    return wanted


def messages(conversation: Sequence[Message], *, pictures: bool) -> list[dict[str, Any]]:
    return [_message(message, pictures=pictures) for message in conversation]


def _message(message: Message, *, pictures: bool) -> dict[str, Any]:
    images = message.get("images", []) if pictures else []
    if not images:
        return {"role": message["role"], "content": message["content"]}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message["content"]}]
    urls = [f"data:{_mimetype(image)};base64,{image}" for image in images]
    parts += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": message["role"], "content": parts}


def _mimetype(image: str) -> str:
    """By how its file begins, in base64."""
    if image.startswith("iVBOR"):
        return "image/png"
    return "image/webp" if image.startswith("UklGR") else "image/jpeg"


# ---------------------------------------------------------------- answers


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What one event of the stream says."""

    text: str = ""
    thought: str = ""
    finish: str = ""
    """Why the answer ended; empty while it goes on."""
    prompt_tokens: int = 0
    answer_tokens: int = 0
    calls: tuple[CallPiece, ...] = ()

    @property
    def delta(self) -> Delta:
        return Delta(text=self.text, thought=self.thought, calls=self.calls)


def piece(event: Mapping[str, Any]) -> Piece:
    choices, usage = event.get("choices"), event.get("usage")
    choice = choices[0] if isinstance(choices, list) and choices else None
    choice = choice if isinstance(choice, Mapping) else {}
    said = choice.get("delta") or choice.get("message")
    said = said if isinstance(said, Mapping) else {}
    usage = usage if isinstance(usage, Mapping) else {}
    text, thought = _content(said.get("content"))
    finish = choice.get("finish_reason")
    return Piece(
        text=text,
        thought=thought or next((said[name] for name in _THOUGHTS if isinstance(said.get(name), str)), ""),
        finish=finish if isinstance(finish, str) else "",
        prompt_tokens=number(usage.get("prompt_tokens")),
        answer_tokens=number(usage.get("completion_tokens")),
        calls=pieces(said.get("tool_calls")),
    )


_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""What servers call the field of a thought."""


def _content(content: object) -> tuple[str, str]:
    """Text and thought; some servers send a list of parts."""
    if isinstance(content, str):
        return content, ""
    text, thought = "", ""
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, Mapping):
            continue
        if part.get("type") == "thinking":
            inner = part.get("thinking")
            thought += inner if isinstance(inner, str) else _content(inner)[0]
        elif isinstance(part.get("text"), str):
            text += part["text"]
    return text, thought
