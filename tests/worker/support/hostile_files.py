"""Files that were made to stop whoever reads their headers, by name."""

from __future__ import annotations

import io
import json
import struct
import zipfile

from otterbot_worker.models import headers

UNET = "model.diffusion_model.input_blocks.0.0.weight"


def header(raw: bytes) -> bytes:
    """A safetensors file of a header alone."""
    return struct.pack("<Q", len(raw)) + raw


def checkpoint(program: bytes) -> bytes:
    """As ``torch.save`` writes it, with that pickle."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + program + b".")
    return file.getvalue()


def text(words: str) -> bytes:
    """In a pickle."""
    return b"X" + struct.pack("<I", len(words)) + words.encode()


def number(value: int) -> bytes:
    """In a pickle, of any length."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(raw)) + raw


def tensor(shape: bytes, name: str = UNET) -> bytes:
    """A dictionary's entry whose tensor has the shape that those steps of a pickle make."""
    return text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(NK\x00" + shape + b"NtR"


def _colliding() -> bytes:
    """Each of these numbers has the hash 0, so a dictionary compares it with all the others."""
    keys = b"".join(number(n * (2**61 - 1)) + b"K\x01" for n in range(1, 150_000))
    return b"}(" + keys + b"u"


def _colliding_memory() -> bytes:
    return b"}" + b"".join(b"p%d\n" % (n * (2**61 - 1)) for n in range(1, 150_000))


def _long_shape() -> bytes:
    """One list of 200,000 numbers, which is the shape of a thousand tensors."""
    shape = b"](" + b"K\x01" * 200_000 + b"eq\x01"
    return b"}(" + tensor(shape) + b"".join(tensor(b"h\x01", f"{UNET}{n}") for n in range(1000)) + b"u"


def _zip_of_many() -> bytes:
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0)[:18] + b"a"
    directory = entry * 250_000
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, len(directory), 4, 0)
    return b"PK\x03\x04" + directory + end


def _gguf_of_texts() -> bytes:
    """Each text takes eight bytes in the file."""
    keys = b"".join(
        struct.pack("<Q", 2) + b"k%d" % (n % 10) + struct.pack("<IIQ", 9, 8, 65_535) + bytes(8 * 65_535)
        for n in range(60)
    )
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 60) + keys


def _gguf_shaped(side: int) -> bytes:
    name = struct.pack("<Q", 1) + b"w"
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + name + struct.pack("<I4QIQ", 4, *[side] * 4, 0, 0)


def _nested(piece: bytes, count: int) -> bytes:
    return header(b'{"a":[0,' + piece * count + b"0]}")


def _deep(depth: int) -> bytes:
    return header(b'{"a":' + b"[" * depth + b"]" * depth + b"}")


def _half(name: str) -> bytes:
    fields = {"dtype": "F16", "shape": [2**64 - 1, 8], "data_offsets": "F16"}
    return header(json.dumps({name: fields, "__metadata__": {}}).encode())


def _zip_of_a_large_entry() -> bytes:
    """Its list of entries says of the pickle that it takes 2 GB in the file, and few when it is unpacked."""
    made = bytearray(checkpoint(b"}"))
    at = made.rfind(b"PK\x01\x02")
    made[at + 20 : at + 24] = struct.pack("<I", 2**31 - 1)
    return bytes(made)


MOST = headers.HEADER_MAX // 8 - 4
HOSTILE: dict[str, bytes] = {
    "infinite.ckpt": checkpoint(b"}(" + tensor(b"(G\x7f\xf0\x00\x00\x00\x00\x00\x00t") + b"u"),
    "negative.ckpt": checkpoint(b"}(" + tensor(b"(J\xff\xff\xff\xfft") + b"u"),
    "a-word.ckpt": checkpoint(b"}(" + tensor(text("long")) + b"u"),
    "huge.ckpt": checkpoint(b"}(" + tensor(b"(K\x01" + number(10**5000) + b"t") + b"u"),
    "colliding.ckpt": checkpoint(_colliding()),
    "colliding-memory.ckpt": checkpoint(_colliding_memory()),
    "long-shape.ckpt": checkpoint(_long_shape()),
    "many.ckpt": _zip_of_many(),
    "large-entry.ckpt": _zip_of_a_large_entry(),
    "empty.ckpt": b"",
    "steps.ckpt": checkpoint(b"N0" * 4_000_000),
    "nested.safetensors": _nested(b"[[[]]],", MOST),
    "flat.safetensors": _nested(b"0.5,", 2 * MOST),
    "deep.safetensors": _deep(1_000_000),
    "quotes.safetensors": header(b'"' * 8 * MOST),
    "no-end.safetensors": header(b'{"a":"' + b'\\"' * 4 * MOST),
    "no-end-escaped.safetensors": header(b'"\\' * 4 * MOST),
    "half.safetensors": _half("emb_params"),
    "list.safetensors": header(b"[]"),
    "long-number.safetensors": header(b'{"a":' + b"9" * 5_000 + b"}"),
    "wide.safetensors": header(b'{"a":{"dtype":"F16","shape":[1%s],"data_offsets":[0,2]}}' % (b"0" * 400)),
    "texts.gguf": _gguf_of_texts(),
    "sides.gguf": _gguf_shaped(2**63),
    "many-keys.gguf": b"GGUF" + struct.pack("<IQQ", 3, 0, 4_096) + bytes(16 * 1024 * 1024),
}
"""Every one is of no use."""
