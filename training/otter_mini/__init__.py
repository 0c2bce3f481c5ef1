"""Trains otter-mini, the small text-to-image model that ships with Otterbot."""
