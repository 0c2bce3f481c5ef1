"""The gallery over HTTP: what is in it, in which order, what is found; a picture, what made it, and its end."""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from core_lab import Here, Json, image, settings
from page_lab import Browser, page_here
from PIL import Image

from otterbot_worker.page import filling
from otterbot_worker.queue.gallery_rows import Gallery

CANARY = "canary5f1e"
KEEPING = {"encrypted_rooms": "keep"}


async def draw(here: Here, key: str, **fields: Any) -> Json:
    return await here.api.done((await here.api.submit(image(key, **fields)))["id"])


def id_of(job: Json, index: int = 0) -> str:
    found = job["pictures"][index]["result"]["image_id"]
    assert isinstance(found, str)
    return found


async def ids(one: Browser, query: str = "") -> list[str]:
    status, found = await one.call("GET", f"/page/pictures{query}")
    assert status == 200, found
    return [picture["id"] for picture in found["pictures"]]


@pytest_asyncio.fixture(scope="module")
async def drawn(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Here, Browser, list[str]]]:
    """Four pictures, the oldest first, of two people in two rooms."""
    folder = tmp_path_factory.mktemp("gallery") / "data"
    async with page_here(settings(folder), paused=False) as (here, one):
        made = [
            id_of(await draw(here, f"key-0000{number}", prompt=prompt, owner=owner, room=room))
            for number, (prompt, owner, room) in enumerate(
                [
                    ("an Otter with a Cowboy Hat", "@ann:here", "!one:here"),
                    ("ein Füchslein im Schnee 💚", "@bob:here", "!one:here"),
                    ("カワウソ, ｆｕｌｌ width", "@ann:here", "!two:here"),
                    ("50% _off_ <img src=x onerror=alert(1)>", "@bob:here", "!two:here"),
                ]
            )
        ]
        yield here, one, made


async def test_the_newest_first_with_what_people_see(drawn: tuple[Here, Browser, list[str]]) -> None:
    _, one, made = drawn
    _, found = await one.call("GET", "/page/pictures")
    assert [picture["id"] for picture in found["pictures"]] == made[::-1]
    assert found["next"] is None
    newest = found["pictures"][0]
    assert newest["prompt"] == "50% _off_ <img src=x onerror=alert(1)>", "as it is: the page makes text of it"
    assert (newest["owner"], newest["room"], newest["private"], newest["kept"]) == (
        "@bob:here",
        "!two:here",
        False,
        False,
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("words=otter", [0]),
        ("words=OTTER+hat", [0]),
        ("words=hat+otter", [0]),
        ("words=cowb", [0]),
        ("words=FÜCHSLEIN", [1]),
        ("words=💚", [1]),
        ("words=ワウソ", [2]),
        ("words=full", [2]),
        ("words=%25", [3]),
        ("words=_off_", [3]),
        ("words=o_f", []),
        ("words='", []),
        ("words=otter+fox", []),
        ("words=++", [0, 1, 2, 3]),
        ("owner=@ann:here", [0, 2]),
        ("room=!two:here", [2, 3]),
        ("owner=@ann:here&room=!two:here", [2]),
        ("model=otter-mini", [0, 1, 2, 3]),
        ("model=ssd-1b", []),
        ("owner=@ann:here&words=hat", [0]),
        ("since=0", [0, 1, 2, 3]),
        ("until=0", []),
        ("since=99999999999", []),
    ],
)
async def test_search_and_filters(drawn: tuple[Here, Browser, list[str]], query: str, found: list[int]) -> None:
    _, one, made = drawn
    assert await ids(one, f"?{query}") == [made[number] for number in reversed(found)]


@pytest.mark.parametrize(
    "query",
    ["no=1", "since=x", "since=nan", "until=1e999", "after=x", "after=1,../x", "after=1", f"words={'a' * 1001}"],
)
async def test_what_it_does_not_know_is_refused(drawn: tuple[Here, Browser, list[str]], query: str) -> None:
    _, one, _ = drawn
    status, problem = await one.call("GET", f"/page/pictures?{query}")
    assert (status, problem["code"]) == (422, "invalid_request")


async def test_what_there_is_to_filter_by(drawn: tuple[Here, Browser, list[str]]) -> None:
    _, one, _ = drawn
    _, found = await one.call("GET", "/page/filters")
    assert found == {
        "model": [{"value": "otter-mini", "count": 4}],
        "owner": [{"value": "@ann:here", "count": 2}, {"value": "@bob:here", "count": 2}],
        "room": [{"value": "!one:here", "count": 2}, {"value": "!two:here", "count": 2}],
    }


async def test_a_picture_with_everything_that_made_it(drawn: tuple[Here, Browser, list[str]]) -> None:
    here, one, made = drawn
    _, found = await one.call("GET", f"/page/pictures/{made[1]}")
    assert found["line"].startswith("!draw ein Füchslein im Schnee 💚")
    assert "--seed 7" in found["line"]
    rows = dict(found["rows"])
    assert rows["prompt"] == "ein Füchslein im Schnee 💚"
    assert (rows["model"], rows["seed"], rows["number of steps"]) == ("otter-mini", "7", "2")
    assert rows["size"].count("×") == 1
    assert rows["otterbot-worker"]
    assert rows["took"].endswith(" s")
    assert (found["newer"], found["older"]) == (made[2], made[0])
    assert found["client"] == "otterbot"
    status, _ = await here.api.call("POST", "/v1/requests/check", found["request"])
    assert status == 200, "the request can be sent as it is"


async def test_its_files_are_those_of_the_archive(drawn: tuple[Here, Browser, list[str]]) -> None:
    here, one, made = drawn
    place = f"/page/pictures/{made[0]}"
    status, headers, data = await one.whole("GET", f"{place}/picture")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert "Content-Disposition" not in headers
    assert data == (await here.api.call("GET", f"/v1/images/{made[0]}"))[1]
    status, headers, _ = await one.whole("GET", f"{place}/picture?download")
    assert headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''otter_")
    _, headers, small = await one.whole("GET", f"{place}/thumbnail")
    with Image.open(io.BytesIO(small)) as opened:
        assert opened.format == "JPEG"
    status, headers, sidecar = await one.whole("GET", f"{place}/sidecar?download")
    assert yaml.safe_load(sidecar)["image_id"] == made[0]
    assert headers["Content-Disposition"].endswith(".yml")
    for path in (
        "/page/pictures/ff",
        "/page/pictures/ff/picture",
        "/page/pictures/ff/thumbnail",
        "/page/pictures/ff/sidecar",
    ):
        assert (await one.call("GET", path))[0] == 404
    for path in ("/page/pictures/..%2f..%2ftoken", "/page/pictures/%00/picture", f"/page/pictures/{'f' * 65}"):
        assert (await one.call("GET", path))[0] == 404


async def test_pages_follow_each_other_without_a_gap(drawn: tuple[Here, Browser, list[str]]) -> None:
    here, _, made = drawn
    gallery = here.parts.gallery
    from otterbot_worker.queue.gallery_rows import Cursor, Wanted

    seen: list[str] = []
    after = None
    while page := await gallery.page(Wanted(), after, 1):
        seen += [shown.image.image_id for shown in page]
        after = Cursor(created_at=page[-1].image.created_at, image_id=page[-1].image.image_id)
    assert seen == made[::-1]


async def test_deleting_ends_the_file_the_row_and_the_words(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path), paused=False) as (here, one):
        job = await draw(here, "key-00001", prompt=f"otter {CANARY}", count=2)
        first, second = id_of(job), id_of(job, 1)
        assert (await one.call("DELETE", f"/page/pictures/{first}"))[0] == 204
        assert await ids(one) == [second]
        assert (await one.call("GET", f"/page/pictures/{first}"))[0] == 404
        assert (await one.call("DELETE", f"/page/pictures/{first}"))[0] == 404
        assert (await here.api.call("GET", f"/v1/images/{first}"))[0] == 410
        assert (await one.call("DELETE", f"/page/pictures/{second}"))[0] == 204
        with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
            left = str(database.execute("SELECT * FROM images").fetchall())
        assert not [word for word in (CANARY, "@ann:here", "!room:here") if word in left], "nor whose it was"


# ---------------------------------------------------------------- encrypted rooms


async def test_encrypted_rooms_are_in_it_only_where_somebody_keeps_a_picture(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path, archive=KEEPING), paused=False) as (here, one):
        job = await draw(here, "key-00001", prompt=f"otter, {CANARY}", theme=CANARY, private=True)
        picture = id_of(job)
        place = f"/page/pictures/{picture}"
        assert await ids(one) == []
        for path in (place, f"{place}/picture", f"{place}/thumbnail", f"{place}/sidecar"):
            assert (await one.call("GET", path))[0] == 404, "not by its id either"
        assert (await one.call("DELETE", place))[0] == 404
        assert (await one.call("GET", "/page/filters"))[1] == {"model": [], "owner": [], "room": []}
        await here.api.call("POST", f"/v1/images/{picture}/keep")
        assert await ids(one) == [picture]
        assert await ids(one, f"?words={CANARY}") == [], "nobody finds it by its words"
        said = [(await one.call("GET", path))[1] for path in ("/page/pictures", "/page/filters", place)]
        assert CANARY not in json.dumps(said)
        assert said[2]["line"] is None
        assert dict(said[2]["rows"])["seed"] == "7"
        assert any("encrypted room" in note for note in said[2]["notes"])
        for end in ("picture", "sidecar"):
            status, headers, data = await one.whole("GET", f"{place}/{end}?download")
            assert status == 200
            assert CANARY not in str(headers)
            assert CANARY.encode() in data, "the file is as it is"
        with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
            assert database.execute("SELECT prompt, words FROM images").fetchall() == [(None, None)]
        await here.api.call("DELETE", f"/v1/images/{picture}/keep")
        assert await ids(one) == []


# ---------------------------------------------------------------- older than the gallery


async def filled(here: Here, one: Browser, count: int) -> list[Json]:
    async with asyncio.timeout(20):
        await filling._once(here.parts.gallery, here.parts.archive)
    _, found = await one.call("GET", "/page/pictures")
    assert len(found["pictures"]) == count
    pictures: list[Json] = found["pictures"]
    return pictures


async def test_older_pictures_are_told_from_their_jobs_or_from_their_files(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path, archive=KEEPING), paused=False) as (here, one):
        known = id_of(await draw(here, "key-00001", prompt="an otter"))
        alone = id_of(await draw(here, "key-00002", prompt="a fox"))
        lost = id_of(await draw(here, "key-00003", prompt="a bear"))
        secret = id_of(await draw(here, "key-00004", prompt=CANARY, private=True))
        await here.api.call("POST", f"/v1/images/{secret}/keep")
        with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute("UPDATE images SET model = NULL, owner = NULL, room = NULL, prompt = NULL, words = NULL")
            database.execute("DELETE FROM jobs WHERE key IN ('key-00002', 'key-00003')")
            [(path,)] = database.execute("SELECT relpath FROM images WHERE image_id = ?", (lost,)).fetchall()
        here.parts.archive.path(path).write_bytes(b"no picture at all")
        assert await ids(one, "?words=otter") == []
        told = {picture["id"]: picture for picture in await filled(here, one, 4)}
        assert (told[known]["prompt"], told[known]["owner"], told[known]["room"]) == (
            "an otter",
            "@ann:here",
            "!room:here",
        )
        assert (told[alone]["prompt"], told[alone]["owner"], told[alone]["model"]) == ("a fox", "", "otter-mini")
        assert (told[lost]["prompt"], told[lost]["model"]) == ("", "")
        assert (told[secret]["prompt"], told[secret]["model"]) == ("", "otter-mini")
        assert await ids(one, "?words=FOX") == [alone]
        assert await here.parts.gallery.untold() == [], "each is looked at once"
        with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
            assert CANARY not in str(database.execute("SELECT prompt, words FROM images").fetchall())


async def test_one_that_cannot_be_looked_at_holds_up_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with page_here(settings(tmp_path), paused=False) as (here, _):
        made = {id_of(await draw(here, f"key-0000{number}")) for number in range(3)}
        with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
            database.execute("UPDATE images SET model = NULL")
        bad = sorted(made)[0]
        real = filling._look

        def look(one: Any, archive: Any) -> Any:
            if one.image.image_id == bad:
                raise PermissionError(13, "Permission denied")
            return real(one, archive)

        monkeypatch.setattr(filling, "_look", look)
        await filling._once(here.parts.gallery, here.parts.archive)
        assert [one.image.image_id for one in await here.parts.gallery.untold()] == [bad], "asked again later"


async def test_every_question_reads_the_index(tmp_path: Path) -> None:
    from otterbot_worker.queue import queries as q

    async with page_here(settings(tmp_path)) as (here, _):
        assert isinstance(here.parts.gallery, Gallery)
    with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
        for sql, values in (
            (q.SHOWN_IMAGES.format(" AND owner = ? AND instr(words, ?) > 0"), ("a", "b", 10)),
            (q.SHOWN_IMAGES.format(" AND (created_at, image_id) < (?, ?)"), (1.0, "a", 10)),
            (q.OLDER_IMAGE, (1.0, "a")),
            (q.NEWER_IMAGE, (1.0, "a")),
            *[(q.SHOWN_BY.format(by), (10,)) for by in ("model", "owner", "room")],
        ):
            plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values))
            assert "images_shown" in plan, plan
            assert ("USE TEMP B-TREE FOR ORDER BY" in plan) is ("GROUP BY" in sql), plan
        plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {q.IMAGES_UNTOLD}", ("", 10)))
        assert "images_untold" in plan
