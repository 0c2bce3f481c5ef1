"""Synapse's server, imported as its own fork starter does it: what is installed as Twisted's reactor gets a real one in
each fork (:mod:`lab.one_thread`), for a reactor that was made before does not work there."""

from __future__ import annotations

from synapse.app.complement_fork_proxied_reactor import ProxiedReactor
from twisted.internet.main import installReactor

installReactor(ProxiedReactor())

import synapse.app.homeserver  # noqa: E402, F401
