"""Is it a picture, and the one that was announced? Told from the bytes, without decoding them."""

from __future__ import annotations

import hashlib

from ..errors import WorkerForeign


def sniff(data: bytes) -> str | None:
    """What kind of picture the bytes begin like."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/gif" if data[:6] in (b"GIF87a", b"GIF89a") else None


def check(data: bytes, *, size: int, mimetype: str, sha256: str | None) -> bytes:
    """The bytes, if they are what the worker has said of them. Raises :class:`WorkerForeign`: half a picture, or the
    page of a proxy. Older workers tell no hash."""
    if len(data) != size:
        raise WorkerForeign(f"{len(data)} bytes in place of {size}")
    if sniff(data) != mimetype:
        raise WorkerForeign(f"no {mimetype}")
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise WorkerForeign("another hash")
    return data
