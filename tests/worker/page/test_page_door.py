"""Who gets into the page: signing in and out, names, origins, cookies, and what every answer says to browsers."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from core_lab import OTHER, TOKEN, image, settings, worker_here
from page_lab import browser, page_here

from otterbot_worker.api.attempts import MOST_WRONG
from otterbot_worker.api.auth import Client
from otterbot_worker.page import guard, hosts, mount, sessions
from otterbot_worker.page.sessions import Sessions
from otterbot_worker.token_commands import changes

PRIVATE_PATHS = (
    ("DELETE", "/page/session"),
    ("GET", "/page/now"),
    ("GET", "/page/memory"),
    ("GET", "/page/jobs/0/preview/0"),
    ("DELETE", "/page/jobs/0"),
    ("POST", "/page/pause"),
    ("POST", "/page/resume"),
    ("GET", "/page/pictures"),
    ("GET", "/page/filters"),
    ("GET", "/page/pictures/00ff"),
    ("GET", "/page/pictures/00ff/picture"),
    ("GET", "/page/pictures/00ff/thumbnail"),
    ("GET", "/page/pictures/00ff/sidecar"),
    ("DELETE", "/page/pictures/00ff"),
    ("POST", "/page/read"),
    ("GET", "/page/nowhere"),
)
CHANGING = [(method, path) for method, path in PRIVATE_PATHS if method != "GET"]


def test_every_route_is_in_the_list(tmp_path: Path) -> None:
    from otterbot_worker.page import gallery, now, pictures, reading

    routes = [*now.ROUTES, *gallery.ROUTES, *pictures.ROUTES, *reading.ROUTES]
    listed = {(method, path.replace("00ff", "{id}").replace("/0", "/{id}", 1)) for method, path in PRIVATE_PATHS}
    for route in routes:
        path = route.path.replace("{id:[0-9a-f]{1,64}}", "{id}").replace("{index:[0-9]{1,3}}", "0")
        assert (route.method, path) in listed


async def test_without_a_session_nothing_is_said(tmp_path: Path) -> None:
    page = mount.mount(settings(tmp_path))
    assert page is not None
    async with worker_here(settings(tmp_path), paused=True, mounts=[page]) as here, browser(here.api.address) as one:
        for cookie in ("", "x", "../../token", TOKEN, "ä" * 100):
            for method, path in PRIVATE_PATHS:
                status, problem = await one.call(method, path, cookies={guard.COOKIE: cookie} if cookie else {})
                assert (status, problem["code"]) == (401, "signed_out"), (method, path)
        for method, path in PRIVATE_PATHS:
            status, problem = await one.call(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
            assert (status, problem["code"]) == (401, "signed_out"), "a bearer token opens the API alone"
        assert (await one.call("GET", "/"))[0] == 200, "the form"
        assert await one.call("GET", "/page/session") == (200, {"client": None})


async def test_the_cookie_opens_no_api(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (_, one):
        for method, path in (("GET", "/v1/jobs"), ("GET", "/v1/info"), ("POST", "/v1/pause"), ("GET", "/metrics")):
            assert (await one.call(method, path))[0] == 401


async def test_signing_in_and_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with page_here(settings(tmp_path)) as (_, one):
        status, headers, answer = await one.whole("POST", "/page/session", {"token": f" {TOKEN}\n"})
        assert (status, answer) == (200, {"client": "otterbot"})
        [cookie] = headers.getall("Set-Cookie")
        assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/page", "SameSite=Strict"}
        secret = cookie.split(";")[0].partition("=")[2]
        assert TOKEN not in cookie
        assert (await one.call("GET", "/page/session"))[1] == {"client": "otterbot"}
        assert (await one.call("DELETE", "/page/session"))[0] == 204
        assert (await one.call("GET", "/page/now"))[0] == 401
        assert (await one.call("GET", "/page/now", cookies={guard.COOKIE: secret}))[0] == 401, (
            "ended here, not only there"
        )
        assert not [record for record in caplog.records if secret in str(vars(record)) or TOKEN in str(vars(record))]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"token": "wrong-token-0123456789"}, 401),
        ({"token": ""}, 401),
        ({"token": "ä\ud800"}, 422),
        ({"token": "x" * 2_000}, 422),
        ({"token": 7}, 422),
        ({}, 422),
        ({"token": TOKEN, "more": 1}, 422),
        ([TOKEN], 422),
    ],
)
async def test_a_wrong_token_signs_nobody_in(tmp_path: Path, body: Any, status: int) -> None:
    page = mount.mount(settings(tmp_path))
    assert page is not None
    async with worker_here(settings(tmp_path), paused=True, mounts=[page]) as here, browser(here.api.address) as one:
        found, headers, _ = await one.whole("POST", "/page/session", body)
        assert found == status
        assert "Set-Cookie" not in headers


async def test_every_client_of_the_settings_sees_everybodys_queue(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (here, one):
        await here.api.submit(image(owner="@ann:here"))
        await here.other.submit(image(owner="@bob:there"))
        for token in (TOKEN, OTHER):
            assert (await one.sign_in(token))[0] == 200
            assert [job["owner"] for job in (await one.call("GET", "/page/now"))[1]["jobs"]] == [
                "@ann:here",
                "@bob:there",
            ]


# ---------------------------------------------------------------- where a request comes from

ELSEWHERE: dict[str, dict[str, str | None]] = {
    "no origin": {"Origin": None},
    "another site": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:9"},
    "a sandboxed frame": {"Origin": "null"},
    "a longer name": {"Origin": "http://127.0.0.1.evil.example"},
    "without our header": {"Otterbot-Page": None},
    "the browser says another port": {"Sec-Fetch-Site": "same-site"},
    "the browser says another site": {"Sec-Fetch-Site": "cross-site"},
}


@pytest.mark.parametrize("case", ELSEWHERE)
async def test_nothing_is_changed_for_another_site(tmp_path: Path, case: str) -> None:
    async with page_here(settings(tmp_path)) as (here, one):
        job = await here.api.submit(image())
        paths = [(method, path.replace("/jobs/0", f"/jobs/{job['id']}")) for method, path in CHANGING]
        for method, path in [*paths, ("POST", "/page/session")]:
            body = {"token": TOKEN} if path == "/page/session" else None
            status, problem = await one.call(method, path, body, headers=ELSEWHERE[case])
            assert (status, problem["code"]) == (403, "other_origin"), (method, path)
        assert (await here.api.job(job["id"]))["state"] == "queued"
        assert (await one.call("GET", "/page/session"))[1] == {"client": "otterbot"}, "still signed in"


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_nothing_is_shown_inside_another_site(tmp_path: Path, site: str) -> None:
    async with page_here(settings(tmp_path)) as (_, one):
        for path in ("/page/now", "/page/pictures", "/page/pictures/00ff/picture"):
            assert (await one.call("GET", path, headers={"Sec-Fetch-Site": site}))[0] == 403
            typed = await one.call("GET", path, headers={"Sec-Fetch-Site": "none", "Origin": None})
            assert typed[0] in (200, 404), "an address that somebody typed"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8585", "127.0.0.1.evil.example", "", "[::1", "a b"])
async def test_a_name_that_is_not_ours_is_refused(tmp_path: Path, host: str) -> None:
    async with page_here(settings(tmp_path)) as (_, one):
        for method, path in (
            ("GET", "/"),
            ("GET", "/page/static/main.js"),
            ("GET", "/page/now"),
            ("POST", "/page/session"),
        ):
            headers: dict[str, str | None] = {"Host": host, "Origin": f"http://{host}"}
            status, problem = await one.call(method, path, headers=headers)
            assert (status, problem["code"]) == (421, "unknown_host")


def test_names() -> None:
    known = hosts.names("gpu.lan", ["Otter.Example.org"])
    for ours in (
        "127.0.0.1", "127.0.0.1:8585", "[::1]:8585", "[::1]", "10.8.0.2:1", "localhost:9000", "LOCALHOST", "gpu.lan.",
        "otter.example.org:443",
    ):  # fmt: skip
        assert hosts.is_ours(ours, known), ours
    for other in ("evil.example", "gpu.lan.evil.example", "localhost.evil.example", "gpu.lan:x", "", ":80", "[::1]x"):
        assert not hosts.is_ours(other, known), other
    assert hosts.same("http://localhost:80", "localhost:80")
    assert not any(hosts.same(origin, "localhost:80") for origin in ("", "null", "localhost:80", "file://localhost:80"))


@pytest.mark.parametrize(
    "api", [{"page_hosts": ["otter.example.org"]}, {"public_url": "https://Otter.example.org:8443/"}]
)
async def test_names_of_the_settings_may_be_used(tmp_path: Path, api: dict[str, Any]) -> None:
    async with page_here(settings(tmp_path, api=api)) as (_, one):
        headers: dict[str, str | None] = {"Host": "otter.example.org", "Origin": "https://otter.example.org"}
        status, found, _ = await one.whole("POST", "/page/session", {"token": TOKEN}, headers=headers)
        assert status == 200
        assert found["Set-Cookie"].startswith("__Host-otterbot="), "a proxy before it speaks TLS"
        assert "Secure" in found["Set-Cookie"]


# ---------------------------------------------------------------- what answers say to browsers


async def test_every_answer_is_guarded(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (_, one):
        for method, path in (*PRIVATE_PATHS, ("GET", "/"), ("GET", "/page/static/main.js"), ("GET", "/page/static/no")):
            if path == "/page/session" and method == "DELETE":
                continue
            _, headers, _ = await one.whole(method, path)
            for name, value in guard.HEADERS.items():
                assert headers[name] == value, path
            ours = path == "/" or path == "/page/static/main.js"
            assert headers["Cache-Control"] == ("no-cache" if ours else "no-store"), path
            assert "Access-Control-Allow-Origin" not in headers
        assert "unsafe" not in guard.POLICY
        assert "*" not in guard.POLICY


async def test_no_other_origin_is_told_that_it_may_ask(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (_, one):
        headers: dict[str, str | None] = {
            "Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE",
            "Access-Control-Request-Headers": "otterbot-page", "Otterbot-Page": None, "Sec-Fetch-Site": "cross-site",
        }  # fmt: skip
        status, found, _ = await one.whole("OPTIONS", "/page/pictures/00ff", headers=headers)
        assert status == 403
        assert not [name for name in found if name.lower().startswith("access-control")]


async def test_files_of_the_page_have_tags_and_paths_lead_nowhere(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (_, one):
        for path in ("/", "/page/static/main.js", "/page/static/style.css", "/page/static/sign.svg"):
            status, headers, data = await one.whole("GET", path)
            assert status == 200
            assert len(data) > 100
            again = await one.call("GET", path, headers={"If-None-Match": headers["ETag"]})
            assert again == (304, b"")
        for path in (
            "..%2fmount.py",
            "%2e%2e/mount.py",
            "../mount.py",
            "main.js%00",
            "%2fetc%2fpasswd",
            "style.css/x",
            "",
        ):
            assert (await one.call("GET", f"/page/static/{path}"))[0] in (401, 404), path


def test_nothing_stands_in_the_html_that_the_policy_refuses() -> None:
    from otterbot_worker.page.files import load

    found = load()
    index = found["index.html"].data.decode()
    assert index.count("<script") == 1
    for wrong in ("style=", "<style", "onclick", "onload", "javascript:", "http:", "https:"):
        assert wrong not in index
    for name, file in found.items():
        text = file.data.decode().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in "".join(line for line in text.splitlines() if "http" in line), name
        for wrong in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            ".style.",
        ):
            assert wrong not in text, name


# ---------------------------------------------------------------- where it is


def _tls() -> dict[str, str]:
    return {"tls_cert": "/nowhere/cert.pem", "tls_key": "/nowhere/key.pem"}


@pytest.mark.parametrize(
    ("api", "there"),
    [
        ({}, True),
        ({"host": "::1"}, True),
        ({"host": "localhost"}, True),
        ({"host": "192.168.1.20", **_tls()}, True),
        ({"host": "192.168.1.20", "page": "on"}, True),
        ({"host": "192.168.1.20", "page": True}, True),
        ({"host": "192.168.1.20"}, False),
        ({"host": "0.0.0.0"}, False),
    ],
)
def test_off_loopback_only_with_tls_or_by_choice(tmp_path: Path, api: dict[str, Any], there: bool) -> None:
    page = mount.mount(settings(tmp_path, api=api))
    assert page is not None
    assert page.has("/page/now") is there
    assert page.has("/")
    assert not page.has("/v1/jobs")


@pytest.mark.parametrize("off", ["off", False])
async def test_it_can_be_switched_off(tmp_path: Path, off: object) -> None:
    assert mount.mount(settings(tmp_path, api={"page": off})) is None
    async with worker_here(settings(tmp_path), paused=True) as here:
        for path in ("/", "/page/now", "/page/static/main.js"):
            async with here.api.session.get(here.api.address + path, headers={"Authorization": ""}) as response:
                assert response.status == 401


async def test_where_it_is_not_shown_it_says_what_to_set(tmp_path: Path) -> None:
    page = mount.mount(settings(tmp_path, api={"host": "192.168.1.20"}))
    assert page is not None
    async with worker_here(settings(tmp_path), paused=True, mounts=[page]) as here, browser(here.api.address) as one:
        status, text = await one.call("GET", "/")
        assert status == 403
        assert b"api.page: on" in text
        assert (await one.call("POST", "/page/session", {"token": TOKEN}))[0] == 401


async def test_over_tls_the_cookie_is_for_tls_alone(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    command = [*made, "-keyout", str(key), "-out", str(cert)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    page = mount.mount(settings(tmp_path / "data"))
    assert page is not None
    async with worker_here(settings(tmp_path / "data"), paused=True, tls=tls, mounts=[page]) as here:
        async with browser(here.api.address) as one:
            status, headers, _ = await one.whole("POST", "/page/session", {"token": TOKEN}, ssl=False)
            assert status == 200
            parts = {part.strip() for part in headers["Set-Cookie"].split(";")[1:]}
            assert parts == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}


# ---------------------------------------------------------------- sessions


def test_they_end_by_idleness_by_age_with_their_token_and_by_number() -> None:
    now, tokens = 0.0, {"t1", "t2"}
    known = Sessions(tokens.__contains__, clock=lambda: now)
    one, two = Client(name="otterbot", kind="bot", id="t1"), Client(name="ann", kind="operator", id="t2")
    first, second = known.open(one), known.open(two)
    assert first != second
    assert len(first) > 40
    assert known.find(first) is not None
    assert known.find(first[:-1]) is None
    tokens.remove("t2")
    assert known.find(second) is None, "revoked"
    tokens.add("t2")
    assert known.find(second) is None, "for good"
    now += sessions.IDLE_SECONDS - 1
    assert known.find(first) is not None
    now += sessions.IDLE_SECONDS + 1
    assert known.find(first) is None, "idle"
    third = known.open(one)
    started = now
    while now - started < sessions.WHOLE_SECONDS:
        assert known.find(third) is not None
        now += sessions.IDLE_SECONDS / 2
    now += 1
    assert known.find(third) is None, "however busy"
    many = [known.open(one) for _ in range(sessions.MOST + 1)]
    assert [known.find(secret) is not None for secret in many] == [False, *[True] * sessions.MOST]


async def test_tokens_of_programs_open_nothing_and_an_operators_until_it_is_revoked(tmp_path: Path) -> None:
    config = settings(tmp_path)
    program, operator = changes.new(config, "webui"), changes.new(config, "boss", kind="operator")
    async with page_here(config) as (here, one), browser(here.api.address) as other:
        status, headers, problem = await other.whole("POST", "/page/session", {"token": program})
        assert (status, problem["code"]) == (403, "not_for_the_page")
        assert "Set-Cookie" not in headers
        assert (await other.sign_in(operator))[1] == {"client": "boss"}
        assert (await other.call("GET", "/page/now"))[0] == 200
        changes.revoke(config, "boss")
        assert (await other.call("GET", "/page/now"))[0] == 401, "at once"
        assert (await other.sign_in(operator))[0] == 401
        assert (await one.call("GET", "/page/now"))[0] == 200


async def test_who_tries_many_tokens_has_to_wait(tmp_path: Path) -> None:
    async with page_here(settings(tmp_path)) as (here, _), browser(here.api.address) as other:
        for number in range(MOST_WRONG):
            status, problem = await other.sign_in(f"wrong-token-{number:016}")
            assert (status, problem["code"]) == (401, "unauthorized")
        status, headers, problem = await other.whole("POST", "/page/session", {"token": OTHER})
        assert (status, problem["code"]) == (401, "too_many_wrong_tokens"), "nobody looks at it"
        assert int(headers["Retry-After"]) > 0
