"""Otterbot draws and chats in Matrix rooms, on the operator's own graphics card."""

from .bot import Otterbot

__all__ = ["Otterbot"]
