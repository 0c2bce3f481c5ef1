"""The worker's side of the disposable process that holds a graphics card.

``process`` starts and supervises it, ``messages`` is the protocol, ``card_lock`` keeps two of them off one card. Its
program is ``images.child``.
"""
