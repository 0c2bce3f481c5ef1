"""``!help``: every command in a line, or more about one."""

from __future__ import annotations

from collections.abc import Sequence

from .. import texts
from ..language.arguments import Intent
from ..language.message import Message
from .command import Command
from .outcome import Outcome, say
from .services import Services


def help_command(others: Sequence[Command]) -> Command:
    """``!help`` for these commands and itself."""

    async def show_help(services: Services, message: Message, intent: Intent) -> Outcome:
        values = services.config.current
        topic = intent.text.strip().lower().removeprefix(values.prefix.lower()).strip()
        commands = (*others, own)
        about = next((command.topic for command in commands if topic in (command.name, *command.aliases)), None)
        if about is not None:
            return say(texts.filled(values.prefix, about))
        shown = [command.usage for command in commands if values.chat.enabled or not command.chats]
        return say(texts.help_overview(values.prefix, shown))

    own = Command(
        name="help",
        meant=("commands",),
        run=show_help,
        usage=("help draw", "more about a command"),
        topic="{!help} lists the commands, {!help draw} says more about one.",
        documented=(("`!help`, `!help draw`", "a reminder of all this; `!draw --help` does the same"),),
    )
    return own
