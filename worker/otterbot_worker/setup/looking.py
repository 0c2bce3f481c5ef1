"""What `setup` looks at before it asks: addresses, Ollama, systemd."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from .. import own_worker
from ..doctor import address
from .questions import Wrong

SECONDS = 2.0
ANSWER_BYTES = 10_000
SYSTEM_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                "/usr/lib/systemd/system", "/lib/systemd/system")  # fmt: skip
USER_UNITS = ("/etc/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")


def ollama(url: str) -> str | None:
    """Its version, where an Ollama answers at ``url``."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/version", timeout=SECONDS) as response:
            found = json.loads(response.read(ANSWER_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    version = found.get("version") if isinstance(found, dict) else None
    return version if isinstance(version, str) and re.fullmatch(r"[\w.+-]{1,40}", version) else None


def ollama_url(answer: str) -> str | None:
    """From what somebody types; ``None``: no Ollama. :raises Wrong:"""
    if answer.lower() in ("none", "no", "null", "off"):
        return None
    url = answer if "://" in answer else f"http://{answer}"
    url = url.rstrip("/").removesuffix("/v1")
    if re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?(/[\w./-]*)?", url) is None:
        raise Wrong("expected an address as http://127.0.0.1:11434, or none")
    return url


def host(answer: str) -> str:
    """An address at which this machine can listen. :raises Wrong:"""
    try:
        found = socket.getaddrinfo(answer, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise Wrong(f"nobody knows this address; this machine has {_own()}") from None
    for family, kind, protocol, _, place in found:
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise Wrong(f"this machine has no such address; it has {_own()}") from None
    return answer


def port(answer: str) -> int:
    """:raises Wrong:"""
    if not (answer.isascii() and answer.isdigit() and len(answer) < 6 and 1 <= int(answer) <= 65_535):
        raise Wrong("expected a number from 1 to 65535")
    return int(answer)


def taken(at: str, number: int) -> bool:
    """Whether something else listens there."""
    for family, kind, protocol, _, place in socket.getaddrinfo(at, number, type=socket.SOCK_STREAM):
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(place)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def reached_at(at: str) -> str:
    """The address that the plugin is given, where the worker listens at ``at``."""
    found = next(iter(address.reached_at(at)), "127.0.0.1")
    return f"[{found}]" if ":" in found else found


def _own() -> str:
    return ", ".join(["127.0.0.1", *address.own_addresses(), "0.0.0.0 for all of them"])


def has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir()


def existing(units: Sequence[str], *, system: bool) -> list[str]:
    """Those that this machine has."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    folders = SYSTEM_UNITS if system else (str(home / "systemd/user"), *USER_UNITS)
    return [unit for unit in units if any((Path(folder) / unit).exists() for folder in folders)]


def answers(where: str) -> bool:
    return own_worker.is_alive(where)
