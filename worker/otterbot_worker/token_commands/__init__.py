"""``otterbot-worker token``: make one for another program, list them, revoke one. None of it needs a running worker."""

from .parsers import add_parser

__all__ = ["add_parser"]
