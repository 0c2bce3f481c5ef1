"""The plugin as Maubot sees it, and the composition of its parts."""

from .plugin import Otterbot

__all__ = ["Otterbot"]
