"""Chat with a language model, through whichever backend the settings name.

Comes in: a conversation (`Message`) and the name of a model. Goes out: text as it grows, and a `ChatOutcome`.

`backend.ChatBackend` is the protocol; `backends.open_backend` makes the one that the settings name; each is a package
of its own in here, and `auto.Auto` is two of them in one. What any backend shares lies beside them: `turn` runs one
turn, `fitting` fits a conversation into a context, `answer` collects what streams, `thinking` (with `marks` and `code`)
hides thoughts and a template's marks, `beginnings` says when that can be told, `choice` remembers the default model,
`sight` which models see pictures, `card_use` is what models take of the card, `failures` and `too_long` are the errors
with their sentences. `description` asks what a picture shows. docs/architecture/adding-a-chat-backend.md shows the way
to another one.

The runner uses it, and holds the lease on the card while a turn of a backend runs that needs one.
"""

from . import description, failures
from .backend import BackendStatus, Capabilities, ChatBackend
from .backends import KINDS, open_backend, server_address
from .beginnings import Beginnings
from .builtin.files import FOLDER
from .card_use import CardModels, CardUse, Loaded, Wanted
from .choice import Choice
from .fitting import left_out_note
from .records import NO_WISHES, ChatModel, ChatOutcome, Message, ModelOptions, Tool, ToolCall, Unloaded, Usage, Wishes

__all__ = [
    "FOLDER",
    "KINDS",
    "NO_WISHES",
    "BackendStatus",
    "Beginnings",
    "Capabilities",
    "CardModels",
    "CardUse",
    "ChatBackend",
    "ChatModel",
    "ChatOutcome",
    "Choice",
    "Loaded",
    "Message",
    "ModelOptions",
    "Tool",
    "ToolCall",
    "Unloaded",
    "Usage",
    "Wanted",
    "Wishes",
    "description",
    "failures",
    "left_out_note",
    "open_backend",
    "server_address",
]
