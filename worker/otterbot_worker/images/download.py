"""Fetching a model into the usual hub cache: in a process of its own, the only one that talks to the hub.

The GPU process itself is always offline. It runs ``python -m otterbot_worker.images.download``,
watches the cache grow, and ends it when the picture is cancelled or nothing arrives any more.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from ..gpu.child import die_with
from ..models import files
from .monitor import Monitor

POLL_S = 0.5
STALLED_S = 300.0


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
    command = [sys.executable, "-m", "otterbot_worker.images.download", hub, "--parent", str(os.getpid())]
    command += ["--variant", variant] if variant else []
    command += ["--single"] if single else []
    command += [word for name in sorted(without) for word in ("--without", name)]
    command += ["--only", only] if only else []
    command += [word for name in chosen for word in ("--file", name)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0"}
    environment["HF_HUB_DISABLE_XET"] = "1"  # plain HTTP: what has arrived can be seen in the cache
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        _watch(process, files.hub_cache() / files.repository_folder(hub) / "blobs", monitor)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    if process.returncode != 0:
        raise DownloadFailed("the hub could not be reached or does not have it")
    folder = files.snapshot(hub)
    if folder is None:
        raise DownloadFailed("it is not in the cache afterwards")
    return folder


def _watch(process: subprocess.Popen[bytes], blobs: Path, monitor: Monitor) -> None:
    size, changed = -1, time.monotonic()
    while process.poll() is None:
        monitor.check()
        now = files.folder_size(blobs)
        if now != size:
            size, changed = now, time.monotonic()
        elif time.monotonic() - changed > STALLED_S:
            raise DownloadFailed("nothing arrived for minutes")
        time.sleep(POLL_S)


def main() -> int:
    parser = argparse.ArgumentParser(prog="otterbot_worker.images.download")
    parser.add_argument("hub")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--variant")
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--without", action="append", default=[])
    parser.add_argument("--only")
    parser.add_argument("--file", action="append", default=[])
    options = parser.parse_args()
    die_with(options.parent)
    try:
        if options.single or options.only or options.file:
            import huggingface_hub

            huggingface_hub.snapshot_download(options.hub, allow_patterns=_patterns(options))
        else:
            import diffusers

            diffusers.DiffusionPipeline.download(
                options.hub, variant=options.variant, use_safetensors=True, **dict.fromkeys(options.without)
            )
            # Left-out weights are built from their settings all the same.
            if options.without:
                import huggingface_hub

                settings = [f"{name}/*.json" for name in options.without]
                huggingface_hub.snapshot_download(options.hub, allow_patterns=["model_index.json", *settings])
    except Exception as error:
        print(f"download of {options.hub}: {type(error).__name__}", file=sys.stderr, flush=True)
        return 1
    return 0


def _patterns(options: argparse.Namespace) -> list[str]:
    if options.file:
        return list(options.file)
    if options.only:
        end = f".{options.variant}.safetensors" if options.variant else ".safetensors"
        return ["model_index.json", f"{options.only}/*.json", f"{options.only}/*{end}"]
    return ["config.json", "diffusion_pytorch_model.safetensors"]


if __name__ == "__main__":
    sys.exit(main())
