"""Somebody keeps a picture: its client says so, and the archive's limits know it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core_lab import image, settings, worker_here


async def test_a_picture_is_kept_and_let_go(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image()))["id"])
        place = f"/v1/images/{job['pictures'][0]['result']['image_id']}"
        kept = []
        for method in ("POST", "POST", "DELETE"):
            assert (await here.api.call(method, f"{place}/keep"))[0] == 204
            with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
                kept += [row[0] for row in database.execute("SELECT kept FROM images")]
        assert kept == [1, 1, 0]
        assert (await here.other.call("POST", f"{place}/keep"))[0] == 404, "another client's"
        assert (await here.api.call("POST", "/v1/images/abc/keep"))[0] == 404
        await here.api.call("DELETE", place)
        assert (await here.api.call("POST", f"{place}/keep"))[0] == 204, "gone, and nothing to say"
