"""Who runs the client's sync.

Full Maubot throws away the first sync after each of its starts, with the room keys in it. So the
client is set to ``sync: false`` and the plugin starts the sync, when it is ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maubot.client import Client as MaubotClient
    from mautrix.client import Client


def owner_of(client: Client) -> MaubotClient | None:
    """Maubot's entry of this account; ``None`` in standalone Maubot."""
    from maubot.client import Client as MaubotClient

    return MaubotClient.cache.get(client.mxid)


def by_maubot(client: Client) -> bool:
    """Maubot syncs this client itself, and loses what came while it was off."""
    owner = owner_of(client)
    return client.ignore_first_sync if owner is None else owner.sync


def ended(client: Client) -> bool:
    """Whether somebody has stopped the sync. (:mod:`.events` restarts one that a fatal error ended.)"""
    return owner_of(client) is not None and client.syncing_task is None


def take_over(client: Client) -> bool:
    """Start the sync if it does not run; false if Maubot syncs and may lose what came meanwhile."""
    owner = owner_of(client)
    if owner is None:
        return not by_maubot(client)  # standalone Maubot starts the sync, and can be configured to lose nothing
    running = client.syncing_task is not None and not client.syncing_task.done()
    if not running:
        if not owner.sync:
            client.ignore_first_sync = False
        if not owner.sync and len(owner.references) <= 1:
            # Room keys and invitations of the time before would be lost with the initial one. Old
            # messages do no harm here, but other plugins on this account would answer them.
            client.ignore_initial_sync = False
        client.start(owner.filter_id)
    return not owner.sync


def ready(client: Client) -> bool:
    """Whether Maubot has started the client: its homeserver answered, and its encryption is loaded.

    An instance may be started before (a plugin that is uploaded while the homeserver is away). Syncing with encryption
    that is not loaded would lose room keys, and sending with it fails.
    """
    owner = owner_of(client)
    loaded = client.crypto is None or client.crypto.account is not None
    return loaded and (owner is None or owner.started)
