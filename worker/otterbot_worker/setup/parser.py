"""What is typed after ``otterbot-worker setup``."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any, common: argparse.ArgumentParser) -> None:
    """``commands``: those of the whole program; ``common``: what each of them takes."""
    about = (
        "ask for data directory, address, Ollama and downloads; write settings, token and systemd unit; say "
        "what to paste into Maubot. Run again, it changes only what is answered differently"
    )
    made = commands.add_parser(
        "setup", help="install the worker: settings, token, unit", description=about, parents=[common]
    )
    about = "who starts it: the user's systemd, the system's (as root), compose (prints a service), or none"
    made.add_argument("--service", choices=("user", "system", "compose", "none"), help=about)
    made.add_argument("--data-dir", metavar="DIR", help="where queue, token and pictures are kept")
    about = "where it listens: 127.0.0.1 for a Maubot on this machine, else an address of your LAN or VPN"
    made.add_argument("--host", metavar="ADDRESS", help=about)
    made.add_argument("--port", metavar="N")
    made.add_argument("--ollama", metavar="URL", help="its address, or none")
    about = "whether a model that is not here may be downloaded when it is first asked for"
    made.add_argument("--downloads", choices=("yes", "no"), help=about)
    made.add_argument("--user", metavar="NAME", help="whose a system unit is (default: otterbot)")
    made.add_argument("--yes", action="store_true", help="ask nothing: take the flags, and else what would be offered")
    made.set_defaults(run=_run)


def _run(asked: argparse.Namespace) -> int:
    from .run import run

    return run(asked)
