"""What `setup` has to know, from flags, from answers, and from what the settings say already."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ..config import Config
from . import account, looking
from .account import Account, Service
from .questions import Questions, Wrong, yes_or_no
from .settings_file import Key


@dataclass(frozen=True, kw_only=True)
class Answers:
    data_dir: str
    host: str
    port: int
    ollama_url: str | None
    downloads: bool

    def values(self, config: Config) -> dict[Key, Any]:
        """What the settings have to say anew; ``config``: what they say."""
        new: dict[Key, Any] = {
            ("api", "host"): self.host,
            ("api", "port"): self.port,
            ("images", "downloads"): self.downloads,
            ("chat", "ollama_url"): self.ollama_url,
        }
        old: dict[Key, Any] = {
            ("api", "host"): config.api.host,
            ("api", "port"): config.api.port,
            ("images", "downloads"): config.images.downloads,
            ("chat", "ollama_url"): config.chat.ollama_url,
        }
        return {key: value for key, value in new.items() if value != old[key]}


def service(questions: Questions, asked: argparse.Namespace) -> Service:
    """Who starts the worker. :raises Refused:"""
    root = os.geteuid() == 0
    here = [name for name, path in account.units().items() if path.exists()]
    offered = here[0] if here else "none" if not looking.has_systemd() else "system" if root else "user"
    question = "Who starts the worker: user (your systemd), system (as root), compose (prints a service), none"

    def check(answer: str) -> Service:
        kinds: tuple[Service, ...] = get_args(Service)
        found = next((name for name in kinds if name == answer), None)
        if found is None:
            raise Wrong("expected user, system, compose or none")
        return found

    return questions.value(question, asked.service, offered, check)


def chat_and_downloads(questions: Questions, asked: argparse.Namespace, config: Config) -> tuple[str | None, bool]:
    """:raises Refused:"""
    offered = config.chat.ollama_url or "none"
    if config.chat.ollama_url is not None:
        version = looking.ollama(config.chat.ollama_url)
        where = f"Ollama {version} answers" if version else "No Ollama answers"
        print(f"{where} at {config.chat.ollama_url}.")
    ollama_url = questions.value("Ollama's address, or none", asked.ollama, offered, looking.ollama_url)
    if ollama_url is not None and ollama_url != config.chat.ollama_url and looking.ollama(ollama_url) is None:
        print(f"Nothing answers at {ollama_url} yet; the worker looks again by itself.")
    question = "May models be downloaded from Hugging Face when they are first asked for (yes: 5 GB for the default)"
    downloads = questions.value(question, asked.downloads, "yes" if config.images.downloads else "no", yes_or_no)
    return ollama_url, downloads


def all_of(questions: Questions, asked: argparse.Namespace, config: Config, who: Account, *, new: bool) -> Answers:
    """``new``: there are no settings yet. :raises Refused:"""
    kept = str((who.data_dir if new else None) or config.data_dir)
    data_dir = questions.value("Where queue, token and pictures are kept", asked.data_dir, kept, _folder)
    question = "Where it listens: 127.0.0.1 for a Maubot on this machine, else an address of your LAN or VPN"
    host = questions.value(question, asked.host, config.api.host, looking.host)
    port = questions.value("Port", asked.port, str(config.api.port or 8585), looking.port)
    ollama_url, downloads = chat_and_downloads(questions, asked, config)
    return Answers(data_dir=data_dir, host=host, port=port, ollama_url=ollama_url, downloads=downloads)


def _folder(answer: str) -> str:
    path = Path(os.path.expanduser(answer))
    if not path.is_absolute() or not answer.isprintable():
        raise Wrong("expected an absolute path")
    if path.exists() and not path.is_dir():
        raise Wrong("this is no folder")
    return str(path)
