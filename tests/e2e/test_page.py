"""The page in a real Chromium: sign in, now, the gallery, a picture, a file; by mouse, by keys and by touch."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.async_api import Browser, Page, expect

from lab.browser import DESK, PHONE, SECONDS, Visit, visit
from lab.proc import PATIENCE
from lab.worker import Worker

HOSTILE = '<img src=x onerror="document.title=1"><b>otter</b> "otter" & hat'
PROMPTS = ("otter, cowboy hat", "otter in the snow", HOSTILE, "fox, scarf", "bear")
A1111 = "a red fox\nNegative prompt: blurry\nSteps: 21, Sampler: Euler a, CFG scale: 6.5, Seed: 1234, Size: 512x768"

expect.set_options(timeout=SECONDS * 1000)


async def submit(worker: Worker, key: str, prompt: str, **more: Any) -> Any:
    job = {"key": key, "kind": "image", "owner": "@ann:here", "room": "!room:here"}
    job |= {name: more.pop(name) for name in ("owner", "room", "private") if name in more}
    request = {"prompt": prompt, "seed": 7, "steps": 2, "width": 96, "height": 96, **more}
    return await worker.api("POST", "/v1/jobs", {**job, "request": request})


async def done(worker: Worker, job: Any) -> Any:
    """The job at its end."""
    async with asyncio.timeout(120 * PATIENCE):
        while job["state"] not in ("succeeded", "failed", "cancelled"):
            await asyncio.sleep(0.1)
            job = await worker.api("GET", f"/v1/jobs/{job['id']}")
    return job


@pytest.fixture(scope="module")
async def worker(folder: Path) -> AsyncIterator[Worker]:
    one = Worker(folder / "page", config={"archive": {"encrypted_rooms": "keep", "min_free_gb": 0}})
    await one.start()
    for number, prompt in enumerate(PROMPTS):
        owner = "@bob:here" if number > 2 else "@ann:here"
        await done(one, await submit(one, f"picture-{number}", prompt, owner=owner))
    try:
        yield one
    finally:
        await one.stop()


@pytest.fixture
async def desk(browser: Browser, worker: Worker) -> AsyncIterator[Visit]:
    async with visit(browser, worker, **DESK) as one:
        await one.sign_in()
        yield one


@pytest.fixture
async def phone(browser: Browser, worker: Worker) -> AsyncIterator[Visit]:
    async with visit(browser, worker, **PHONE) as one:
        await one.sign_in()
        yield one


def tiles(page: Page) -> Any:
    return page.locator("a.tile")


# ---------------------------------------------------------------- signing in


async def test_signing_in_and_out(browser: Browser, worker: Worker) -> None:
    async with visit(browser, worker) as one:
        await one.page.goto(worker.url)
        await one.page.get_by_label("The worker's token").fill("wrong-token-0123456789")
        await one.page.keyboard.press("Enter")
        await expect(one.page.get_by_role("alert")).to_have_text("The worker does not know this token.")
        assert one.complaints, "browsers say so themselves"
        one.complaints.clear()
        await one.sign_in("#/gallery")
        await expect(one.page.get_by_role("heading", name="Gallery")).to_be_visible()
        assert worker.token not in await one.page.content()
        assert await one.page.evaluate("document.cookie") == "", "no script sees it"
        assert await one.page.evaluate("JSON.stringify([localStorage, sessionStorage])") == "[{},{}]"
        await one.page.reload()
        await expect(tiles(one.page)).to_have_count(len(PROMPTS))
        await one.page.get_by_role("button", name="Sign out").click()
        await expect(one.page.get_by_label("The worker's token")).to_be_focused()
        await one.page.reload()
        await expect(one.page.get_by_label("The worker's token")).to_be_visible()


async def test_another_site_gets_nothing(browser: Browser, worker: Worker) -> None:
    """A page of another port, which to a browser is the same site: it can neither ask, nor embed, nor frame."""
    async with visit(browser, worker) as one:
        await one.sign_in()
        hostile = f"""<!doctype html>
            <img id=i src="{worker.url}/page/static/sign.svg"><iframe src="{worker.url}/"></iframe>
            <form id=p method=post action="{worker.url}/page/pause"></form>"""
        await one.context.route(
            "http://127.0.0.1:9/**", lambda route: route.fulfill(body=hostile, content_type="text/html")
        )
        other = await one.context.new_page()
        await other.goto("http://127.0.0.1:9/")
        assert other.frames[1].url.startswith("chrome-error:"), "not in a frame"
        assert await other.evaluate("document.getElementById('i').naturalWidth") == 0, "nor as a picture"
        asked = """async ([url, options]) => {
            try { return (await fetch(url, {credentials: 'include', ...options})).status } catch { return 'refused' }
        }"""
        for path, options in (
            ("/page/now", {}),
            (
                "/page/pause",
                {"method": "POST", "headers": {"Otterbot-Page": "1", "Content-Type": "application/json"}, "body": "{}"},
            ),
            ("/page/pause", {"method": "POST", "body": "{}"}),
        ):
            assert await other.evaluate(asked, [worker.url + path, options]) == "refused"
        await other.evaluate(asked, [f"{worker.url}/page/pause", {"method": "POST", "mode": "no-cors", "body": "{}"}])
        async with other.expect_navigation():
            await other.evaluate("document.getElementById('p').submit()")
        assert "Only the page itself" in await other.inner_text("body")
        assert not (await worker.api("GET", "/v1/info"))["pause"]["paused"]
        one.elsewhere.clear()


# ---------------------------------------------------------------- now


async def test_what_waits_runs_and_is_cancelled(desk: Visit, worker: Worker) -> None:
    page = desk.page
    await expect(page.get_by_text("Nothing runs, and nothing waits.")).to_be_visible()
    await page.get_by_label("Free the card").select_option("for an hour")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#state")).to_contain_text("Paused until")
    first = await submit(worker, "now-waits-1", "otter, slowly", steps=60, preview=True)
    await submit(worker, "now-waits-2", "never seen", owner="@bob:here")
    hidden = await submit(worker, "now-waits-3", "a secret", private=True)
    rows = page.locator("ol.jobs > li")
    await expect(rows).to_have_count(3)
    await expect(rows.filter(has_text="never seen")).to_contain_text("in the queue")
    await expect(rows.filter(has_text="From an encrypted room")).to_have_count(1)
    assert "a secret" not in await page.content()
    cancel = page.get_by_role("button", name="Cancel the job of @bob:here")
    await cancel.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Cancel this job of @bob:here (1 picture)?")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Cancel it").click()
    await expect(rows).to_have_count(2)
    await expect(rows.first.get_by_role("button")).to_be_focused()
    await page.get_by_role("button", name="Resume").click()
    await expect(rows.first).to_contain_text("drawing, step")
    await expect(rows.first.get_by_role("img")).to_be_visible()
    assert await rows.first.locator("img").evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    await worker.api("DELETE", f"/v1/jobs/{first['id']}")
    await done(worker, hidden)
    await expect(page.get_by_text("Nothing runs, and nothing waits.")).to_be_visible()


async def test_memory_and_swaps_are_drawn(desk: Visit) -> None:
    picture = desk.page.locator(".plot svg")
    await expect(picture).to_have_attribute("aria-label", re.compile(r"GB of .* GB are used now"))
    assert await picture.locator("path.used").count() >= 1
    await expect(desk.page.locator(".plot ol")).to_contain_text("→ otter-mini")
    assert await picture.locator("line.swap").count() >= 1


# ---------------------------------------------------------------- gallery


async def test_search_filters_and_the_way_back(desk: Visit) -> None:
    page = desk.page
    await page.get_by_role("link", name="Gallery").click()
    await expect(tiles(page)).to_have_count(len(PROMPTS))
    await page.get_by_label("Words").fill("OTTER hat")
    await page.keyboard.press("Enter")
    await expect(tiles(page)).to_have_count(2)
    assert page.url.endswith("#/gallery?words=OTTER+hat")
    await page.go_back()
    await expect(tiles(page)).to_have_count(len(PROMPTS))
    await page.get_by_label("Person").select_option("@bob:here")
    await expect(tiles(page)).to_have_count(2)
    await page.get_by_label("From").fill("2001-01-01")
    await page.get_by_label("To", exact=True).fill("2001-01-02")
    await expect(page.get_by_text("No picture is like that.")).to_be_visible()
    await desk.go("gallery?room=!room:here&model=otter-mini")
    await expect(tiles(page)).to_have_count(len(PROMPTS))
    await expect(page.get_by_label("Room")).to_have_value("!room:here")


async def test_two_keys_at_once_go_two_pictures_on(desk: Visit) -> None:
    page = desk.page
    await desk.go("gallery")
    await expect(tiles(page)).to_have_count(len(PROMPTS))
    await tiles(page).first.press("Enter")
    line = page.locator("pre.line").first
    await expect(line).to_contain_text("!draw bear")
    # Both before the browser has told the page of the new address.
    await page.evaluate(
        "for (let n = 0; n < 2; n++) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))"
    )
    await expect(line).to_contain_text("<b>otter</b>")


async def test_by_keys_alone(desk: Visit) -> None:
    page = desk.page
    await desk.go("gallery")
    await expect(tiles(page)).to_have_count(len(PROMPTS))
    await tiles(page).first.focus()
    await page.keyboard.press("ArrowRight")
    await expect(tiles(page).nth(1)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("pre.line").first).to_contain_text("!draw fox, scarf")
    await page.keyboard.press("ArrowLeft")
    await expect(page.locator("pre.line").first).to_contain_text("!draw bear")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("pre.line").first).to_contain_text("<b>otter</b>")
    await page.keyboard.press("Escape")
    await expect(tiles(page).nth(2)).to_be_focused()
    await page.keyboard.press("Home")
    await expect(tiles(page).first).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowUp")
    await expect(tiles(page).first).to_be_focused()


async def test_words_are_never_a_page(desk: Visit) -> None:
    page = desk.page
    await desk.go("gallery?words=onerror")
    await expect(tiles(page)).to_have_count(1)
    assert await tiles(page).locator("img").get_attribute("alt") == HOSTILE
    await tiles(page).first.click()
    await expect(page.locator("td").filter(has_text="onerror")).to_have_text(HOSTILE)
    assert await page.locator("td b, td img, pre img").count() == 0
    assert await page.title() == "Picture · Otterbot"
    refused = await page.evaluate("try { document.body.innerHTML = '<i>x</i>'; 'taken' } catch { 'refused' }")
    assert refused == "refused"
    desk.complaints.clear()  # the browser reports what was tried just now


async def test_by_touch(phone: Visit) -> None:
    page = phone.page
    await phone.go("gallery")
    await tiles(page).nth(1).tap()
    await expect(page.locator("pre.line").first).to_contain_text("!draw fox, scarf")
    box = await page.locator(".seen").bounding_box()
    assert box is not None
    session = await phone.context.new_cdp_session(page)

    async def swipe(start: float, end: float) -> None:
        y = box["y"] + box["height"] / 2
        steps = [start + (end - start) * part / 5 for part in range(6)]
        for number, x in enumerate(steps):
            kind = "touchStart" if number == 0 else "touchMove"
            await session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        await session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    await swipe(320, 60)
    await expect(page.locator("pre.line").first).to_contain_text("<b>otter</b>")
    await swipe(60, 320)
    await expect(page.locator("pre.line").first).to_contain_text("!draw fox, scarf")


# ---------------------------------------------------------------- a picture


async def test_a_picture_and_its_downloads(desk: Visit, worker: Worker) -> None:
    page = desk.page
    await desk.go("gallery?words=cowboy")
    await tiles(page).first.click()
    rows = page.locator("table tr")
    for name, value in (
        ("asked by", "@ann:here"),
        ("in", "!room:here"),
        ("model", "otter-mini"),
        ("seed", "7"),
        ("size", "96 × 96"),
    ):
        await expect(rows.filter(has=page.get_by_role("rowheader", name=name, exact=True))).to_contain_text(value)
    assert await page.locator(".seen img").evaluate("one => one.decode().then(() => one.naturalWidth)") == 96
    line = await page.locator("pre.line").first.text_content()
    assert line is not None
    assert line.startswith("!draw otter, cowboy hat --no ")
    await desk.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy the line").click()
    await expect(page.locator("#said")).to_have_text("Copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == line
    async with page.expect_download() as first:
        await page.get_by_role("link", name="Download the picture").click()
    download = await first.value
    assert download.suggested_filename.startswith("otter_")
    with Image.open(await download.path()) as opened:
        assert (opened.format, opened.size) == ("PNG", (96, 96))
    async with page.expect_download() as second:
        await page.get_by_role("link", name="Download its settings").click()
    sidecar = await second.value
    assert sidecar.suggested_filename.endswith(".yml")
    assert yaml.safe_load(Path(await sidecar.path()).read_text())["image_id"] in page.url
    await page.get_by_text("The request, for programs").click()
    request = json.loads(await page.locator("details pre").text_content() or "")
    assert (request["prompt"], request["seed"]) == ("otter, cowboy hat", 7)
    assert await worker.api("POST", "/v1/requests/check", request)


async def test_one_is_deleted(desk: Visit, worker: Worker) -> None:
    page = desk.page
    job = await done(worker, await submit(worker, "to-delete", "a picture too many"))
    await desk.go("gallery")
    await tiles(page).first.click()
    await expect(page.locator("pre.line").first).to_contain_text("a picture too many")
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="No, go back").click()
    await page.keyboard.press("Delete")
    await page.get_by_role("button", name="Delete it").click()
    await expect(page.locator("pre.line").first).to_contain_text("!draw bear")
    await page.keyboard.press("Escape")
    await expect(tiles(page)).to_have_count(len(PROMPTS))
    with pytest.raises(RuntimeError, match="410"):
        await worker.api("GET", f"/v1/images/{job['pictures'][0]['result']['image_id']}")


# ---------------------------------------------------------------- a file


async def test_any_png_is_read(desk: Visit) -> None:
    page = desk.page
    info = PngInfo()
    info.add_text("parameters", A1111)
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "tan").save(data, "PNG", pnginfo=info)
    await page.get_by_role("link", name="Read a file").click()
    picked = page.get_by_label("A PNG, JPEG or WebP picture")
    await picked.set_input_files({"name": "fox.png", "mimeType": "image/png", "buffer": data.getvalue()})
    await expect(page.locator("pre.line").first).to_contain_text("!draw a red fox --no blurry --steps 21")
    assert await page.locator("img.sent").evaluate("one => one.decode().then(() => one.naturalWidth)") == 40
    await picked.set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"nothing"})
    await expect(page.get_by_text("This file is not a PNG, JPEG or WebP picture.")).to_be_visible()
    desk.complaints.clear()  # the browser reports the 422 by itself


# ---------------------------------------------------------------- for everybody

VIEWS = ("now", "gallery", "read", "picture")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", ["desk", "phone"])
async def test_axe_finds_nothing_and_everything_fits(
    browser: Browser, worker: Worker, scheme: str, window: str
) -> None:
    options = {"desk": DESK, "phone": PHONE}[window]
    async with visit(browser, worker, **options, color_scheme=scheme, bypass_csp=False) as one:
        await one.page.goto(worker.url)
        await expect(one.page.get_by_label("The worker's token")).to_be_focused()
        assert await one.axe() == []
        await one.sign_in()
        for view in VIEWS:
            if view == "picture":
                await one.go("gallery")
                await tiles(one.page).first.click()
                await expect(one.page.locator("pre.line").first).to_be_visible()
            else:
                await one.go(view)
                await expect(one.page.locator("h1")).to_be_visible()
                if view == "gallery":
                    await expect(tiles(one.page)).to_have_count(len(PROMPTS))
            assert await one.axe() == [], view
            assert await one.wide() <= 0, view
