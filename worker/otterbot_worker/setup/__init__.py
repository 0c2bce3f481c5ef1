"""``otterbot-worker setup``: asks what has to be known, and writes settings, token and systemd unit."""

from .parser import add_parser

__all__ = ["add_parser"]
