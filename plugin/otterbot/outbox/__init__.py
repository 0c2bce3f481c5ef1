"""What goes into rooms: built, sent in fair turns, each thing exactly once."""
