"""Downloads a model into the hub cache, in a process of its own, the only one that talks to the hub.

The GPU process itself is always offline. It runs ``python -m otterbot_worker.images.load.download``,
watches the cache grow, and ends it when the picture is cancelled or nothing arrives any more. The process says in a
line of JSON how many bytes are missing, before it fetches them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from ... import privacy
from ...models import files, shards
from ...parent_death import die_with
from ..importing import without_collecting
from ..monitor import Monitor

POLL_S = 0.5
STALLED_S = 300.0
REPORT_S = 1.0
RESERVE = 1_000_000_000
"""Bytes that stay free on the disk."""
_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth", ".msgpack", ".onnx", ".onnx_data", ".h5", ".gguf")


class DownloadFailed(Exception):
    """The message is a short phrase for people."""


def fetch(
    hub: str,
    *,
    monitor: Monitor,
    variant: str | None = None,
    single: bool = False,
    without: Collection[str] = (),
    only: str | None = None,
    chosen: Sequence[str] = (),
) -> Path:
    """The snapshot's folder. ``single``: one component (a VAE), not a pipeline. ``without``: components of a pipeline
    that are not fetched; ``only``: the one that is; ``chosen``: nothing but these files.

    :raises DownloadFailed:
    :raises Cancelled: from the monitor
    """
    command = [sys.executable, "-m", "otterbot_worker.images.load.download", hub, "--parent", str(os.getpid())]
    command += ["--variant", variant] if variant else []
    command += ["--single"] if single else []
    command += [word for name in sorted(without) for word in ("--without", name)]
    command += ["--only", only] if only else []
    command += [word for name in chosen for word in ("--file", name)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"}
    environment["HF_HUB_DISABLE_XET"] = "1"  # plain HTTP: the cache file grows, so progress can be measured
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        _watch(process, files.hub_cache() / files.repository_folder(hub) / "blobs", monitor)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if process.returncode != 0:
        raise DownloadFailed("the hub could not be reached or does not have it")
    folder = files.snapshot(hub)
    if folder is None:
        raise DownloadFailed("it is not in the cache afterwards")
    return folder


def _watch(process: subprocess.Popen[bytes], blobs: Path, monitor: Monitor) -> None:
    """:raises DownloadFailed: :raises Cancelled:"""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    before, said, total = _whole_files(blobs), b"", None
    size, changed, reported = -1, time.monotonic(), 0.0
    while process.poll() is None:
        monitor.check()
        said += process.stdout.read() or b""
        if total is None and (total := _announced(said)) is not None:
            _check_room(total, blobs)
        now = files.folder_size(blobs)
        if now != size:
            size, changed = now, time.monotonic()
        elif time.monotonic() - changed > STALLED_S:
            raise DownloadFailed("nothing arrived for minutes")
        if time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            done = max(0, now - before)
            monitor.progress("downloading", done if total is None else min(done, total), total or 0)
        time.sleep(POLL_S)
    monitor.progress("loading")


def _whole_files(blobs: Path) -> int:
    """Bytes of complete files in the cache; partial files are continued and count as missing."""
    return files.folder_size(blobs) - sum(path.stat().st_size for path in blobs.glob("*.incomplete"))


def _announced(said: bytes) -> int | None:
    """How many bytes are missing; ``None`` until the process has printed it."""
    line, end, _ = said.partition(b"\n")
    try:
        return int(json.loads(line)["missing"]) if end else None
    except (ValueError, KeyError, TypeError):
        return None


def _check_room(missing: int, blobs: Path) -> None:
    """:raises DownloadFailed: the disk is too full"""
    existing = next(parent for parent in blobs.parents if parent.exists())
    arrived = sum(path.stat().st_size for path in blobs.glob("*.incomplete"))
    free = shutil.disk_usage(existing).free
    if missing - arrived + RESERVE > free:
        raise DownloadFailed(f"it needs {missing / 1e9:.1f} GB, and of the disk {free / 1e9:.1f} GB are free")


def main() -> int:
    parser = argparse.ArgumentParser(prog="otterbot_worker.images.load.download")
    parser.add_argument("hub")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--variant")
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--only")
    parser.add_argument("--file", action="append", default=[])
    options = parser.parse_args()
    privacy.keep_to_ourselves()
    die_with(options.parent)
    try:
        import huggingface_hub

        if options.single or options.only or options.file:
            _announce(options.hub, _patterns(options))
            huggingface_hub.snapshot_download(options.hub, allow_patterns=_patterns(options))
        else:
            with without_collecting():
                from diffusers import DiffusionPipeline

            _announce(options.hub, _of_pipeline(options.hub, options.variant, options.without))
            DiffusionPipeline.download(
                options.hub, variant=options.variant, use_safetensors=True, **dict.fromkeys(options.without)
            )
            # Fetch the settings of left-out components too: they are built from them.
            if options.without:
                settings = [f"{name}/*.json" for name in options.without]
                huggingface_hub.snapshot_download(options.hub, allow_patterns=["model_index.json", *settings])
    except Exception as error:
        print(f"download of {options.hub}: {type(error).__name__}", file=sys.stderr, flush=True)
        return 1
    return 0


def _announce(hub: str, patterns: list[str]) -> None:
    import huggingface_hub

    found = huggingface_hub.snapshot_download(hub, allow_patterns=patterns, dry_run=True)
    missing = sum(one.file_size or 0 for one in found if one.will_download)
    print(json.dumps({"missing": missing}), flush=True)


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
