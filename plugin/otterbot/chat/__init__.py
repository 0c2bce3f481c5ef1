"""Turns of a chat: the conversation read out of the room, the answer streamed into it."""
