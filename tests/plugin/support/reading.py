"""Texts read with the vocabulary of the program."""

from __future__ import annotations

from functools import partial

from otterbot.commands.registry import COMMANDS, VOCABULARY
from otterbot.language import intents

NAMES = tuple(command.name for command in COMMANDS)

parse = partial(intents.parse, commands=VOCABULARY)
would_be_ours = partial(intents.would_be_ours, commands=VOCABULARY)
