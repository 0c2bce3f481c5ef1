"""Chat with a local Ollama: `ollama.Ollama` speaks to the server, `turn` fits a conversation into the model's context,
`thinking` hides what a model thinks, `failures` says in plain sentences what went wrong.

Only the dispatcher uses it: it holds the lease on the card while a turn runs.
"""

from otterbot_worker.chat.ollama import ChatModel, ChatOutcome, ModelOptions, Ollama, OllamaSettings

__all__ = ["ChatModel", "ChatOutcome", "ModelOptions", "Ollama", "OllamaSettings"]
