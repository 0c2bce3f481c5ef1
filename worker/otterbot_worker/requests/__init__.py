"""From what a client asked to a resolved request with nothing left open."""
