"""The command ``otterbot-worker``."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sqlite3
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, config, config_file, logs, privacy, setup, terminal, token_commands
from .errors import CannotLook
from .own_worker import Refused, call

if TYPE_CHECKING:
    from .models.entries import ModelEntry

log = logging.getLogger(__name__)

EXIT_NOTHING = 1
EXIT_USAGE = 2
EXIT_PIPE = 141
"""As of a program that dies of it: whoever reads has seen enough, as `head` does."""
FREE_SECONDS = 30.0
READ_SECONDS = 60.0
"""Time for reading new files: this list has to be complete."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    terminal.never_fail()
    privacy.keep_to_ourselves()
    asked = _parser().parse_args(arguments)
    try:
        code = int(asked.run(asked))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor may what is left be written at the exit
        return EXIT_PIPE
    except CannotLook as error:
        print(f"otterbot-worker: {error.sentence}", file=sys.stderr)
        return EXIT_NOTHING
    except (config.BadConfig, Refused) as error:
        print(f"otterbot-worker: {error}", file=sys.stderr)
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otterbot-worker", description="The GPU worker of Otterbot.")
    parser.add_argument("--version", action="version", version=f"otterbot-worker {__version__}")
    about = "the settings (default: $OTTERBOT_CONFIG, else the file that `setup` has written, else built-in defaults)"
    parser.add_argument("--config", type=Path, default=config_file.default_file(), metavar="FILE", help=about)
    # --config is also accepted after the command; SUPPRESS keeps the value given before it.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=about)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, run, about in (
        ("serve", _serve, "run the worker"),
        ("lanes", _lanes, "list the cards of the running worker, and what they do"),
        ("openapi", _openapi, "print the description of the HTTP API"),
    ):
        commands.add_parser(name, help=about, description=about, parents=[common]).set_defaults(run=run)
    about = "look at the card, the libraries, the disk, the address, the models and chat; needs no running worker"
    looked = commands.add_parser("doctor", help=about, description=about, parents=[common])
    looked.add_argument("--json", action="store_true", help="print the same findings for programs, with stable codes")
    looked.set_defaults(run=_doctor)
    about = "list the image models, and which are here"
    listed = commands.add_parser("models", help=about, description=about, parents=[common])
    about = "print how each one would lie in the memory of cards of some sizes, and how much it would need there"
    listed.add_argument("--plans", action="store_true", help=about)
    listed.add_argument("--about", action="store_true", help="say what each is good for as well")
    listed.set_defaults(run=_models)
    _models_parsers(listed.add_subparsers(title="commands", metavar="COMMAND"), common)
    token_commands.add_parser(commands, common)
    setup.add_parser(commands, common)
    about = "say how a picture was made: the line to type in a room that makes it again, and what else the file says"
    shown = commands.add_parser("show", help="say how a picture was made", description=about, parents=[common])
    shown.add_argument("file", type=Path, metavar="FILE", help="a PNG, JPEG or WebP picture, or the .yml beside one")
    shown.add_argument("--json", action="store_true", help="print the request for the HTTP API instead")
    shown.set_defaults(run=_show)
    about = "free the card; queued work waits"
    paused = commands.add_parser("pause", help=about, description=about, parents=[common])
    paused.add_argument("--minutes", type=float, help="go on by itself after that (default: at `resume`)")
    about_lane = "one card alone, by its name in `lanes`, as cuda:1; the others go on"
    paused.add_argument("--lane", metavar="NAME", help=about_lane)
    paused.set_defaults(run=_pause)
    about = "go on after a pause"
    resumed = commands.add_parser("resume", help=about, description=about, parents=[common])
    resumed.add_argument("--lane", metavar="NAME", help="one card that was paused alone")
    resumed.set_defaults(run=_resume)
    return parser


def _models_parsers(commands: Any, common: argparse.ArgumentParser) -> None:
    about = "fetch a model from the hub: says before what it takes and under which licence, and goes on where it ended"
    got = commands.add_parser("get", help="fetch a model from the hub", description=about, parents=[common])
    got.add_argument("name", metavar="NAME")
    got.add_argument("--accept", action="store_true", help="its licence is accepted, where that is asked for")
    got.set_defaults(run=_models_get)
    about = "remove what was fetched of a model; what another model uses stays"
    removed = commands.add_parser("rm", help="remove what was fetched of a model", description=about, parents=[common])
    removed.add_argument("name", metavar="NAME")
    removed.add_argument("--yes", action="store_true", help="do not ask")
    removed.set_defaults(run=_models_rm)


# ---------------------------------------------------------------- serving


def _serve(asked: argparse.Namespace) -> int:
    settings = config_file.load(asked.config)
    logs.setup(settings.log.level, settings.log.format)
    # Here, not above: the other commands do not need a server.
    from .api.auth import BadToken
    from .api.parts import AlreadyRunning
    from .api.server import serve
    from .page import mount as page
    from .queue import disk
    from .queue.migrations import DamagedDatabase, NewerDatabase

    mounts = [found for found in (page.mount(settings),) if found is not None]
    while True:
        try:
            ended = asyncio.run(serve(settings, mounts))
            terminal.forget_unwritten()
            return ended
        except (AlreadyRunning, BadToken, DamagedDatabase, NewerDatabase) as error:
            raise Refused(str(error)) from None
        except (OSError, sqlite3.OperationalError) as error:
            if disk.later(error):
                log.error("cannot start while the disk is full; it is tried again until there is room")
                time.sleep(disk.SECONDS[-1])
                continue
            named = error if isinstance(error, OSError) else None
            where = f"{named.filename}: " if named and named.filename else ""
            raise Refused(f"cannot start: {where}{(named and named.strerror) or error}") from None


def _openapi(_: argparse.Namespace) -> int:
    from .api import app, openapi

    print(openapi.text(app.OPERATIONS), end="")
    return 0


# ---------------------------------------------------------------- pictures


def _show(asked: argparse.Namespace) -> int:
    from .archive import containers, reading, showing

    name = terminal.visible(str(asked.file))
    try:
        found = reading.read(asked.file)
    except containers.NoSettings as error:
        print(f"otterbot-worker: {name} {error}", file=sys.stderr)
        return EXIT_NOTHING
    except containers.BadPicture as error:
        raise Refused(f"{name} {error}") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL in it
        raise Refused(f"{name} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not asked.json:
        print(showing.page(found))
        return 0
    print(json.dumps(found.request, indent=2))
    for note in found.notes:
        print(f"otterbot-worker: {showing.one_line(note)}", file=sys.stderr)
    return 0


# ---------------------------------------------------------------- models and the machine


def _models(asked: argparse.Namespace) -> int:
    from . import model_commands
    from .api import default as defaults
    from .api.parts import read_catalogue

    settings = config_file.load(asked.config)
    catalogue = read_catalogue(settings)
    if asked.plans:
        return _plans(settings, catalogue.images.values())
    default = defaults.find(settings, catalogue, READ_SECONDS)
    for line in model_commands.page(catalogue, default, **_reserves(settings), about=asked.about):
        print(line)
    return 0


def _models_get(asked: argparse.Namespace) -> int:
    from . import model_commands
    from .api.parts import read_catalogue

    return model_commands.get(read_catalogue(config_file.load(asked.config)), asked.name, accept=asked.accept)


def _models_rm(asked: argparse.Namespace) -> int:
    from . import model_commands
    from .api.parts import read_catalogue

    settings = config_file.load(asked.config)
    others = filter(None, (settings.images.safety_checker, settings.images.captioner))
    return model_commands.remove(read_catalogue(settings), asked.name, also_used=others, yes=asked.yes)


def _reserves(settings: config.Config) -> dict[str, int]:
    """Bytes that pictures leave free."""
    return {"reserve": settings.gpu.reserve_mb * 10**6, "ram_reserve": settings.gpu.ram_reserve_mb * 10**6}


def _plans(settings: config.Config, entries: Iterable[ModelEntry]) -> int:
    from .memory import placement_table

    print(placement_table.page(entries, **_reserves(settings)))
    return 0


def _doctor(asked: argparse.Namespace) -> int:
    from . import doctor

    return doctor.look(asked.config, as_json=asked.json)


# ---------------------------------------------------------------- talking to the running worker


def _pause(asked: argparse.Namespace) -> int:
    settings = config_file.load(asked.config)
    wanted = {"minutes": asked.minutes, "lane": asked.lane}
    call(settings, "POST", "/v1/pause", {name: value for name, value in wanted.items() if value is not None})
    deadline = time.monotonic() + FREE_SECONDS
    while not _free(call(settings, "GET", "/v1/info"), asked.lane):
        if time.monotonic() > deadline:
            raise Refused("paused, but the card is not free yet; see the worker's log")
        time.sleep(0.1)
    which = "the card is" if asked.lane is None else f"{asked.lane} is"
    print(f"paused; {which} free" + (f" for {asked.minutes:g} minutes" if asked.minutes else ""))
    return 0


def _free(info: Any, lane: str | None) -> bool:
    """Whether all cards are free and nothing runs; with ``lane`` that one card."""
    cards = [card for card in info["lanes"] if lane in (None, card["name"])]
    quiet = all(not card["busy"] and card["gpu"]["state"] == "stopped" for card in cards)
    return quiet and (lane is not None or not info["running"])


def _resume(asked: argparse.Namespace) -> int:
    call(config_file.load(asked.config), "POST", "/v1/resume", {} if asked.lane is None else {"lane": asked.lane})
    print("resumed" if asked.lane is None else f"{asked.lane} goes on")
    return 0


def _lanes(asked: argparse.Namespace) -> int:
    from . import lane_list

    for line in lane_list.lines(call(config_file.load(asked.config), "GET", "/v1/info")):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
