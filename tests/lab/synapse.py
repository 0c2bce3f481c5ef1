"""A Synapse on SQLite, on 127.0.0.1 only: thrown away after the tests, kept by the demo."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import yaml

from . import places
from .proc import Proc, free_port

_FREE = {"per_second": 10000, "burst_count": 10000}
NO_LIMITS: dict[str, Any] = {
    "rc_message": _FREE, "rc_registration": _FREE,
    "rc_login": {"address": _FREE, "account": _FREE, "failed_attempts": _FREE},
    "rc_joins": {"local": _FREE, "remote": _FREE}, "rc_joins_per_room": _FREE,
    "rc_invites": {"per_room": _FREE, "per_user": _FREE, "per_issuer": _FREE},
    "rc_room_creation": _FREE, "rc_media_create": _FREE, "rc_key_requests": _FREE,
    "rc_admin_redaction": _FREE, "rc_presence": {"per_user": _FREE}, "rc_profile": _FREE,
}  # fmt: skip
"""What lifts Synapse's rate limits for everybody; the tests that are about limits leave them as they come."""
LEAN: dict[str, Any] = {
    "push": {"enabled": False}, "send_federation": False, "update_user_directory_from_worker": "nobody",
    "gc_thresholds": [100_000, 50, 50], "gc_min_interval": ["1m", "10m", "1h"],
}  # fmt: skip
"""What Synapse does for others than this lab's few people: a sixth of its work."""


@dataclass(frozen=True)
class Login:
    user_id: str
    access_token: str
    device_id: str
    password: str


class Synapse:
    """One homeserver in one folder."""

    def __init__(
        self, root: Path, *, port: int | None = None, server_name: str = "lab.test", limits: bool = False,
        extra: dict[str, Any] | None = None, secret: str | None = None, lean: bool = False,
    ) -> None:  # fmt: skip
        """``lean``: with less of what tests do not see, see :data:`LEAN` and :mod:`lab.one_thread`."""
        self.root, self.server_name = root, server_name
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.secret = secret or secrets.token_hex(16)
        self.extra = {**({} if limits else NO_LIMITS), **(LEAN if lean else {}), **(extra or {})}
        self.boot_s = 0.0
        program = ["-P", str(Path(__file__).with_name("one_thread.py"))] if lean else ["-m", "synapse.app.homeserver"]
        command = [places.python("synapse"), *program, "-c", "homeserver.yaml"]
        self.proc = Proc("synapse", command, root, root / "synapse.log", forked="synapse" if lean else "")

    @property
    def database(self) -> Path:
        return self.root / "homeserver.db"

    @property
    def media(self) -> Path:
        return self.root / "media"

    def write_config(self, **changes: Any) -> None:
        """Writes ``homeserver.yaml`` and what belongs to it; ``changes`` stay for later starts."""
        self.extra.update(changes)
        self.root.mkdir(parents=True, exist_ok=True)
        key = self.root / "signing.key"
        if not key.exists():
            seed = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            key.write_text(f"ed25519 a_lab {seed}\n")
        log = {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"f": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {"c": {"class": "logging.StreamHandler", "formatter": "f", "stream": "ext://sys.stdout"}},
            # Synapse's own default, so that "no prompt in its log" says something.
            "root": {"level": "INFO", "handlers": ["c"]},
        }
        (self.root / "log.yaml").write_text(yaml.safe_dump(log))
        listener = {
            "port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": False,
            "resources": [{"names": ["client"], "compress": False}],
        }  # fmt: skip
        config = {
            "server_name": self.server_name,
            "public_baseurl": self.url + "/",
            "pid_file": str(self.root / "synapse.pid"),
            "listeners": [listener],
            "database": {"name": "sqlite3", "args": {"database": str(self.database)}},
            "media_store_path": str(self.media),
            "signing_key_path": str(key),
            "log_config": str(self.root / "log.yaml"),
            "registration_shared_secret": self.secret,
            "macaroon_secret_key": self.secret, "form_secret": self.secret,
            "report_stats": False, "trusted_key_servers": [], "suppress_key_server_warning": True,
            "federation_domain_whitelist": [], "url_preview_enabled": False, "dynamic_thumbnails": False,
            # Else Synapse keeps a /sync answer for two minutes and gives a restarted bot the dead one's answer.
            "caches": {"sync_response_cache_duration": "0s"},
            "presence": {"enabled": False}, "bcrypt_rounds": 4, "max_upload_size": "50M",
            **self.extra,
        }  # fmt: skip
        (self.root / "homeserver.yaml").write_text(yaml.safe_dump(config))

    async def start(self) -> float:
        """Seconds until it answers."""
        self.write_config()
        started = time.monotonic()
        self.proc.start()
        await self.proc.wait_http(f"{self.url}/_matrix/client/versions")
        self.boot_s = time.monotonic() - started
        return self.boot_s

    async def stop(self) -> float:
        return await self.proc.stop()

    async def kill(self) -> None:
        await self.proc.kill()

    async def restart(self, *, hard: bool = False) -> float:
        await (self.kill() if hard else self.stop())
        return await self.start()

    async def register(self, name: str, password: str = "otter", *, admin: bool = False) -> Login:
        """Registers and logs in with one call of the admin API, signed with the shared secret."""
        url = f"{self.url}/_synapse/admin/v1/register"
        async with aiohttp.ClientSession() as http:
            async with http.get(url) as response:
                nonce = (await response.json())["nonce"]
            mac = hmac.new(self.secret.encode(), digestmod=hashlib.sha1)
            mac.update("\0".join([nonce, name, password, "admin" if admin else "notadmin"]).encode())
            body = {"nonce": nonce, "username": name, "password": password, "admin": admin, "mac": mac.hexdigest()}
            async with http.post(url, json=body) as response:
                answer = await response.json()
                if response.status != 200:
                    raise RuntimeError(f"register {name}: {response.status} {answer}")
        return Login(answer["user_id"], answer["access_token"], answer["device_id"], password)

    async def lift_limits(self, user_id: str, admin: Login) -> None:
        """What an operator does for the bot: no rate limits for this one account."""
        url = f"{self.url}/_synapse/admin/v1/users/{quote(user_id)}/override_ratelimit"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {admin.access_token}"}) as http:
            async with http.post(url, json={"messages_per_second": 0, "burst_count": 0}) as response:
                response.raise_for_status()
