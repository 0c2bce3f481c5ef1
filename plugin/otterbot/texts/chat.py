"""What is said about chats, beside the answers themselves."""

from __future__ import annotations

CHAT_TOO_FAST = (
    "This goes on faster, or for longer, than people talk, so I stop here: two bots would never end. "
    "Write again after half a minute of silence, and I answer."
)
CHAT_OFF = "Chat is switched off here."
CHAT_BROKE_OFF = "⚠️ The answer broke off here. Ask me to go on, and I try."
CHAT_UNREADABLE = "❌ I cannot read that message any more, so I cannot answer it. Please send it again."
CHAT_FORGOTTEN = "❌ The answer was ready while I was away, and the worker has forgotten it. Please ask again."
CHAT_REST_FORGOTTEN = "❌ The worker has forgotten the rest of this answer. Please ask again."
CHAT_EMPTY = "❌ The chat model said nothing. Please ask in other words."
CHAT_NOT_POSTED = "❌ The homeserver did not take the answer."
CHAT_HISTORY_UNREAD = "⚠️ The homeserver did not let me read all that was said before, so I answered without it."
CHAT_WAITS = "⏳ First comes the answer before this one."
MORE_COMES = "…"
"""At the end of an answer that still grows."""
CHAT_GOES_ON = "📎 The rest of this answer is too long for the room; it is in the file below."
CHAT_REST_UNREADABLE = "(The rest of this answer stood in a file that cannot be read any more.)"
CHAT_REST_NOT_POSTED = "❌ The homeserver did not take the file with the rest of this answer."
CHAT_STOPPED = "🛑 Stopped here, as somebody wished."
THOUGHTS = "Thoughts"
THOUGHTS_FOLDED = "💭 What the model thought before is folded, for clients that can show it."
