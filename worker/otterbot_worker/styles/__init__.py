"""Styles by name: those that ship with the worker, and those of files that an operator drops into ``styles/``.

How their words are put around a picture's is `schemas.style_words`; which of them a request means, `requests.styles`.
"""

from .library import FOLDER, StyleLibrary
from .style import Style, fold

__all__ = ["FOLDER", "Style", "StyleLibrary", "fold"]
