"""The worker's side of the disposable process that holds a graphics card.

``process`` starts and supervises it, ``messages`` is what both say to each other, ``card_lock`` keeps two of them off
one card. The process itself is ``images.child``.
"""
