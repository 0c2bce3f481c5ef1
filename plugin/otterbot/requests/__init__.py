"""Accepted requests, from their submission to the worker until their result stands in the room."""
