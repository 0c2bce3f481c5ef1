"""What the plugin sends by itself, an older worker knows, or it is left out for it."""

from __future__ import annotations

import pytest
from command_rig import ROOM, Rig
from room_pictures import RECORD, reply
from worker_double import OLDER_KNOWS

from otterbot.requests import sheets
from otterbot.requests.images import NEWER
from otterbot.requests.older_workers import without_layers


@pytest.mark.parametrize("line", ["!draw otter", "!draw otter --no fog --steps 5 --count 4 --size 64x64", "!again"])
async def test_nothing_else_is_sent_for_what_it_knows(rig: Rig, line: str) -> None:
    about = reply(rig.homeserver.picture(ROOM, RECORD)) if line == "!again" else {}
    body = without_layers(await rig.drawn(line, **about))[0]
    left_out = {*NEWER, *sheets.NEW, *sheets.OURS}
    assert body.keys() - left_out <= OLDER_KNOWS
    assert body["asked"].keys() <= OLDER_KNOWS
