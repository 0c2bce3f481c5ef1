"""A small language model on the processor, for where there is nothing else to chat with.

`backend.Builtin` is all of it: `files` finds models, `gguf_header` reads how much fits into one, `process` runs
`child`, the program in which llama.cpp's server has a model, and `session` asks that one as any OpenAI-compatible
server. It is a process of its own because native code may crash, and so that the worker stays small.
"""

from .backend import Builtin
from .settings import BuiltinSettings

__all__ = ["Builtin", "BuiltinSettings"]
