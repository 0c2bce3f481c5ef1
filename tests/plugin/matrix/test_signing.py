"""The bot's device is cross-signed in the end, whatever dies on the way, and nothing is taken for a no that is none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from keys_double import KeysDouble
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.types import DeviceID, UserID
from mautrix.util.async_db import Database

from otterbot import texts
from otterbot.config import EncryptionValues, Values
from otterbot.matrix import cross_signing as module
from otterbot.matrix.cross_signing import CrossSigning
from otterbot.matrix.device_trust import Trust, standing
from otterbot.store.migrations import upgrade_table
from otterbot.store.recovery_keys import RecoveryKeys

BOT = "@bot:test"
LOG = logging.getLogger("test.otterbot.signing")
HTML = "<html>busy</html>"


class Life:
    """One life of the plugin for a device of the bot; several on the same database and homeserver are restarts."""

    def __init__(self, server: KeysDouble, path: Path, machine: OlmMachine | None = None) -> None:
        self.server, self.path, self.machine = server, path, machine
        self.values = Values()
        self.warnings: list[str] = []

    async def start(self, device_id: str = "ONE") -> Life:
        self.db = Database.create(f"sqlite:{self.path}", upgrade_table=upgrade_table)
        await self.db.start()
        self.client = Client(
            mxid=UserID(BOT), device_id=DeviceID(device_id), base_url=self.server.url, token="secret",
            state_store=MemoryStateStore(),
        )  # fmt: skip
        old, store = self.machine, MemoryCryptoStore("bot", "pickle")
        self.machine = OlmMachine(self.client, store, self.client.state_store, log=LOG)  # type: ignore[arg-type]
        if old is not None and old.client.device_id == device_id:
            await store.put_account(old.account)
        await self.machine.load()
        self.client.crypto = self.machine
        if not self.machine.account.shared:
            await self.machine.share_keys()
        self.recovery = RecoveryKeys(self.db)
        self.signing = CrossSigning(self.client, self.recovery, lambda: self.values, self.warnings, LOG)
        return self

    async def stop(self) -> None:
        await self.signing.stop()
        await self.client.api.session.close()
        await self.db.stop()

    def trust(self) -> Trust:
        """As another person's client sees it."""
        server = self.server
        assert self.machine is not None
        answer = {
            "device_keys": {BOT: server.devices},
            "master_keys": {BOT: server.cross_signing.get("master_key")},
            "self_signing_keys": {BOT: server.cross_signing.get("self_signing_key")},
        }
        own = str(self.machine.account.signing_key)
        return standing(answer, BOT, str(self.client.device_id), own).trust


@pytest_asyncio.fixture
async def server() -> AsyncIterator[KeysDouble]:
    async with KeysDouble() as double:
        yield double


@pytest_asyncio.fixture
async def life(server: KeysDouble, tmp_path: Path) -> AsyncIterator[Life]:
    made = await Life(server, tmp_path / "plugin.db").start()
    yield made
    await made.stop()


async def test_an_account_without_keys_gets_them(life: Life, server: KeysDouble) -> None:
    assert life.trust() is Trust.NO_KEYS
    assert await life.signing.look() is None
    assert life.trust() is Trust.SIGNED
    assert life.signing.signed is True


async def test_the_recovery_key_opens_them(life: Life, server: KeysDouble) -> None:
    """With the library's own call, as Maubot's ``verify`` makes it for another device of the account."""
    await life.signing.look()
    kept = await life.recovery.get(BOT)
    assert kept is not None
    assert kept.words not in repr(kept)
    other = await Life(server, life.path.with_name("other.db")).start("TWO")
    assert other.trust() is Trust.UNSIGNED
    assert other.machine is not None
    await other.machine.verify_with_recovery_key(kept.words)
    assert other.trust() is Trust.SIGNED
    await other.stop()


async def test_a_new_device_is_signed_with_the_stored_key(life: Life, server: KeysDouble, tmp_path: Path) -> None:
    await life.signing.look()
    await life.stop()
    await life.start("TWO")
    assert life.trust() is Trust.UNSIGNED
    master = dict(server.cross_signing["master_key"])
    assert await life.signing.look() is None
    assert life.trust() is Trust.SIGNED
    assert server.cross_signing["master_key"] == master


async def test_a_signed_device_is_left_alone(life: Life, server: KeysDouble) -> None:
    await life.signing.look()
    server.calls.clear()
    await life.signing.look()
    assert server.calls == ["keys/query"]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 8))
async def test_a_death_between_two_steps(server: KeysDouble, tmp_path: Path, step: int, moment: str) -> None:
    """The process dies with an answer outstanding; the next life ends with keys that the stored recovery key opens."""
    life = await Life(server, tmp_path / "plugin.db").start()
    first = server.writes
    server.cut = lambda number: moment if number == first + step else None
    with pytest.raises(Exception, match=r"."):
        await life.signing.look()
    await life.stop()
    server.back()
    published = server.cross_signing.get("master_key")
    await life.start()
    assert await life.signing.look() is None
    assert life.trust() is Trust.SIGNED
    if published is not None:
        assert server.cross_signing["master_key"] == published
    await life.stop()
    await life.start("TWO")
    assert await life.signing.look() is None, "the stored key opens what was published"
    assert life.trust() is Trust.SIGNED
    kept = await life.recovery.get(BOT)
    assert kept is not None
    assert server.account_data["m.secret_storage.default_key"] == {"key": kept.key_id}
    await life.stop()


async def test_the_steps_are_as_many_as_the_test_above_cuts(life: Life, server: KeysDouble) -> None:
    before = server.writes
    await life.signing.look()
    assert server.writes - before == 7


OTHER_ANSWERS: list[Any] = [None, (502, HTML), (404, HTML), (403, HTML), (200, HTML), (200, "[]"), (200, "{}"),
                            (200, "nonsense"), (429, '{"errcode": "M_LIMIT_EXCEEDED", "error": "slow"}')]  # fmt: skip


@pytest.mark.parametrize("answer", OTHER_ANSWERS, ids=str)
async def test_could_not_ask_is_never_no(server: KeysDouble, tmp_path: Path, answer: tuple[int, str] | None) -> None:
    """Something else answers once, at each call in turn: the account's keys are not made a second time for that."""
    life = await Life(server, tmp_path / "plugin.db").start()
    await life.signing.look()
    published = server.cross_signing["master_key"]
    calls = len(server.calls)
    await life.stop()
    for number in range(1, 8):
        await life.start(f"DEVICE{number}")
        server.others = {len(server.calls) + number: answer}
        with contextlib.suppress(Exception):
            await life.signing.look()
        server.others = {}
        assert await life.signing.look() is None
        assert life.trust() is Trust.SIGNED
        assert server.cross_signing["master_key"] == published
        await life.stop()
    assert calls >= 7


async def test_keys_of_somebody_else(life: Life, server: KeysDouble, tmp_path: Path) -> None:
    """Made by the operator with another client, or by us before our database was lost."""
    other = await Life(server, tmp_path / "other.db").start("TWO")
    await other.signing.look()
    published = dict(server.cross_signing)
    assert await life.signing.look() == texts.NOT_SIGNED_OTHER_KEYS
    assert life.signing.signed is False
    assert server.cross_signing == published
    kept = await other.recovery.get(BOT)
    assert kept is not None
    assert life.machine is not None
    await life.machine.verify_with_recovery_key(kept.words)
    assert await life.signing.look() is None, "the operator gave Maubot the recovery key"
    await other.stop()


async def test_keys_that_were_reset(life: Life, server: KeysDouble, tmp_path: Path) -> None:
    """The stored recovery key opens keys of before."""
    await life.signing.look()
    server.cross_signing.clear()
    other = await Life(server, tmp_path / "other.db").start("TWO")
    await other.signing.look()
    assert await life.signing.look() == texts.NOT_SIGNED_OTHER_KEYS
    await other.stop()


async def test_somebody_elses_secret_storage_stays_the_default(life: Life, server: KeysDouble) -> None:
    server.account_data["m.secret_storage.default_key"] = {"key": "theirs"}
    assert await life.signing.look() is None
    assert server.account_data["m.secret_storage.default_key"] == {"key": "theirs"}
    await life.stop()
    await life.start("TWO")
    assert await life.signing.look() is None
    assert life.trust() is Trust.SIGNED


@pytest.mark.parametrize("stages", [[["m.login.password"]], [["m.login.sso"], ["m.login.dummy", "m.login.terms"]], []])
async def test_a_homeserver_that_wants_a_password(life: Life, server: KeysDouble, stages: list[list[str]]) -> None:
    server.stages = stages
    assert await life.signing.look() == texts.NOT_SIGNED_PASSWORD
    assert life.trust() is Trust.NO_KEYS
    server.stages = None
    assert await life.signing.look() is None


async def test_a_homeserver_that_wants_nothing_but_asks(life: Life, server: KeysDouble) -> None:
    server.stages = [["m.login.password"], ["m.login.dummy"]]
    assert await life.signing.look() is None
    assert life.trust() is Trust.SIGNED


async def test_switched_off(life: Life, server: KeysDouble) -> None:
    life.values = Values(encryption=EncryptionValues(cross_sign="off"))
    before = server.writes
    assert await life.signing.look() == texts.NOT_SIGNED_OFF
    assert server.writes == before
    assert life.trust() is Trust.NO_KEYS


async def test_a_signature_that_is_not_taken(life: Life, server: KeysDouble) -> None:
    server.refuse_signatures = True
    with pytest.raises(Exception, match="failures"):
        await life.signing.look()
    assert life.signing.signed is not True


async def test_other_keys_of_this_device(life: Life, server: KeysDouble) -> None:
    """Maubot's crypto database was lost; the device id stayed."""
    life.machine = None
    await life.stop()
    server_has = dict(server.devices)
    await life.start("ONE")
    server.devices = server_has
    assert await life.signing.look() == texts.DEVICE_KEYS_LOST


async def test_a_homeserver_that_forgot_the_device(life: Life, server: KeysDouble) -> None:
    """It was set back to a time before."""
    server.devices.clear()
    assert await life.signing.look() is None
    assert life.trust() is Trust.SIGNED


async def test_the_loop_warns_once_and_takes_it_back(
    life: Life, server: KeysDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "UNSIGNED_AGAIN", 0.05)
    monkeypatch.setattr(module, "BACKOFF", (0.01,))
    caplog.set_level(logging.INFO)
    server.stages = [["m.login.password"]]
    server.others = {len(server.calls) + number: (502, HTML) for number in (1, 2)}
    life.signing.start()
    await until(lambda: life.warnings == [texts.NOT_SIGNED_PASSWORD])
    asked = len(server.calls)
    await until(lambda: len(server.calls) > asked + 10)
    assert life.warnings == [texts.NOT_SIGNED_PASSWORD]
    assert [record.getMessage() for record in caplog.records].count(texts.NOT_SIGNED_PASSWORD) == 1
    server.stages = None
    await until(lambda: life.warnings == [])
    assert life.signing.signed is True


async def test_the_setting_counts_at_once(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AT_SETTING", 0.02)
    life.values = Values(encryption=EncryptionValues(cross_sign="off"))
    life.signing.start()
    await until(lambda: life.warnings == [texts.NOT_SIGNED_OFF])
    life.values = Values()
    await until(lambda: life.warnings == [])
    assert life.trust() is Trust.SIGNED


async def test_a_lasting_failure_is_named(life: Life, server: KeysDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKOFF", (0.01,))
    monkeypatch.setattr(module, "LOOK_AT_SETTING", 0.01)
    server.others = dict.fromkeys(range(1000), (502, HTML))
    life.signing.start()
    await until(lambda: life.warnings)
    assert "I keep trying" in life.warnings[0]
    assert life.signing.signed is None
    server.others = {}
    await until(lambda: life.warnings == [])


async def test_the_recovery_key_is_for_the_operator_alone(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await life.signing.look()
    kept = await life.recovery.get(BOT)
    assert kept is not None
    # Maubot's logging configuration switches aiosqlite's logger off (tests/e2e looks at Maubot's real log).
    said = "\n".join(record.getMessage() for record in caplog.records if record.name != "aiosqlite")
    assert "keys/signatures/upload" in said, "at the level that Maubot's example configuration has"
    assert kept.words not in said
    assert kept.words.replace(" ", "") not in said
    assert stat.S_IMODE(life.path.stat().st_mode) == 0o600


ODD: list[Any] = [None, 5, "x", [], {}, {"keys": None}, {"keys": {"ed25519:a": "b"}}, {"keys": {}, "signatures": 5}]


@pytest.mark.parametrize("odd", ODD, ids=str)
async def test_malformed_answers_are_no_signature(life: Life, server: KeysDouble, odd: Any) -> None:
    await life.signing.look()
    assert life.machine is not None
    own = str(life.machine.account.signing_key)
    right = {
        "device_keys": {BOT: server.devices},
        "master_keys": {BOT: server.cross_signing["master_key"]},
        "self_signing_keys": {BOT: server.cross_signing["self_signing_key"]},
    }
    assert standing(right, BOT, "ONE", own).trust is Trust.SIGNED
    for section in right:
        for wrong in ({section: odd}, {section: {BOT: odd}}, {section: {BOT: {"ONE": odd}}}):
            assert standing({**right, **wrong}, BOT, "ONE", own).trust is not Trust.SIGNED
    for thing in (server.devices["ONE"], server.cross_signing["self_signing_key"]):
        signatures = thing["signatures"]
        for wrong_signatures in (odd, {BOT: odd}, {BOT: dict.fromkeys(signatures[BOT], odd)}):
            thing["signatures"] = wrong_signatures
            assert standing(right, BOT, "ONE", own).trust is not Trust.SIGNED
        thing["signatures"] = signatures


async def test_signatures_of_others_are_not_believed(life: Life, server: KeysDouble, tmp_path: Path) -> None:
    """The chain has to be whole: another account's keys, or a device changed after it was signed, break it."""
    await life.signing.look()
    async with KeysDouble() as elsewhere:
        other = await Life(elsewhere, tmp_path / "other.db").start("ONE")
        await other.signing.look()
        await other.stop()
        mine = dict(server.cross_signing)
        for name in ("master_key", "self_signing_key"):
            server.cross_signing = {**mine, name: elsewhere.cross_signing[name]}
            assert life.trust() is Trust.UNSIGNED
        server.cross_signing = dict(elsewhere.cross_signing)
        assert life.trust() is Trust.UNSIGNED
    server.cross_signing = mine
    server.devices["ONE"]["algorithms"] = ["m.weak"]
    assert life.trust() is Trust.UNSIGNED


async def until(check: Any, timeout: float = 60) -> None:
    async with asyncio.timeout(timeout):
        while not check():  # noqa: ASYNC110  nothing else tells
            await asyncio.sleep(0.01)
