"""The systemd unit. ``docs/otterbot-worker.service`` is what this makes for a user's own, with the defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = "otterbot-worker.service"
AFTER = ("network-online.target", "nvidia-persistenced.service", "ollama.service")
"""What the worker is better started behind, where this machine has it."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    command: Sequence[str]
    writable: Sequence[Path]
    """Folders that it may write into, and no others."""
    after: Sequence[str] = ()
    user: str | None = None
    """Of a system unit; ``None``: it is a user's own."""
    home: Path | None = None
    """Of that user: paths in it are written so that they hold for another user as well."""

    @property
    def text(self) -> str:
        system = self.user is not None
        after = f"After={' '.join(self.after)}\n" if self.after else ""
        wants = "Wants=network-online.target\n" if "network-online.target" in self.after else ""
        mounts = f"RequiresMountsFor={' '.join(map(self._path, self.writable))}\n" if system else ""
        return TEXT.format(
            head=SYSTEM if system else USER,
            control="systemctl" if system else "systemctl --user",
            journal="journalctl" if system else "journalctl --user",
            order=after + wants + mounts,
            user=f"User={self.user}\n" if system else "",
            command=" ".join(map(self._word, self.command)),
            writable=" ".join(f"-{self._path(path)}" for path in self.writable),
            wanted="multi-user.target" if system else "default.target",
        )

    def _path(self, path: Path) -> str:
        if self.home is not None and path.is_relative_to(self.home) and path != self.home:
            return f"%h/{_quoted(str(path.relative_to(self.home)))}"
        return _quoted(str(path))

    def _word(self, word: str) -> str:
        return self._path(Path(word)) if word.startswith("/") else _quoted(word)


class Unwritable(Exception):
    """A path cannot stand in a unit; the message names it."""


def _quoted(text: str) -> str:
    """Percent signs begin specifiers in units. :raises Unwritable:"""
    if not text.isprintable() or any(character in text for character in " \"'\\$;"):
        raise Unwritable(f"{text!a} cannot stand in a systemd unit; choose a path without spaces and quotation marks")
    return text.replace("%", "%%")


USER = """\
# systemd user unit: copy to ~/.config/systemd/user/ (`otterbot-worker setup` writes it there), then
#   systemctl --user enable --now otterbot-worker && loginctl enable-linger
# `systemd-analyze --user verify FILE` checks it after changes."""
SYSTEM = """\
# systemd unit, written to /etc/systemd/system/ by `otterbot-worker setup`; then
#   systemctl enable --now otterbot-worker
# `systemd-analyze verify FILE` checks it after changes."""
TEXT = """\
{head}
[Unit]
Description=Otterbot worker
{order}# Tried again for about ten minutes (a VPN's address, or a disk, may come late), then left alone: a worker that
# cannot start says why in its log ({journal} -u otterbot-worker). `{control} start` begins anew.
StartLimitIntervalSec=900
StartLimitBurst=60

[Service]
{user}ExecStart={command}
Restart=always
RestartSec=10
# The running picture goes back into the queue; give it the time to do so.
TimeoutStopSec=30

# Pictures and prompts are this user's alone.
UMask=0077
# One handle for each connection, and some for the rest; the worker takes up to 65536.
LimitNOFILE=65536
# All of the computer's memory less what the system, the desktop and Ollama need: models that do not fit on the card lie
# there. Measure with `{control} status` while the largest model draws; too little shows as "killed by the kernel
# (out of memory?)". 16 GB of memory: 12G. The kernel then ends the GPU process, not the queue.
#MemoryMax=12G
OOMPolicy=continue

NoNewPrivileges=yes
PrivateTmp=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# The network, this machine's sockets, and the kernel's list of addresses. The driver of the card needs no more.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
# Only these can be written, and have to be there before the first start (`otterbot-worker setup` makes them).
# Where archive.dir, gpu.lock_file or HF_HOME name other folders later, add those. A user's own systemd does all
# of this where it may make namespaces, and else leaves these three lines out.
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={writable}
# Not PrivateDevices: it would hide the graphics card (/dev/nvidia*). Not MemoryDenyWriteExecute: torch compiles.

[Install]
WantedBy={wanted}
"""
