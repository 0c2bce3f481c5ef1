"""What the tests of the page need beside Python's packages: Debian's Chromium, and axe-core from npm.

Without them everything else works, and those tests fail with a sentence that says what to install.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

CHROMIUM, AXE = "chromium", "axe-core"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
INSIDE = "package/axe.min.js"
SAYS_HOW = "The tests of the page need Chromium. Debian and Ubuntu: apt install chromium"


class NotThere(Exception):
    """It could not be installed; the message is for people."""


def chromium() -> str | None:
    """The path of the system's browser."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def install_chromium(run: Callable[..., str]) -> None:
    """With the system's packages, where we may. :raises NotThere:"""
    if shutil.which("apt-get") is None:
        raise NotThere(SAYS_HOW)
    become: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise NotThere(SAYS_HOW)
        become = ["sudo", "--non-interactive"]
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run([*become, "apt-get", "update"], env=quiet)
    run([*become, "apt-get", "install", "-y", "--no-install-recommends", "chromium"], env=quiet)
    if chromium() is None:
        raise NotThere(SAYS_HOW)


def install_axe(pin: Path, folder: Path, run: Callable[..., str]) -> None:
    """Into ``folder``, as ``axe.min.js``. ``pin``: a file with ``NAME@VERSION HASH``, as npm writes them.

    :raises NotThere:
    """
    name, integrity = pin.read_text().split()
    if shutil.which("npm") is None:
        raise NotThere("The tests of the page need npm, to fetch axe-core. Debian and Ubuntu: apt install npm")
    run(["npm", "pack", name, "--silent", "--pack-destination", str(folder)])
    packed = folder / f"{name.replace('@', '-')}.tgz"
    try:
        if integrity != "sha512-" + base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode():
            raise NotThere(f"{name} is not what {pin} says")
        with tarfile.open(packed) as archive:
            found = archive.extractfile(INSIDE)
            if found is None:
                raise NotThere(f"{name} has no {INSIDE}")
            (folder / "axe.min.js").write_bytes(found.read())
    finally:
        packed.unlink(missing_ok=True)
