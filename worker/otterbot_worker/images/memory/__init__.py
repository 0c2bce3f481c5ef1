"""Where a loaded model lies: on the card, in parts of it, or cached in the computer's memory."""
