"""Lanes on other machines: actors of a Ray cluster that the operator runs.

::

    API process                 relay, one a lane            another machine
    gpu.process ⇄ socket ⇄ driver of Ray (relay) ⇄ Ray ⇄ actor (seat) ⇄ socket ⇄ GPU process
    watch       ◀ pipe   ◀ driver of Ray (scout): which machines there are, and which models they have

The API process does not know Ray: a library that ends its process when a cluster goes must not be in it. Relay and
scout are small programs that die as a GPU process may, and are started again.
"""
