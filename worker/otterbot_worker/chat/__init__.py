"""Chat with a local Ollama.

`ollama.Ollama` is the server as a whole: `server` speaks HTTP, `readying` and `loads` have a model in memory, `asking`
asks one turn of it, `turn` fits a conversation into its context, `thinking` hides what it thinks and its template's
marks, `beginnings` says when that can be told, `unloading` frees the card, `choice` remembers the default model,
`failures` says in plain sentences what went wrong. Only the dispatcher uses it: it holds the lease on the card while
a turn runs.
"""

from .beginnings import Beginnings
from .choice import Choice
from .ollama import ChatModel, ChatOutcome, ModelOptions, Ollama, OllamaSettings

__all__ = ["Beginnings", "ChatModel", "ChatOutcome", "Choice", "ModelOptions", "Ollama", "OllamaSettings"]
