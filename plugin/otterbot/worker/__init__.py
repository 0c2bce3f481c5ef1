"""The worker's HTTP API as its client sees it."""
