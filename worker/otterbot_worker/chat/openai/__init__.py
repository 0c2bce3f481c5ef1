"""Any server that speaks OpenAI's ``/v1/chat/completions``, as a chat backend: llama.cpp's, vLLM, LM Studio, LocalAI,
OpenAI itself.

`backend.OpenAI` is the server as a whole: `http` speaks to it, `sse` reads its streams, `wire` its JSON, `session` asks
one turn of it, `refusals` remembers what it does not take, `failures` says what only such a server can answer.
`home` keeps connections within the operator's network. The built-in backend asks its own server through the same parts.
"""

from .backend import OpenAI
from .settings import OpenAISettings

__all__ = ["OpenAI", "OpenAISettings"]
