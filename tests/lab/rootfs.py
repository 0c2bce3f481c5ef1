"""The root of a file system as an image has it, made without an engine: an empty folder that a command takes for ``/``.

The system's programs and one virtual environment, which stands for the Python of the base image, are mounted into it
for each command, in a mount namespace that ends with the command. What is written goes into the folder; what is written
to ``/usr`` and into the environment, into layers over them. Only root may do this.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .places import python

LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
LIKE_DEBIAN = ("login.defs", "nsswitch.conf")
"""Files below ``/etc`` that every Debian has, the base image too."""
PIP = "import sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
"""The command, which in an environment that was copied from another place names that place's Python."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INTO = r"""
root=$1; shift
while [ "$1" != -- ]; do
    mount --bind "$1" "$root$1"
    mount -o remount,bind,ro "$root$1"
    shift
done
shift
while [ "$1" != -- ]; do
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/over,workdir=$2/work" "$root$1"
    shift 2
done
shift
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
exec chroot "$root" "$@"
"""
"""A script: the folder, what is mounted to be read, ``--``, what is mounted with the place of a layer each, ``--``, the
command."""
NOBODYS = ("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""For ``setpriv``: compose's ``cap_drop: [ALL]`` and ``no-new-privileges``."""


def possible() -> bool:
    """Whether this process may mount at all."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0


class RootFs:
    """Made anew in the folder ``path``, which may not be there yet; folders beside it hold the layer.

    ``venv``: the name of the virtual environment.
    """

    def __init__(self, path: Path, venv: str) -> None:
        self.path, self.venv = path, Path(python(venv)).parents[1]
        base = os.path.realpath(self.venv / "bin" / "python")
        self._read = [place for place in LINKED if Path(place).is_dir() and not Path(place).is_symlink()]
        if not base.startswith("/usr/"):
            self._read.append(str(Path(base).parents[1]))
        path.mkdir(parents=True)
        self._layers = {place: path.with_name(f"{path.name}-{Path(place).name}") for place in ("/usr", str(self.venv))}
        for place in (*self._read, *self._layers, "/etc", "/dev", "/proc", "/root", "/home"):
            (path / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for layer in self._layers.values():
            (layer / "over").mkdir(parents=True)
            (layer / "work").mkdir()
        for place in LINKED:
            if Path(place).is_symlink():
                self.within(place).symlink_to(os.readlink(place))
        self.within("/tmp").mkdir(exist_ok=True)  # there already where the repository lies in /tmp
        self.within("/tmp").chmod(0o1777)
        etc = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n", "hosts": "127.0.0.1 localhost\n"}
        pip = self.within(f"{self.venv}/bin/pip")
        pip.parent.mkdir()
        pip.write_text(f"#!{self.venv}/bin/python\n{PIP}")
        pip.chmod(0o755)
        for name in LIKE_DEBIAN:
            if (own := Path("/etc") / name).exists():
                etc[name] = own.read_text()
        for name, text in etc.items():
            self.within(f"/etc/{name}").write_text(text)

    def within(self, place: str) -> Path:
        """Where what is written to ``place`` of the image lies here."""
        for below, layer in self._layers.items():
            if place.startswith(f"{below}/"):
                return layer / "over" / place.removeprefix(f"{below}/")
        return self.path / place.lstrip("/")

    def environment(self, more: Mapping[str, str], home: str = "/root") -> dict[str, str]:
        """Nothing of ours."""
        return {"PATH": f"{self.venv}/bin:{PATH}", "HOME": home, "LANG": "C.UTF-8", **more}

    def command(self, words: Sequence[str], user: str | None = None) -> list[str]:
        """``user``: with none of root's rights; root itself where there is none."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *NOBODYS] if user else []
        layers = [str(word) for pair in self._layers.items() for word in pair]
        inside = [str(self.path), *self._read, "--", *layers, "--", *who, *words]
        return ["unshare", "--mount", "--propagation=private", "sh", "-euc", INTO, "sh", *inside]

    def run(
        self, words: Sequence[str], env: Mapping[str, str], user: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command, nothing = self.command(words, user), subprocess.DEVNULL
        return subprocess.run(command, env=dict(env), stdin=nothing, capture_output=True, text=True, check=False)
