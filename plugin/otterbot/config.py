"""The instance's settings: Maubot's YAML as frozen, checked values.

``Config`` is what Maubot loads and saves; ``Config.current`` is what everybody reads. A value that
cannot be used never stops the plugin (an exception in ``start`` would disable the instance): the
value that counted before stays, at a start the default, and ``Config.warnings`` names the key and
what was expected. What the operator wrote is never thrown away, unknown keys included.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar, cast

from mautrix.util.config import BaseProxyConfig, ConfigUpdateHelper
from ruamel.yaml.comments import Comment, CommentedBase

from .config_checks import (
    Check,
    allowed_patterns,
    at_most,
    auto_or_off,
    batch,
    flag,
    ignored_patterns,
    local_path,
    names,
    natural,
    offer,
    optional,
    power_level,
    prefix,
    room,
    seconds,
    secret,
    size,
    text,
    web_address,
    word,
)

log = logging.getLogger("maubot.otterbot.config")

T = TypeVar("T")


def key(default: Any, check: Check) -> Any:
    """A field of the settings: its default and the check that a value must pass."""
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True, kw_only=True)
class WorkerValues:
    url: str = key("http://127.0.0.1:8585", web_address)
    """Without a slash at the end."""
    token: str | None = key(None, optional(text))
    token_file: str | None = key(None, optional(local_path))
    ca_file: str | None = key(None, optional(local_path))


@dataclass(frozen=True, kw_only=True)
class DrawValues:
    size: tuple[int, int] | None = key(None, optional(size))
    """Width and height."""
    steps: int | None = key(None, optional(natural(1, 200)))
    cfg: float | None = key(None, optional(at_most(30)))
    sampler: str | None = key(None, optional(word))
    negative_prompt: str | None = key(None, optional(text))
    """``None``: the model's own; ``""``: none at all."""
    style: tuple[str, ...] = key((), names)
    """Styles of pictures, in rooms that have not chosen."""
    count: int = key(1, natural(1, 8))
    safe: bool = key(False, flag)
    """Whether a safety checker looks at every picture, in rooms that have not chosen."""
    batch: str = key("auto", batch)
    """How several pictures of one request come, in rooms that have not chosen: ``auto`` (on one sheet from three on),
    ``sheet``, ``separate``."""
    expand: bool = key(False, flag)
    """Whether a language model writes the prompts of pictures, in rooms that have not chosen."""
    watch: bool = key(False, flag)
    """Whether pictures are shown while they are drawn, in rooms that have not chosen."""


@dataclass(frozen=True, kw_only=True)
class QuotaValues:
    """``None``: no limit."""

    per_day: int | None = key(None, optional(natural(0, 1_000_000)))
    """Pictures within 24 hours."""
    cooldown_seconds: float | None = key(None, optional(seconds(0, 86_400)))
    """From one request for pictures to the next."""
    answers_per_day: int | None = key(None, optional(natural(0, 1_000_000)))
    """Of chats."""


@dataclass(frozen=True, kw_only=True)
class LimitValues:
    count: int = key(8, natural(1, 8))
    sweep: int = key(25, natural(2, 64))
    steps: int = key(200, natural(1, 200))
    prompt_length: int = key(4000, natural(1, 4000))
    person: QuotaValues = field(default_factory=QuotaValues)
    room: QuotaValues = field(default_factory=QuotaValues)
    instance: QuotaValues = field(default_factory=QuotaValues)
    exempt_moderators: bool = key(False, flag)


@dataclass(frozen=True, kw_only=True)
class PowerValues:
    set_model: int = key(50, power_level)
    settings: int = key(50, power_level)
    cancel_others: int = key(50, power_level)


@dataclass(frozen=True, kw_only=True)
class StatusValues:
    after_seconds: float = key(3.0, seconds(0, 3600))
    edit_seconds: float = key(5.0, seconds(1, 3600))
    max_edits: int = key(30, natural(0, 500))


@dataclass(frozen=True, kw_only=True)
class ReactionValues:
    offer: tuple[str, ...] = key(("🔁", "🎲", "⬆\ufe0f"), offer)
    """What the bot puts under its pictures, in rooms that have not chosen."""


@dataclass(frozen=True, kw_only=True)
class CatchUpValues:
    max_age_hours: float = key(24.0, seconds(0, 24 * 30))


@dataclass(frozen=True, kw_only=True)
class EncryptionValues:
    cross_sign: str = key("auto", auto_or_off)


@dataclass(frozen=True, kw_only=True)
class MetricsValues:
    token: str | None = key(None, optional(secret))
    """``None``: there are no metrics."""


@dataclass(frozen=True, kw_only=True)
class ChatValues:
    enabled: bool = key(True, flag)
    direct_messages: bool = key(True, flag)
    model: str | None = key(None, optional(word))
    system_prompt: str = key(
        "You are {bot}, a friendly assistant in a chat room. Answer helpfully and to the point, in the language "
        "that you are spoken to. You may use Markdown.",
        text,
    )
    typing: bool = key(True, flag)
    placeholder_after: float = key(3.0, seconds(0, 3600))
    edit_seconds: float = key(5.0, seconds(1, 3600))
    max_edits: int = key(40, natural(0, 500))
    history_messages: int = key(40, natural(1, 199))
    """With the system prompt within the 200 messages that the worker takes."""
    history_characters: int = key(24_000, natural(100, 60_000))
    conversation_hours: float = key(12.0, seconds(0, 24 * 365))


@dataclass(frozen=True, kw_only=True)
class Values:
    """Every setting, checked; the defaults are those of ``base-config.yaml`` (a test compares them)."""

    prefix: str = key("!", prefix)
    allowed_users: tuple[str, ...] = key(("@*:{homeserver}",), allowed_patterns)
    ignored_users: tuple[str, ...] = key((), ignored_patterns)
    worker: WorkerValues = field(default_factory=WorkerValues)
    model: str | None = key(None, optional(word))
    draw: DrawValues = field(default_factory=DrawValues)
    limits: LimitValues = field(default_factory=LimitValues)
    power: PowerValues = field(default_factory=PowerValues)
    status: StatusValues = field(default_factory=StatusValues)
    gallery_room: str | None = key(None, optional(room))
    """Where pictures are copied that people keep with ⭐."""
    reactions: ReactionValues = field(default_factory=ReactionValues)
    keep_hours: float = key(24.0, seconds(0.01, 24 * 7))
    """At most the seven days for which the worker knows a request again."""
    catch_up: CatchUpValues = field(default_factory=CatchUpValues)
    encryption: EncryptionValues = field(default_factory=EncryptionValues)
    metrics: MetricsValues = field(default_factory=MetricsValues)
    chat: ChatValues = field(default_factory=ChatValues)


NOBODY: tuple[str, ...] = ()


def read(source: Mapping[str, Any], before: Values) -> tuple[Values, list[str]]:
    """The settings in ``source`` and a sentence for everything in it that cannot be used.

    An absent key has its default; a bad value leaves the one of ``before``. Never raises.
    """
    problems: list[str] = []
    return _read(Values, source, before, "", problems), problems


_STAYS = "what counted before stays"


def _read(kind: type[T], source: Mapping[str, Any], before: T, path: str, problems: list[str]) -> T:
    taken: dict[str, Any] = {}
    known = {item.name: item for item in fields(cast(Any, kind))}
    problems.extend(_unknown(path, str(name), list(known)) for name in source if name not in known)
    for name, item in known.items():
        if name not in source:
            continue
        value, old = source[name], getattr(before, name)
        if item.default_factory is not MISSING:
            if value is None:
                continue
            if isinstance(value, Mapping):
                taken[name] = _read(type(old), value, old, f"{path}{name}.", problems)
            else:
                taken[name] = old
                problems.append(f"`{path}{name}` should be a section with keys of its own; {_STAYS}.")
            continue
        check = cast("Callable[[Any], Any]", item.metadata["check"])
        try:
            taken[name] = check(value)
        except ValueError as refusal:
            taken[name] = old
            # Never the value itself: it may be a token, and it goes into a log.
            problems.append(f"`{path}{name}` should be {refusal}; {_STAYS}.")
    return kind(**taken)


def _unknown(path: str, name: str, known: list[str]) -> str:
    """A key may be mistyped, or from a newer or older plugin, so it stays in the file."""
    shown = name if name.isprintable() and len(name) <= 64 else "…"
    near = difflib.get_close_matches(name, known, n=1)
    todo = f"did you mean `{path}{near[0]}`?" if near else "take it out, or look its name up in base-config.yaml."
    return f"`{path}{shown}` is not known and does nothing; {todo}"


class Config(BaseProxyConfig):
    """Maubot's side. ``load_and_update`` reads and saves the YAML and renews ``current``."""

    current: Values
    warnings: tuple[str, ...]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Until settings are read, nobody may use the bot.
        self.current = Values(allowed_users=NOBODY)
        self.warnings = ()

    def do_update(self, helper: ConfigUpdateHelper) -> None:
        _overlay(helper.base._data, helper.source._data)

    def update(self, save: bool = True) -> None:
        super().update(save)
        self.current, problems = read(self._data, self.current)
        self.warnings = tuple(problems)
        for problem in problems:
            log.warning("Configuration: %s", problem)


def _overlay(base: Any, source: Mapping[str, Any]) -> None:
    """Put the operator's values into Maubot's commented base, sections key by key."""
    for name, value in source.items():
        if isinstance(value, Mapping) and isinstance(base.get(name), Mapping):
            _overlay(base[name], value)
            continue
        if value is None and isinstance(base.get(name), Mapping):
            continue  # a section with all keys commented out
        if isinstance(value, CommentedBase):
            setattr(value, Comment.attrib, Comment())  # else comments of the old file leak into the new one
        base[name] = value
