"""What follows from the registry of commands and from the table of options is complete, and the docs say the same."""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from reading import NAMES, parse

from otterbot import texts
from otterbot.commands.recorded_settings import read_settings
from otterbot.commands.registry import COMMANDS
from otterbot.language.flag_names import near_flags
from otterbot.language.intents import Syntax, vocabulary
from otterbot.language.option import Option
from otterbot.language.option_table import FIELDS, FLAGS, OPTIONS
from otterbot.language.options import DrawOptions

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "docs_tables.py"
VALUES: dict[str, Any] = {
    "style": ["watercolor", "backlit"],
    "seed": 7, "variation": {"seed": 7, "strength": "0.2"}, "model": "sd15", "sampler": "Euler a", "aspect": "3:2",
    "control": {"kind": "canny", "scale": "0.7"}, "hires": {"scale": 2, "strength": "0.4", "upscaler": "lanczos"},
    "prompt": "otter", "negative_prompt": "fog", "upscale": 2,
}  # fmt: skip
"""A recorded value for each field that is no plain number."""


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_tables", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_docs_have_the_tables_of_now() -> None:
    docs = script()
    page = docs.PAGE.read_text("utf-8")
    assert page == docs.written(page), "run: .venvs/maubot/bin/python scripts/docs_tables.py"


@pytest.mark.parametrize("name", NAMES)
def test_each_command_is_documented(name: str) -> None:
    command = next(command for command in COMMANDS if command.name == name)
    assert any(f"`!{name}" in typed for typed, _ in command.documented)
    assert command.usage[0].split()[0] == name
    assert f"{{!{name}" in command.topic
    for text in (command.topic, command.stray):
        for said in re.findall(r"\{!(\w+)", text):
            assert said in NAMES
        assert "{!" not in texts.filled("!", text)
    intent = parse(f"!{name} --help", prefix="!")
    assert intent is not None
    assert (intent.name, intent.text) == ("help", name)


def test_no_two_commands_have_one_name() -> None:
    one = Syntax(name="draw", read=COMMANDS[0].reads, aliases=("d",))
    assert vocabulary([one])["d"] is one
    with pytest.raises(ValueError, match="one name"):
        vocabulary([one, Syntax(name="d", read=one.read)])


def test_each_field_has_an_option() -> None:
    assert set(FIELDS) == {field.name for field in dataclasses.fields(DrawOptions)}


def test_no_word_means_two_flags() -> None:
    words = [word for option in FLAGS.values() for word in (option.name, *option.aliases, *option.meant)]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("option", FLAGS.values(), ids=FLAGS.keys())
def test_each_flag_is_complete(option: Option) -> None:
    assert option.takes
    assert option.does
    assert near_flags(f"{option.name}x" if len(option.name) > 2 else option.name)[:1] == (option.name,)
    for word in option.meant:
        assert near_flags(word) == (option.name,)
    if option.example:
        intent = parse(f"!draw otter {option.example}", prefix="!")
        assert intent is not None
        assert intent.problem is None
        assert option.value(intent.options) is not None
        assert f"`{option.example}`: {option.gives}" in texts.flag_lines()
    if not option.kind.bare:
        assert f"--{option.name}" in texts.wants(option.name, "!")


@pytest.mark.parametrize(
    "option",
    [option for option in OPTIONS if option.recorded and option.name != "structure"],  # lines: test_structured.py
    ids=lambda option: option.name,
)
def test_what_a_record_holds_is_what_can_be_typed(option: Option) -> None:
    recorded = {name: VALUES.get(name, 64 if name in ("width", "height") else 1) for name in option.fields}
    read = read_settings(recorded)
    assert read is not None
    value = option.value(read)
    assert value is not None
    assert option.kind.typed(option.kind.written(value)) == value
    for name in option.fields:
        for never in ([], {}, True, float("nan"), 10**400, "x" * 5_000, "\ud800"):
            none_at_all = never == [] and option.name == "style"
            assert (read_settings({**recorded, name: never}) is None) != none_at_all
