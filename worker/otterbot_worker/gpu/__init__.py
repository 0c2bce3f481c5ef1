"""The disposable process that holds the graphics card, and the handle on it.

``process`` is the parent's side and never imports torch; ``child`` is the process itself;
``messages`` is what they say to each other; ``lease`` keeps two of them off one card.
"""
