"""Has the bot's own device cross-signed: clients need not send keys to devices that are not, nor show their messages.

The homeserver is asked at the start and now and then; what is wrong is mended where that can be done without the
operator, else named in the log (once) and by ``!status``. Nothing here can fail the start.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from mautrix.api import Method, Path

from .. import texts
from ..config import Values
from ..store.recovery_keys import RecoveryKeys
from .device_trust import Standing, Trust, standing
from .signing_keys import KeysNotOurs, PasswordWanted, SigningKeys

if TYPE_CHECKING:
    from mautrix.client import Client

BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds to wait after each further failure."""
SAY_AFTER = 4
"""After so many failures in a row a warning is shown; a restarting homeserver causes fewer."""
UNSIGNED_AGAIN = 60.0
SIGNED_AGAIN = 6 * 3600.0
"""Seconds between two checks: the account's keys may be reset or repaired at any time."""
LOOK_AT_SETTING = 1.0


class CrossSigning:
    """One per plugin instance. ``warnings`` is the list that ``!status`` shows."""

    def __init__(
        self,
        client: Client,
        recovery: RecoveryKeys,
        values: Callable[[], Values],
        warnings: list[str],
        log: logging.Logger,
    ) -> None:
        self._client = client
        self._keys = SigningKeys(client, recovery)
        self._values = values
        self._warnings = warnings
        self._log = log
        self._warning: str | None = None
        self._task: asyncio.Task[None] | None = None
        self.signed: bool | None = None
        """Whether the device is cross-signed; ``None``: not known yet."""

    def start(self) -> None:
        if self._client.crypto is not None:
            self._task = asyncio.create_task(self._run(), name="otterbot cross-signing")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                warning = await self.look()
                failures, wait = 0, SIGNED_AGAIN if self.signed else UNSIGNED_AGAIN
                self._warn(warning)
            except Exception as error:  # the homeserver is away, the database locked, a library too old
                failures += 1
                wait = BACKOFF[min(failures, len(BACKOFF)) - 1]
                self._log.info("Cross-signing, trying again: %s", type(error).__name__)
                if failures >= SAY_AFTER:
                    self._warn(texts.signing_fails(type(error).__name__))
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        """Wait, at most until the setting is changed."""
        setting = self._values().encryption.cross_sign
        while seconds > 0 and self._values().encryption.cross_sign == setting:
            await asyncio.sleep(min(seconds, LOOK_AT_SETTING))
            seconds -= LOOK_AT_SETTING

    async def look(self) -> str | None:
        """Check, repair, and check again. Returns what remains for the operator to do."""
        found = await self._ask()
        if found.trust is Trust.NO_DEVICE:
            await self._upload_device()
            found = await self._ask()
        warning: str | None = None
        if found.trust in (Trust.NO_KEYS, Trust.UNSIGNED):
            warning = await self._mend(found)
            found = await self._ask()
        self.signed = found.trust is Trust.SIGNED
        match found.trust:
            case Trust.SIGNED:
                return None
            case Trust.OTHER_DEVICE:
                return texts.DEVICE_KEYS_LOST
            case Trust.NO_DEVICE:
                return texts.DEVICE_KEYS_MISSING
        return warning or texts.signing_fails("the homeserver does not show the signature")

    async def _ask(self) -> Standing:
        user, crypto = str(self._client.mxid), self._client.crypto
        answer = await self._client.api.request(Method.POST, Path.v3.keys.query, {"device_keys": {user: []}})
        if not isinstance(answer, dict) or not isinstance(answer.get("device_keys"), dict):
            raise ValueError("this is no answer to keys/query")
        return standing(answer, user, str(self._client.device_id), str(crypto.account.signing_key))

    async def _upload_device(self) -> None:
        """Upload the device's keys again: the homeserver's database was restored from before it knew them."""
        crypto = self._client.crypto
        crypto.account.shared = False
        await crypto.share_keys()

    async def _mend(self, found: Standing) -> str | None:
        """Create or use the account's keys. Returns a sentence where that is impossible."""
        if self._values().encryption.cross_sign == "off":
            return texts.NOT_SIGNED_OFF
        try:
            if found.trust is Trust.NO_KEYS:
                await self._keys.make(found.device)
                self._log.info("Made cross-signing keys; the recovery key lies in the instance's database")
            else:
                await self._keys.sign(found)
                self._log.info("Signed the device with the stored recovery key")
        except KeysNotOurs:
            return texts.NOT_SIGNED_OTHER_KEYS
        except PasswordWanted:
            return texts.NOT_SIGNED_PASSWORD
        return None

    def _warn(self, warning: str | None) -> None:
        """Show a warning in ``!status`` while it holds, and log it when new."""
        if warning == self._warning:
            return
        if self._warning in self._warnings:
            self._warnings.remove(self._warning)
        self._warning = warning
        if warning is not None:
            self._warnings.append(warning)
            self._log.warning("%s", warning)
