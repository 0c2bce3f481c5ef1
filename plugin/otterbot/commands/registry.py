"""The one list of commands. What `!help` says, which words are commands, and the tables in the docs follow from it."""

from __future__ import annotations

from ..language.intents import vocabulary
from .again import AGAIN
from .cancel import CANCEL
from .chat import CHAT
from .command import Command
from .describe import DESCRIBE
from .draw import DRAW
from .help import help_command
from .info import INFO
from .keep_and_delete import DELETE, KEEP
from .model import MODEL
from .models import MODELS
from .persona import PERSONA_COMMAND
from .queue import QUEUE
from .settings import SETTINGS
from .status import STATUS
from .style import STYLE
from .styles import STYLES
from .sweep import SWEEP
from .upscale import UPSCALE
from .vary import VARY
from .wildcards import WILDCARDS

_OTHERS = (
    DRAW, AGAIN, VARY, SWEEP, UPSCALE, INFO, DESCRIBE, KEEP, DELETE, CHAT, PERSONA_COMMAND, STYLES, STYLE, MODELS,
    MODEL, WILDCARDS, SETTINGS, QUEUE, CANCEL, STATUS,
)  # fmt: skip

COMMANDS: tuple[Command, ...] = (*_OTHERS, help_command(_OTHERS))
"""In the order in which `!help` lists them."""
BY_NAME = {command.name: command for command in COMMANDS}
MEANT = {word: command.name for command in COMMANDS for word in command.meant}
"""Other programs' names for commands."""
VOCABULARY = vocabulary(command.syntax for command in COMMANDS)
