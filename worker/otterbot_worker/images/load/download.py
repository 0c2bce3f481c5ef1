"""Downloads a model into the hub cache: a program, the only one that talks to the hub.

The GPU process itself is always offline. It, or `otterbot-worker models get`, runs ``python -m
otterbot_worker.images.load.download`` and watches (`models.download`). A large file that was cut off is continued where
it ended, also in another run: the hub's own library begins it anew.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ... import privacy
from ...models import files, shards
from ...models.download import EXIT_GATED, EXIT_LACKS, EXIT_UNKNOWN
from ...parent_death import die_with
from ..importing import without_collecting

LARGE = 8_000_000
"""Bytes from which a file is continued."""
_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".onnx", ".onnx_data", ".h5", ".gguf")
_SHA256 = 64
_EXITS = {
    "GatedRepoError": EXIT_GATED,
    "RepositoryNotFoundError": EXIT_UNKNOWN,
    "RevisionNotFoundError": EXIT_UNKNOWN,
    "EntryNotFoundError": EXIT_LACKS,
    "RemoteEntryNotFoundError": EXIT_LACKS,
    "ValueError": EXIT_LACKS,  # of diffusers: no files of that variant
}
"""By the error's own class: a hub that is away has a class below one of these."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="otterbot_worker.images.load.download")
    parser.add_argument("hub")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--variant")
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--only")
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--ask", action="store_true")
    options = parser.parse_args()
    privacy.keep_to_ourselves()
    die_with(options.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who watches, and ends this process
    try:
        import huggingface_hub

        whole = not (options.single or options.only or options.file)
        patterns = _of_pipeline(options.hub, options.variant, options.without) if whole else _patterns(options)
        missing = _announce(options.hub, patterns, needed=options.file, about=options.ask)
        if options.ask:
            return 0
        for name in missing:
            _continue(options.hub, name)
        if not whole:
            huggingface_hub.snapshot_download(options.hub, allow_patterns=patterns)
        else:
            _pipeline(options)
    except Exception as error:
        print(f"download of {options.hub}: {type(error).__name__}", file=sys.stderr, flush=True)
        return _EXITS.get(type(error).__name__, 1)
    return 0


def _pipeline(options: argparse.Namespace) -> None:
    import huggingface_hub

    with without_collecting():
        from diffusers import DiffusionPipeline

    DiffusionPipeline.download(
        options.hub, variant=options.variant, use_safetensors=True, **dict.fromkeys(options.without)
    )
    # Fetch the settings of left-out components too: they are built from them.
    if options.without:
        settings = [f"{name}/*.json" for name in options.without]
        huggingface_hub.snapshot_download(options.hub, allow_patterns=["model_index.json", *settings])


def _announce(hub: str, patterns: list[str], *, needed: Sequence[str], about: bool) -> list[str]:
    """Print how much is missing, and with ``about`` what the hub says of the repository. The large files of it.

    :raises EntryNotFoundError: it has none of the ``needed`` ones
    """
    import huggingface_hub

    found = huggingface_hub.snapshot_download(hub, allow_patterns=patterns, dry_run=True)
    if needed and not found:
        raise huggingface_hub.errors.EntryNotFoundError(hub)
    missing = [one for one in found if one.will_download]
    said: dict[str, Any] = {"missing": sum(one.file_size or 0 for one in missing)}
    if about:
        info = huggingface_hub.HfApi().model_info(hub)
        licences = (tag.partition(":")[2] for tag in info.tags or () if tag.startswith("license:"))
        said |= {"gated": bool(info.gated), "licence": next(licences, None)}
    print(json.dumps(said), flush=True)
    return [one.filename for one in missing if (one.file_size or 0) >= LARGE]


def _continue(hub: str, name: str) -> None:
    """Fetch a large file from where an earlier run was cut off; the library then finds it in its cache."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    url = hf_hub_url(hub, name)
    about = get_hf_file_metadata(url)
    if not about.etag or not about.size:
        return
    blobs = files.hub_cache() / files.repository_folder(hub) / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers()
    if urlsplit(about.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # another server: it signs its addresses itself
    part = blobs / f"{about.etag}.part.incomplete"
    with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # another process fetches it
        if (begun := file.seek(0, os.SEEK_END)) > about.size:
            file.truncate(begun := file.seek(0))
        http_get(about.location, file, resume_size=begun, headers=headers, expected_size=about.size)
        file.flush()
        if begun and len(about.etag) == _SHA256 and _sha256(part) != about.etag:
            part.unlink()
            raise OSError("the parts of the file do not fit together")
        part.rename(blobs / about.etag)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_pipeline(hub: str, variant: str | None, without: Sequence[str]) -> list[str]:
    """The files that diffusers would download for a pipeline, for counting bytes: settings, and each component's
    weights in the variant, or the plain ones where it has none."""
    import huggingface_hub

    index = files.read_index(Path(huggingface_hub.hf_hub_download(hub, "model_index.json")).parent)
    used = {name for name, value in index.items() if isinstance(value, list) and value and value[0] is not None}
    names = [name for name in huggingface_hub.list_repo_files(hub) if name.partition("/")[0] in used]
    wanted = [name for name in names if not name.endswith(_WEIGHTS)]
    for component in used - set(without):
        wanted += shards.of_variant([name for name in names if name.startswith(f"{component}/")], variant)
    return ["model_index.json", *wanted]


def _patterns(options: argparse.Namespace) -> list[str]:
    if options.file:
        return list(options.file)
    if options.only:
        name = f"*.{options.variant}*.safetensors" if options.variant else "*.safetensors"
        return ["model_index.json", f"{options.only}/*.json", f"{options.only}/{name}"]
    return list(files.SINGLE)


if __name__ == "__main__":
    sys.exit(main())
