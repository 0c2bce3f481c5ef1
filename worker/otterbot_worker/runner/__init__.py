"""Runs the queue's rows: one GPU job at a time on a card."""
