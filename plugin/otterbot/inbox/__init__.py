"""What comes in from Matrix, once and in order: syncs, backfill, edits, messages that wait for their room key."""
