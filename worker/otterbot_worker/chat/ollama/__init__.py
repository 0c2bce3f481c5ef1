"""Ollama as a chat backend.

`backend.Ollama` is the server as a whole: `http` speaks to it, `wire` reads and writes its JSON, `preload` and `loads`
have a model in memory, `session` asks one turn of it, `unloading` frees the card, `context_length` knows how much fits,
`failures` says what only Ollama can answer. docs/architecture.md says what it would do in silence, and is kept from.
"""

from .backend import Ollama
from .settings import OllamaSettings

__all__ = ["Ollama", "OllamaSettings"]
