"""Synapse without threads for database and JSON: ``python one_thread.py -c homeserver.yaml``, in its own environment.

Each call of the database goes to another thread and back, which is a third of what Synapse costs on SQLite. SQLite has
one connection there, so no two of them ever ran side by side. As in Synapse's own tests, each waits its turn in the
reactor instead, and requests go on between each other at the same places. Answers are made into JSON at once, which
takes less than the way to a thread and back. What else Synapse gives to threads stays there: a file that is sent waits
for its reader.

It may be a fork of a process that has imported Synapse, :mod:`forks.synapse_ready`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from synapse.app.complement_fork_proxied_reactor import ProxiedReactor
from twisted.enterprise.adbapi import ConnectionPool
from twisted.internet import defer, threads
from twisted.internet.interfaces import IReactorFromThreads

_to_thread = threads.deferToThreadPool


def _in_turn(
    reactor: IReactorFromThreads, pool: Any, function: Callable[..., Any], *args: Any, **options: Any
) -> defer.Deferred[Any]:
    """``threads.deferToThreadPool``, without a thread for a database's call."""
    if not isinstance(getattr(function, "__self__", None), ConnectionPool):
        return _to_thread(reactor, pool, function, *args, **options)
    done: defer.Deferred[Any] = defer.Deferred()

    def call() -> None:
        try:
            result = function(*args, **options)
        except BaseException:
            done.errback()
        else:
            done.callback(result)

    reactor.callLater(0, call)
    return done


threads.deferToThreadPool = _in_turn


async def _at_once(_reactor: IReactorFromThreads, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """``synapse.logging.context.defer_to_thread``, as Synapse's HTTP server calls it for each answer."""
    return function(*args, **options)


if __name__ == "__main__":
    import synapse.http.server
    from synapse.app.homeserver import main
    from twisted.internet import reactor
    from twisted.internet.epollreactor import EPollReactor

    if isinstance(reactor, ProxiedReactor):
        reactor._install_real_reactor(EPollReactor())
    synapse.http.server.defer_to_thread = _at_once
    main()
