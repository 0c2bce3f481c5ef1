"""Checks whether bytes are the announced picture, without decoding them."""

from __future__ import annotations

import hashlib

from ..errors import WorkerForeign


def sniff(data: bytes) -> str | None:
    """The picture's MIME type by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/gif" if data[:6] in (b"GIF87a", b"GIF89a") else None


def check(data: bytes, *, size: int, mimetype: str, sha256: str | None) -> bytes:
    """The bytes, if size, type and hash are as announced. Raises :class:`WorkerForeign` for half a picture, or a
    proxy's page. Older workers send no hash."""
    if len(data) != size:
        raise WorkerForeign(f"{len(data)} bytes in place of {size}")
    if sniff(data) != mimetype:
        raise WorkerForeign(f"no {mimetype}")
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise WorkerForeign("another hash")
    return data
