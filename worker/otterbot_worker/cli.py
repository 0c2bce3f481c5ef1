"""The command ``otterbot-worker``."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sqlite3
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, config, config_file, logs, privacy, terminal
from .errors import CannotLook

if TYPE_CHECKING:
    from .models.catalogue import Catalogue
    from .models.entries import ModelEntry

log = logging.getLogger(__name__)

EXIT_NOTHING = 1
EXIT_USAGE = 2
FREE_SECONDS = 30.0
READ_SECONDS = 60.0
"""Time for reading new files: this list has to be complete."""


class Refused(Exception):
    """The command cannot do what was asked; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    terminal.never_fail()
    privacy.keep_to_ourselves()
    asked = _parser().parse_args(arguments)
    try:
        return int(asked.run(asked))
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
    named = os.environ.get("OTTERBOT_CONFIG")
    about = "the settings (default: $OTTERBOT_CONFIG, else built-in defaults)"
    parser.add_argument("--config", type=Path, default=Path(named) if named else None, metavar="FILE", help=about)
    # --config is also accepted after the command; SUPPRESS keeps the value given before it.
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=about)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, run, about in (
        ("serve", _serve, "run the worker"),
        ("doctor", _doctor, "look at the card, the libraries, the models, chat and the settings"),
        ("resume", _resume, "go on after a pause"),
        ("openapi", _openapi, "print the description of the HTTP API"),
    ):
        commands.add_parser(name, help=about, description=about, parents=[common]).set_defaults(run=run)
    about = "list the image models, and which are here"
    listed = commands.add_parser("models", help=about, description=about, parents=[common])
    about = "print how each one would lie in the memory of cards of some sizes, and how much it would need there"
    listed.add_argument("--plans", action="store_true", help=about)
    listed.set_defaults(run=_models)
    about = "say how a picture was made: the line to type in a room that makes it again, and what else the file says"
    shown = commands.add_parser("show", help="say how a picture was made", description=about, parents=[common])
    shown.add_argument("file", type=Path, metavar="FILE", help="a PNG, JPEG or WebP picture, or the .yml beside one")
    shown.add_argument("--json", action="store_true", help="print the request for the HTTP API instead")
    shown.set_defaults(run=_show)
    about = "free the card; queued work waits"
    paused = commands.add_parser("pause", help=about, description=about, parents=[common])
    paused.add_argument("--minutes", type=float, help="go on by itself after that (default: at `resume`)")
    paused.set_defaults(run=_pause)
    return parser


# ---------------------------------------------------------------- serving


def _serve(asked: argparse.Namespace) -> int:
    settings = config_file.load(asked.config)
    logs.setup(settings.log.level, settings.log.format)
    # Here, not above: the other commands do not need a server.
    from .api.auth import BadToken
    from .api.parts import AlreadyRunning
    from .api.server import serve
    from .queue import disk
    from .queue.migrations import DamagedDatabase, NewerDatabase

    while True:
        try:
            ended = asyncio.run(serve(settings))
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
    from .api import default as defaults
    from .api.parts import read_catalogue

    settings = config_file.load(asked.config)
    catalogue = read_catalogue(settings)
    if getattr(asked, "plans", False):
        return _plans(settings, catalogue.images.values())
    default = defaults.find(settings, catalogue, READ_SECONDS)
    look = catalogue.look(READ_SECONDS)
    broken = dict(look.broken)
    width = max(map(len, [*look.images, *broken]))
    for name, entry in look.images.items():
        where, why = _where(catalogue, entry)
        about = terminal.visible(broken.pop(name, why or entry.about))
        print(f"{'*' if name == default.name else ' '} {name:<{width}}  {where:<9}  {about}")
    for name, why in broken.items():
        print(f"  {name:<{width}}  {'broken':<9}  {terminal.visible(why)}")
    print(f"\n* the default{f'. {default.notice}' if default.notice else ''}")
    return 0


def _where(catalogue: Catalogue, entry: ModelEntry) -> tuple[str, str | None]:
    """Where the model's files are, in a word, and what is wrong."""
    try:
        return "here" if entry.here() else "on demand" if catalogue.available(entry) else "missing", None
    except CannotLook as error:
        return "unknown", error.sentence


def _plans(settings: config.Config, entries: Iterable[ModelEntry]) -> int:
    from .memory import placement_table

    reserves = {"reserve": settings.gpu.reserve_mb * 10**6, "ram_reserve": settings.gpu.ram_reserve_mb * 10**6}
    print(placement_table.page(entries, **reserves))
    return 0


def _doctor(asked: argparse.Namespace) -> int:
    settings = config_file.load(asked.config)
    print(f"settings    {asked.config or 'defaults'}: fine\ndata        {settings.data_dir}")
    print(f"worker      {_worker_line(settings)}")
    _models(asked)
    print()
    # In a process of its own: it imports torch and touches the card.
    command = [sys.executable, "-m", "otterbot_worker.doctor", "--device", settings.gpu.device]
    command += ["--data-dir", str(settings.data_dir), "--archive-dir", str(settings.archive_dir)]
    command += ["--min-free-gb", str(settings.archive.min_free_gb)]
    command += ["--downloads"] if settings.images.downloads else []
    command += ["--models", str(settings.images.catalogue)] if settings.images.catalogue else []
    return subprocess.run(command, check=False).returncode


def _worker_line(settings: config.Config) -> str:
    try:
        info = _call(settings, "GET", "/v1/info")
    except Refused as refused:
        return str(refused)
    paused = ", paused" if info["pause"]["paused"] else ""
    line = f"runs at {_address(settings)}{paused}; {info['queued']} wait, {info['running']} run"
    return f"{line}\nchat        {_chat_line(info)}"


def _chat_line(info: dict[str, Any]) -> str:
    """What answers chats, and what is to be known of it."""
    name, model, problem = info.get("chat_backend"), info.get("chat_model"), info.get("chat_problem")
    if name is None:
        return "switched off"
    said = [problem or (f"{name} answers, with {model}." if model else f"{name} answers."), info.get("chat_notice")]
    return terminal.visible(" ".join(filter(None, said)))


# ---------------------------------------------------------------- talking to the running worker


def _pause(asked: argparse.Namespace) -> int:
    settings = config_file.load(asked.config)
    _call(settings, "POST", "/v1/pause", {} if asked.minutes is None else {"minutes": asked.minutes})
    deadline = time.monotonic() + FREE_SECONDS
    while (info := _call(settings, "GET", "/v1/info"))["running"] or info["gpu"]["state"] != "stopped":
        if time.monotonic() > deadline:
            raise Refused("paused, but the card is not free yet; see the worker's log")
        time.sleep(0.1)
    print("paused; the card is free" + (f" for {asked.minutes:g} minutes" if asked.minutes else ""))
    return 0


def _resume(asked: argparse.Namespace) -> int:
    _call(config_file.load(asked.config), "POST", "/v1/resume")
    print("resumed")
    return 0


def _address(settings: config.Config) -> str:
    try:
        return settings.listen_file.read_text("ascii").strip()
    except OSError:
        raise Refused(f"no worker runs with the data directory {settings.data_dir}") from None


def _call(settings: config.Config, method: str, path: str, body: Any = None) -> Any:
    """One request to the worker of this data directory, with the first client's token.

    :raises Refused:
    """
    address = _address(settings)
    try:
        token = settings.token_file(next(iter(settings.api.clients))).read_text("ascii").strip()
    except OSError:
        raise Refused("the token file cannot be read; run this as the worker's user") from None
    request = urllib.request.Request(address + path, method=method)
    request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    try:
        with _opener().open(request, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise Refused(f"the worker answered {error.code}") from None
    except (OSError, ValueError):
        raise Refused(f"the worker at {address} does not answer") from None


def _opener() -> urllib.request.OpenerDirector:
    # This machine's own worker: its certificate is for the name that others use, so do not check it, and use no proxy.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


if __name__ == "__main__":
    sys.exit(main())
