"""``otterbot-worker models``: list them, fetch one, remove one. None of it needs a running worker."""

from .getting import get
from .removing import remove
from .table import page

__all__ = ["get", "page", "remove"]
