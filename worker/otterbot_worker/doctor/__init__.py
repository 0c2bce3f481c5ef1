"""``otterbot-worker doctor``: what is there, what is missing, and can it draw? Nothing here needs a running worker."""

from .run import look

__all__ = ["look"]
