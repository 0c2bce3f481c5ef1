"""Placement of loaded models: on the card, partly on it, or cached in the computer's memory."""
