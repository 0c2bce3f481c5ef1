"""Every key round-trips, bad values leave what counted before, nothing that was written is lost."""

from __future__ import annotations

import io
import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from mautrix.util.config import RecursiveDict
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from otterbot.config import Config, Values, read

BASE = Path(__file__).parents[2] / "base-config.yaml"
yaml = YAML()


def open_config(written: str, base: str | None = None) -> tuple[Config, list[CommentedMap]]:
    """A config as Maubot makes one, and the list of what it saves."""
    saved: list[CommentedMap] = []
    base_text = BASE.read_text() if base is None else base
    config = Config(
        lambda: yaml.load(written),
        lambda: RecursiveDict(yaml.load(base_text), CommentedMap),
        lambda data: saved.append(data),
    )
    config.load_and_update()
    return config, saved


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]
    return [(path, value)]


def field_paths(kind: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for item in fields(kind):
        inner = getattr(kind, item.name)
        found += field_paths(inner, (*path, item.name)) if is_dataclass(inner) else [(*path, item.name)]
    return found


OTHER: dict[str, Any] = {
    "prefix": "otter:",
    "allowed_users": ["@me:example.org"],
    "ignored_users": ["@spam_*:example.org"],
    "worker.url": "https://gpu.lan:9000",
    "worker.token": "secret",
    "worker.token_file": "/data/token",
    "worker.ca_file": "/data/ca.pem",
    "model": "sd-1.5",
    "gallery_room": "!gallery:example.org",
    "reactions.offer": "⭐ ❌",
    "draw.size": "512x768",
    "draw.steps": 20,
    "draw.cfg": 7.5,
    "draw.sampler": "euler",
    "draw.negative_prompt": "blurry",
    "draw.style": ["watercolor", "backlit"],
    "draw.count": 2,
    "draw.safe": True,
    "draw.batch": "sheet",
    "draw.expand": True,
    "draw.watch": True,
    "limits.count": 4,
    "limits.sweep": 9,
    "limits.steps": 50,
    "limits.prompt_length": 1000,
    "limits.person.per_day": 30,
    "limits.person.cooldown_seconds": 10,
    "limits.person.answers_per_day": 100,
    "limits.room.per_day": 100,
    "limits.room.cooldown_seconds": 1.5,
    "limits.room.answers_per_day": 300,
    "limits.instance.per_day": 500,
    "limits.instance.cooldown_seconds": 1,
    "limits.instance.answers_per_day": 1000,
    "limits.exempt_moderators": True,
    "power.set_model": 0,
    "power.settings": 0,
    "power.cancel_others": 100,
    "status.after_seconds": 1,
    "status.edit_seconds": 10,
    "status.max_edits": 3,
    "keep_hours": 48,
    "catch_up.max_age_hours": 1,
    "encryption.cross_sign": "off",
    "metrics.token": "a-long-random-word-of-mine",
    "chat.enabled": False,
    "chat.direct_messages": False,
    "chat.model": "llama3.2:3b",
    "chat.system_prompt": "You are a pirate.",
    "chat.typing": False,
    "chat.placeholder_after": 1,
    "chat.edit_seconds": 2,
    "chat.max_edits": 5,
    "chat.history_messages": 7,
    "chat.history_characters": 500,
    "chat.conversation_hours": 2,
}


def test_base_config_and_values_have_the_same_keys_and_defaults() -> None:
    base = yaml.load(BASE.read_text())
    assert sorted(path for path, _ in leaves(base)) == sorted(field_paths(Values()))
    values, problems = read(base, Values(prefix="?"))
    assert problems == []
    assert values == Values()


@pytest.mark.parametrize("path", [".".join(path) for path, _ in leaves(yaml.load(BASE.read_text()))])
def test_every_key_round_trips(path: str) -> None:
    assert set(OTHER) == {".".join(path) for path, _ in leaves(yaml.load(BASE.read_text()))}
    written: Any = OTHER[path]
    for name in reversed(path.split(".")):
        written = {name: written}
    config, saved = open_config(json.dumps(written))
    assert config.warnings == ()
    value: Any = saved[-1]
    for name in path.split("."):
        value = value[name]
    assert value == OTHER[path]
    current: Any = config.current
    for name in path.split("."):
        current = getattr(current, name)
    default: Any = Values()
    for name in path.split("."):
        default = getattr(default, name)
    assert current != default
    # And once more, from what was saved.
    again, _ = read(saved[-1], Values())
    assert again == config.current


@pytest.mark.parametrize(
    ("written", "name", "expected"),
    [
        ("prefix: ''", "prefix", "characters"),
        ("prefix: 5", "prefix", "characters"),
        ("allowed_users: '@me:example.org'", "allowed_users", "a list"),
        ("ignored_users: '@me:example.org'", "ignored_users", "a list"),
        ("ignored_users:", "ignored_users", "a list"),
        ("ignored_users: ['-@me:example.org']", "ignored_users", "a list"),
        ("ignored_users: ['me']", "ignored_users", "a list"),
        ("allowed_users:", "allowed_users", "a list"),
        ("allowed_users: ['@a:b', 'telegram_*:b']", "allowed_users", "'telegram_*:b' is none"),
        ("allowed_users: ['@a:b', '!@telegram_*:b']", "allowed_users", "'!@telegram_*:b' is none"),
        ("allowed_users: ['@a:b', '--@telegram_*:b']", "allowed_users", "'--@telegram_*:b' is none"),
        ("allowed_users: ['@a:{server}']", "allowed_users", "'@a:{server}' is none"),
        ("allowed_users: ['@a']", "allowed_users", "'@a' is none"),
        ("allowed_users: ['@a:b', 5]", "allowed_users", "'5' is none"),
        ("allowed_users: ['-@telegram_*:{homeserver}']", "allowed_users", "lets nobody in"),
        ("worker: {url: gpu.lan:80}", "worker.url", "an address"),
        ("worker: {url: 'http://gpu.lan:eighty'}", "worker.url", "an address"),
        ("worker: {token: 12345}", "worker.token", "quotes"),
        ("worker: http://gpu.lan", "worker", "a section"),
        ("draw: {size: 768}", "draw.size", "768x768"),
        ("draw: {size: 9x9}", "draw.size", "768x768"),
        ("draw: {steps: 0}", "draw.steps", "from 1 to 200"),
        ("draw: {steps: 2.5}", "draw.steps", "whole number"),
        ("draw: {cfg: .nan}", "draw.cfg", "a number from 0 to 30"),
        ("draw: {cfg: .inf}", "draw.cfg", "a number from 0 to 30"),
        ("limits: {person: {per_day: -1}}", "limits.person.per_day", "from 0 to 1000000"),
        ("limits: {person: 5}", "limits.person", "a section"),
        ("limits: {count: true}", "limits.count", "from 1 to 8"),
        ("power: {set_model: moderator}", "power.set_model", "a power level"),
        ("keep_hours: 1000", "keep_hours", "168"),
        ("chat: {enabled: 'yes'}", "chat.enabled", "true or false"),
        ("colour: blue", "colour", "is not known and does nothing; take it out"),
        ("chat: {enabeld: true}", "chat.enabeld", "is not known and does nothing; did you mean `chat.enabled`?"),
    ],
)
def test_bad_values_are_named_and_the_default_counts(written: str, name: str, expected: str) -> None:
    config, saved = open_config(written)
    (warning,) = config.warnings
    assert f"`{name}`" in warning
    assert expected in warning
    if name == "allowed_users":
        assert config.current.allowed_users == (), "who may use the bot fails closed"
    else:
        assert config.current == Values()
    kept: Any = saved[-1]
    for part in name.split("."):
        kept = kept[part]
    wanted: Any = yaml.load(written)
    for part in name.split("."):
        wanted = wanted[part]
    assert repr(kept) == repr(wanted), "what the operator wrote is not thrown away"


def test_a_bad_value_leaves_the_last_good_one() -> None:
    texts = iter(["power: {set_model: 75}\nallowed_users: ['@me:a.b']", "power: {set_model: x}\nallowed_users: 5"])
    config = Config(
        lambda: yaml.load(next(texts)),
        lambda: RecursiveDict(yaml.load(BASE.read_text()), CommentedMap),
        lambda data: None,
    )
    config.load_and_update()
    config.load_and_update()
    assert config.current.power.set_model == 75
    assert config.current.allowed_users == ("@me:a.b",)
    assert len(config.warnings) == 2


def test_warnings_hold_no_values(caplog: pytest.LogCaptureFixture) -> None:
    config, _ = open_config("worker: {token: [hunter2]}")
    assert "hunter2" not in caplog.text + " ".join(config.warnings)


def test_each_problem_is_one_warning_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    config, _ = open_config("colour: blue\nworker: {tokn: x, token: 5}")
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert [record.getMessage() for record in caplog.records] == [f"Configuration: {one}" for one in config.warnings]
    assert "`worker.tokn` is not known and does nothing; did you mean `worker.token`?" in caplog.text


def test_an_empty_list_means_nobody() -> None:
    config, saved = open_config("allowed_users: []")
    assert config.warnings == ()
    assert config.current.allowed_users == ()
    assert saved[-1]["allowed_users"] == []


def test_sections_left_empty_and_an_empty_file_are_the_defaults() -> None:
    for written in ("", "chat:\nworker:\n"):
        config, _ = open_config(written)
        assert config.warnings == ()
        assert config.current == Values()


def test_before_anything_was_read_nobody_is_allowed() -> None:
    config = Config(lambda: CommentedMap(), lambda: None, lambda data: None)
    assert config.current.allowed_users == ()


def test_the_comments_of_the_base_stay() -> None:
    _, saved = open_config("prefix: '?'  # mine\nlimits:\n    # my own\n    count: 3\n")
    out = io.StringIO()
    yaml.dump(saved[-1], out)
    assert "# What commands begin with." in out.getvalue()
    assert "# Pictures, at most 8." in out.getvalue()
