"""A small model hub: what huggingface_hub asks for, served from a folder per repository."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_an_account_that_has_accepted"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """``url`` goes into ``HF_ENDPOINT``. File contents are held back while ``hold`` is not set, those of files with a
    name in ``late`` while it stands there, and come at a rest of ``slowly`` seconds every 256 KiB. Repositories of
    ``gated`` give files to those with ``TOKEN`` alone; ``licences`` stand on their pages; ``ranges`` are the beginnings
    of what was asked for in part."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.asked: list[str] = []
        self.gated: set[str] = set()
        self.licences: dict[str, str] = {}
        self.ranges: list[int] = []
        self.late: set[str] = set()
        self.file_asked = threading.Event()
        self.slowly = 0.0
        self.hold = threading.Event()
        self.hold.set()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                hub.answer(self, body=True)

            def do_HEAD(self) -> None:
                hub.answer(self, body=False)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.hold.set()
        self.late.clear()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler, *, body: bool) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append(path)
        if path.startswith("/api/models/"):
            repository = "/".join(path.split("/")[3:5])
            folder = self.repositories.get(repository)
            describe = self._tree if path.split("/")[5:6] == ["tree"] else self._info
            content = json.dumps(describe(repository, folder)).encode() if folder else None
            self._send(request, content, "application/json", body=body)
            return
        owner, name, _, _, *parts = path.strip("/").split("/")
        folder = self.repositories.get(f"{owner}/{name}")
        file = folder / "/".join(parts) if folder else None
        self.file_asked.set()
        if f"{owner}/{name}" in self.gated and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._refuse(request, body=body)
            return
        if body:
            self.hold.wait(30)
            until = time.monotonic() + 30
            while parts[-1] in self.late and time.monotonic() < until:
                time.sleep(0.01)
        self._send(
            request, file.read_bytes() if file and file.is_file() else None, "application/octet-stream", body=body
        )

    def _info(self, repository: str, folder: Path) -> dict[str, object]:
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        tags = [f"license:{self.licences[repository]}"] if repository in self.licences else []
        gated = "auto" if repository in self.gated else False
        siblings = [{"rfilename": name} for name in names]
        return {
            "id": repository,
            "modelId": repository,
            "sha": COMMIT,
            "tags": tags,
            "gated": gated,
            "siblings": siblings,
        }

    @staticmethod
    def _tree(_: str, folder: Path) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": str(path.relative_to(folder)), "size": path.stat().st_size, "oid": "0" * 40}
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    @staticmethod
    def _refuse(request: BaseHTTPRequestHandler, *, body: bool) -> None:
        """As for a licence that nobody has accepted."""
        said = b"Access to this model is restricted."
        request.send_response(401)
        request.send_header("X-Error-Code", "GatedRepo")
        request.send_header("X-Error-Message", said.decode())
        request.send_header("Content-Length", str(len(said)))
        request.end_headers()
        if body:
            request.wfile.write(said)

    def _send(self, request: BaseHTTPRequestHandler, content: bytes | None, kind: str, *, body: bool) -> None:
        whole = content or b""
        begin = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        partly = content is not None and 0 < begin < len(whole)
        if partly:
            self.ranges.append(begin)
        request.send_response(206 if partly else 200 if content is not None else 404)
        if content is None:
            request.send_header("X-Error-Code", "RepoNotFound")
        content = whole[begin:] if partly else whole
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        if partly:
            request.send_header("Content-Range", f"bytes {begin}-{len(whole) - 1}/{len(whole)}")
        request.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        request.end_headers()
        if body:
            with contextlib.suppress(ConnectionError):  # a cancelled download
                for start in range(0, len(content), 1 << 18):
                    time.sleep(self.slowly)
                    request.wfile.write(content[start : start + (1 << 18)])
