"""What is typed after ``otterbot-worker token``, and what is printed."""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

from .. import config_file
from ..tokens.entries import MOST_A_DAY, NAME
from . import changes


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """``commands``: those of the whole program; ``common``: what each of them takes."""
    about = "tokens of other programs, each of which is a client of its own"
    tokens = commands.add_parser("token", help=about, description=about, parents=[common])
    commands = tokens.add_subparsers(title="commands", required=True, metavar="COMMAND")
    about = "make a token, and print it once: only its hash is stored"
    made = commands.add_parser("new", help=about, description=about, parents=[common])
    made.add_argument("name", metavar="NAME", type=_client_name, help="of the program: small letters, digits, - and _")
    made.add_argument("--per-day", type=_per_day, metavar="N", help="pictures in 24 hours (default: no limit)")
    about = "answers of a language model in 24 hours (default: no limit)"
    made.add_argument("--answers-per-day", type=_per_day, metavar="N", help=about)
    about = "for a person who runs the worker: may pause it, and open its page"
    made.add_argument("--operator", action="store_true", help=about)
    made.set_defaults(run=_new)
    about = "say who has a token, since when, when it was last used, and its limits"
    commands.add_parser("list", help=about, description=about, parents=[common]).set_defaults(run=_list)
    about = "refuse a token from now on, and cancel what its program has waiting"
    gone = commands.add_parser("revoke", help=about, description=about, parents=[common])
    gone.add_argument("name", metavar="NAME", type=_client_name)
    gone.set_defaults(run=_revoke)


def _new(asked: argparse.Namespace) -> int:
    settings, name = config_file.load(asked.config), asked.name
    token = changes.new(
        settings,
        name,
        kind="operator" if asked.operator else "program",
        per_day=asked.per_day,
        answers_per_day=asked.answers_per_day,
    )
    print(f"The token of {name}. It is shown this once; only its hash is stored:", file=sys.stderr)
    print(token, flush=True)
    if pictures := changes.pictures_of(settings, name):
        said = "There was a client of this name before. With this token, its pictures can be fetched"
        print(f"{said} ({pictures} in the archive).", file=sys.stderr)
    return 0


def _list(asked: argparse.Namespace) -> int:
    for line in changes.listed(config_file.load(asked.config)):
        print(line)
    return 0


def _revoke(asked: argparse.Namespace) -> int:
    changes.revoke(config_file.load(asked.config), asked.name)
    print(f"revoked: {asked.name} is refused from now on, and what it had waiting is cancelled")
    return 0


def _client_name(text: str) -> str:
    if re.fullmatch(NAME, text) is None:
        raise argparse.ArgumentTypeError("expected a name of at most 32 small letters, digits, - and _")
    return text


def _per_day(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST_A_DAY):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {MOST_A_DAY}")
    return int(text)
