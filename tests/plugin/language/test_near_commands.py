"""What somebody meant who typed no command of ours."""

from __future__ import annotations

import pytest

from otterbot.commands.registry import BY_NAME, MEANT, VOCABULARY
from otterbot.language.near_commands import near_command


def near(body: str, prefix: str = "!") -> tuple[str, str] | None:
    found = near_command(body, prefix=prefix, commands=VOCABULARY, meant=MEANT)
    return None if found is None else (found.command, found.rest)


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ("!drwa otter, hat --steps 5", ("draw", "otter, hat --steps 5")),
        ("!Darw otter", ("draw", "otter")),
        ("**!drw** otter", ("draw", "otter")),
        ("!imagine otter", ("draw", "otter")),
        ("！imagine　otter", ("draw", "otter")),
        ("!img", ("draw", "")),
        ("!ask why?", ("chat", "why?")),
        ("!ai why?", ("chat", "why?")),
        ("!agian", ("again", "")),
        ("!upscael 4", ("upscale", "4")),
        ("!setings", ("settings", "")),
        ("!hlep", ("help", "")),
        ("!stlyes", ("styles", "")) if "styles" in VOCABULARY else ("!statsu", ("status", "")),
        ("!wildcard", ("wildcards", "")),
        ("!draw otter", None),
        ("!sketch otter", None),
        ("!weather in Berlin", None),
        ("!ok", None),
        ("!", None),
        ("!!!", None),
        ("drwa otter", None),
        ("! wow", None),
        ("!" + "d" * 4_000, None),
    ],
)
def test_what_is_meant(body: str, meant: tuple[str, str] | None) -> None:
    assert near(body) == meant


def test_a_prefix_that_is_a_word() -> None:
    assert near("otter drwa a fox", "otter") == ("draw", "a fox")
    assert near("otterdrwa a fox", "otter") is None


def test_other_programs_names_are_no_commands_of_ours() -> None:
    words = [word for command in BY_NAME.values() for word in command.meant]
    assert len(words) == len(set(words))
    assert not set(words) & set(VOCABULARY)
