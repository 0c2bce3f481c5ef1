"""The homeserver: its HTTP API, encryption, cross-signing, what a room's state and a sync answer say."""
