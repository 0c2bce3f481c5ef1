"""The part of a homeserver that keeps keys: of devices, for cross-signing, account data. Answers can be lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web


class KeysDouble:
    """``async with KeysDouble() as server``: as Synapse, it takes the first cross-signing keys without a password."""

    def __init__(self) -> None:
        self.port = 0
        self.devices: dict[str, dict[str, Any]] = {}
        self.cross_signing: dict[str, dict[str, Any]] = {}
        self.account_data: dict[str, dict[str, Any]] = {}
        self.writes = 0
        self.calls: list[str] = []
        self.cut: Callable[[int], str | None] = lambda number: None
        """By the number of a write: lost ``before`` it was carried out, ``after`` that, or not at all.

        Once one is lost, the homeserver is gone until :meth:`back`.
        """
        self._gone = False
        self.others: dict[int, tuple[int, str] | None] = {}
        """By the number of a call: status and text that come in place of an answer; ``None``: the connection breaks."""
        self.stages: list[list[str]] | None = None
        """What it wants before it takes cross-signing keys; ``None``: nothing for the first ones."""
        self.refuse_signatures = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> KeysDouble:
        app = web.Application(middlewares=[self._gate])
        keys = "/_matrix/client/v3/keys"
        app.router.add_post(f"{keys}/query", self._query)
        app.router.add_post(f"{keys}/upload", self._upload)
        app.router.add_post(f"{keys}/device_signing/upload", self._publish)
        app.router.add_post(f"{keys}/signatures/upload", self._sign)
        app.router.add_get("/_matrix/client/v3/user/{user}/account_data/{type}", self._get_data)
        app.router.add_put("/_matrix/client/v3/user/{user}/account_data/{type}", self._put_data)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def back(self) -> None:
        """It can be reached again, and loses nothing more."""
        self._gone, self.cut = False, lambda number: None

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(request.path.rsplit("/v3/", 1)[1])
        if self._gone:
            return self._broken(request)
        if len(self.calls) in self.others:
            return self._other(request, self.others[len(self.calls)])
        writes = request.method == "PUT" or not request.path.endswith("/query")
        writes = writes and request.method != "GET"
        self.writes += writes
        cut = self.cut(self.writes) if writes else None
        self._gone = self._gone or cut is not None
        if cut == "before":
            return self._broken(request)
        response: web.StreamResponse = await handler(request)
        return self._broken(request) if cut == "after" else response

    def _other(self, request: web.Request, answer: tuple[int, str] | None) -> web.Response:
        if answer is None:
            return self._broken(request)
        kind = "text/html" if answer[1].startswith("<") else "application/json"
        return web.Response(status=answer[0], text=answer[1], content_type=kind)

    @staticmethod
    def _broken(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _query(self, request: web.Request) -> web.Response:
        [user] = (await request.json())["device_keys"]
        answer: dict[str, Any] = {"device_keys": {user: self.devices}, "failures": {}}
        for usage in ("master", "self_signing", "user_signing"):
            if f"{usage}_key" in self.cross_signing:
                answer[f"{usage}_keys"] = {user: self.cross_signing[f"{usage}_key"]}
        return web.json_response(answer)

    async def _upload(self, request: web.Request) -> web.Response:
        body = await request.json()
        if "device_keys" in body:
            device = body["device_keys"]
            self.devices[device["device_id"]] = device
        return web.json_response({"one_time_key_counts": {"signed_curve25519": 50}})

    async def _publish(self, request: web.Request) -> web.Response:
        body = await request.json()
        auth = body.pop("auth", None)
        same = {name: key["keys"] for name, key in body.items()} == {
            name: key["keys"] for name, key in self.cross_signing.items()
        }
        stages = self.stages if not self.cross_signing or self.stages is not None else [["m.login.password"]]
        if stages is not None and not same and not (auth and [auth["type"]] in stages and auth["session"] == "s1"):
            flows = [{"stages": stage} for stage in stages]
            return web.json_response({"flows": flows, "session": "s1", "params": {}}, status=401)
        self.cross_signing = body
        return web.json_response({})

    async def _sign(self, request: web.Request) -> web.Response:
        [(user, signed)] = (await request.json()).items()
        failures: dict[str, Any] = {}
        for device_id, device in signed.items():
            known = {name: value for name, value in self.devices[device_id].items() if name != "unsigned"}
            signatures, new = known.pop("signatures"), {name: device[name] for name in device if name != "unsigned"}
            added = new.pop("signatures")
            if self.refuse_signatures or known != new:
                failures.setdefault(user, {})[device_id] = {"errcode": "M_INVALID_SIGNATURE", "error": "no"}
            else:
                signatures[user].update(added[user])
        return web.json_response({"failures": failures})

    async def _get_data(self, request: web.Request) -> web.Response:
        data = self.account_data.get(request.match_info["type"])
        if data is None:
            return web.json_response({"errcode": "M_NOT_FOUND", "error": "no"}, status=404)
        return web.json_response(data)

    async def _put_data(self, request: web.Request) -> web.Response:
        self.account_data[request.match_info["type"]] = json.loads(await request.text())
        return web.json_response({})
