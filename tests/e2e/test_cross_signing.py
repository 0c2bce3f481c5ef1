"""The bot can be read and can read: its device is cross-signed, for clients that have nothing to do with others."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from lab import Lab, Login
from lab.strict import StrictUser

from .conftest import QUICK

OFF = {"encryption": {"cross_sign": "off"}}
CANNOT_READ = "I cannot read your message: your client does not trust my device"


@pytest.fixture(scope="module")
async def unsigned_lab(folder: Path) -> AsyncIterator[Lab]:
    """A lab whose bot is not cross-signed, as long as nobody changes its settings."""
    async with Lab(folder / "signing", plugin=OFF) as lab:
        yield lab


@pytest.fixture(scope="module")
async def strict(unsigned_lab: Lab) -> StrictUser:
    login = await unsigned_lab.synapse.register("strict")
    user = StrictUser(unsigned_lab.synapse.url, login, unsigned_lab.root / "users" / "strict")
    unsigned_lab.users.append(user)
    return await user.start()


async def signed_devices(lab: Lab, strict: StrictUser) -> set[str]:
    """The bot's cross-signed devices, asked of the real homeserver and verified."""
    return set(await strict.signed(lab.bot))


async def until_signed(lab: Lab, strict: StrictUser, device: str) -> None:
    end = time.monotonic() + 60
    while device not in await signed_devices(lab, strict):
        assert time.monotonic() < end, "the device is not cross-signed"
        await asyncio.sleep(0.2)


async def test_the_bot_signs_its_device_by_itself(folder: Path) -> None:
    """Installed as the README says. A lab of its own: in the shared one tests empty the plugin's database."""
    async with Lab(folder / "signed") as lab:
        await _signs_itself(lab)


async def _signs_itself(lab: Lab) -> None:
    login = await lab.synapse.register("onlooker")
    onlooker = StrictUser(lab.synapse.url, login, lab.root / "users" / "onlooker")
    lab.users.append(onlooker)
    await onlooker.start()
    await until_signed(lab, onlooker, lab.bot_login.device_id)
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True)) as db:
        [(words,)] = db.execute("SELECT recovery_key FROM cross_signing WHERE user_id = ?", (lab.bot,)).fetchall()
    assert [name for name, log in lab.logs().items() if words in log or words.replace(" ", "") in log] == []
    room = await onlooker.create_room([lab.bot], encrypted=True)
    await onlooker.wait_member(room, lab.bot)
    [picture] = await lab.draw(room, f"!draw otter {QUICK}", by=onlooker)
    assert picture.encrypted
    assert onlooker.hidden == []


async def test_a_client_that_does_not_trust_the_bot(unsigned_lab: Lab, strict: StrictUser) -> None:
    """It sends no key and shows no answer; the room is told, and so is the operator. Then the bot may sign itself."""
    lab = unsigned_lab
    room = await strict.create_room([lab.user.id, lab.bot], encrypted=True)
    await lab.user.join(room)
    await lab.user.wait_member(room, lab.bot)
    await strict.wait_member(room, lab.bot)
    mark = lab.user.mark()
    lost = await strict.send(room, "!help")
    said = await lab.user.wait_for(lab.reply_to(lost), mark, timeout=40)
    assert said.encrypted
    assert said.body.startswith(CANNOT_READ)
    status = (await lab.answer(room, "!status")).body
    assert "m.unverified" in status
    assert "My device is not cross-signed" in status
    assert [event.event_id for event in strict.events if event.content.get("body", "").startswith(CANNOT_READ)] == []
    assert strict.hidden, "what the bot said came, and was not shown"

    await lab.configure(encryption={"cross_sign": "auto"})
    await until_signed(lab, strict, lab.bot_login.device_id)
    [picture] = await lab.draw(room, f"!draw otter {QUICK}", by=strict)
    assert picture.encrypted


async def log_in_anew(lab: Lab) -> Login:
    """A new device of the bot, put into Maubot while everything runs."""
    body = {
        "type": "m.login.password", "identifier": {"type": "m.id.user", "user": "otterbot"},
        "password": lab.bot_login.password,
    }  # fmt: skip
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{lab.synapse.url}/_matrix/client/v3/login", json=body) as response:
            answer = await response.json()
    new = Login(lab.bot, answer["access_token"], answer["device_id"], lab.bot_login.password)
    await lab.maubot.api(
        "PUT", f"/client/{lab.bot}",
        {"access_token": new.access_token, "device_id": new.device_id, "homeserver": lab.matrix_proxy.url},
    )  # fmt: skip
    return new


async def test_a_new_device_goes_on_where_the_old_one_was(unsigned_lab: Lab, strict: StrictUser) -> None:
    """Maubot puts a new client in the place of the old: the bot hears with it, and signs it with its recovery key."""
    lab = unsigned_lab
    await lab.configure(encryption={"cross_sign": "auto"})
    await until_signed(lab, strict, lab.bot_login.device_id)
    room = await strict.create_room([lab.bot], encrypted=True)
    await strict.wait_member(room, lab.bot)
    await lab.answer(room, "!help", by=strict)
    new = await log_in_anew(lab)
    await until_signed(lab, strict, new.device_id)
    await lab.answer(room, "!help", by=strict)
