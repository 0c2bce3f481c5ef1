"""For whom the worker is installed: the person who types, or a user of its own."""

from __future__ import annotations

import os
import pwd
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import config_file
from ..own_worker import Refused
from . import looking
from .unit import NAME

DEFAULT = "otterbot"
Service = Literal["user", "system", "compose", "none"]


@dataclass(frozen=True, kw_only=True)
class Account:
    name: str
    uid: int
    gid: int
    home: Path
    system: bool
    """A user of its own, for whom root writes."""

    @property
    def settings(self) -> Path:
        return config_file.SYSTEM_FILE if self.system else config_file.user_file()

    @property
    def data_dir(self) -> Path | None:
        """Where it is kept unless somebody says otherwise; ``None``: as the settings have it."""
        return self.home / "data" if self.system else None

    @property
    def cache(self) -> Path:
        return self.home / ".cache"

    @property
    def unit(self) -> Path:
        return units()["system" if self.system else "user"]

    def give(self, path: Path) -> None:
        """What root made for it. :raises OSError:"""
        if self.system:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def units() -> dict[str, Path]:
    """Where the unit of each kind of service lies."""
    return {
        "user": config_file.user_file().parents[1] / "systemd/user" / NAME,
        "system": Path(looking.SYSTEM_UNITS[0]) / NAME,
    }


def of(service: Service, name: str | None) -> Account:
    """``name``: of a user of its own; ``None``: that of the unit that is there, else `DEFAULT`. :raises Refused:"""
    if service != "system":
        me = pwd.getpwuid(os.geteuid())
        return Account(name=me.pw_name, uid=me.pw_uid, gid=me.pw_gid, home=Path.home(), system=False)
    if os.geteuid() != 0:
        raise Refused("a unit of the system is written by root: sudo otterbot-worker setup --service system")
    name = name or _user_of_unit(units()["system"]) or DEFAULT
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        todo = f"useradd --system --create-home --home-dir /var/lib/{name} --shell /usr/sbin/nologin {name}"
        raise Refused(f"there is no user {name}; make one: {todo}") from None
    account = Account(name=name, uid=found.pw_uid, gid=found.pw_gid, home=Path(found.pw_dir), system=True)
    for path in (Path(program()[0]), Path(sys.executable).resolve()):
        if (closed := _closed_to(account, path)) is not None:
            todo = "install it, and a Python, where everybody may look, as into /opt/otterbot"
            raise Refused(f"{name} cannot open {closed}, where the worker or its Python is installed; {todo}")
    return account


def _user_of_unit(path: Path) -> str | None:
    try:
        found = re.search(r"^User=([a-z_][a-z0-9_-]*)$", path.read_text("utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return None
    return found[1] if found else None


def program() -> list[str]:
    """The words that run this program."""
    beside = Path(sys.executable).with_name("otterbot-worker")
    return [str(beside)] if beside.is_file() else [sys.executable, "-m", "otterbot_worker.cli"]


def check_open(who: Account, path: Path) -> None:
    """:raises Refused: root would write what the worker's user cannot reach"""
    if who.system and (closed := _closed_to(who, path)) is not None:
        raise Refused(f"{who.name} cannot open {closed}, so the worker could not use {path}; choose another place")


def _closed_to(account: Account, path: Path) -> Path | None:
    """The first folder on the way to ``path`` that the account may not enter."""
    for folder in reversed(path.parents):
        if not folder.exists():
            return None
        facts = folder.stat()
        bit = 0o100 if facts.st_uid == account.uid else 0o010 if facts.st_gid == account.gid else 0o001
        if account.uid != 0 and not facts.st_mode & bit:
            return folder
    return None
