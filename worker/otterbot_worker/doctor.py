"""``python -m otterbot_worker.doctor``: what is there, what is missing, and can it draw?

Plain lines for people: ``ok``, ``note`` (works, could be better), ``FAIL``. Exit code 1 if
anything failed. Ends with a small picture drawn in a real GPU process.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import space, terminal
from .chat.builtin import files as chat_files
from .chat.builtin.failures import BETTER
from .errors import CannotLook, JobFailed, ProcessDied
from .gpu import attention, deaths, probe
from .gpu.messages import Draw
from .gpu.process import GpuProcess
from .memory.device_info import MATH_DANGER
from .models import files
from .models.catalogue import SMALL_MODEL, load_catalogue
from .models.entries import ModelEntry
from .models.entry_file import CatalogueError

MIN_FREE_DISK = 10e9
READ_SECONDS = 60.0
"""Time for reading new files."""
PASCAL_HINT = (
    "GTX 10-series cards need PyTorch's wheels for CUDA 12.6 (index cu126) in a version before 2.15; "
    "newer ones do not compute on them"
)


class Report:
    """Prints as it goes; remembers whether anything failed."""

    def __init__(self) -> None:
        self.failed = False

    def ok(self, text: str) -> None:
        self._line("ok", text)

    def note(self, text: str) -> None:
        self._line("note", text)

    def fail(self, text: str) -> None:
        self.failed = True
        self._line("FAIL", text)

    def _line(self, word: str, text: str) -> None:
        """Control characters are shown as numbers: file names may contain them."""
        print(f"{word:<4}  {terminal.visible(text)}", flush=True)


def check_packages(report: Report) -> bool:
    number = ".".join(str(part) for part in sys.version_info[:3])
    report.ok(f"Python {number}")
    complete = True
    for package in ("torch", "diffusers", "transformers", "compel", "accelerate", "safetensors"):
        try:
            report.ok(f"{package} {version(package)}")
        except PackageNotFoundError:
            report.fail(f"{package} is not installed")
            complete = False
    return complete


def check_card(report: Report, device: str) -> None:
    """Card, driver, and whether this torch has code for it."""
    import torch

    if not torch.cuda.is_available():
        built = probe.torch_cuda_version()
        why = (
            "this PyTorch is built without CUDA" if built is None else f"PyTorch (CUDA {built}) sees no card or driver"
        )
        (report.fail if device.startswith("cuda") else report.note)(f"no CUDA: {why}; pictures are computed by the CPU")
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        major, minor = properties.major, properties.minor
        name = f"cuda:{index} {properties.name}, compute capability {major}.{minor}"
        free, total = torch.cuda.mem_get_info(index)
        if not supported((major, minor), torch.cuda.get_arch_list()):
            hint = f"; {PASCAL_HINT}" if major == 6 else ""
            report.fail(f"{name}: PyTorch {torch.__version__} has no code for it{hint}")
            continue
        report.ok(f"{name}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
        if major < 7:
            report.note(f"{PASCAL_HINT}; this installation suits the card")
        if major < 8:
            report.note("it does not compute in bf16: models that need it are drawn in full precision, more slowly")
        check_attention(report, index, (major, minor))


def check_attention(report: Report, index: int, capability: tuple[int, int]) -> None:
    """Which attention kernels run, and what "math" alone costs."""
    found = attention.kernels(f"cuda:{index}", attention.computed_in(capability))
    if found == ("math",):
        report.note(f"DANGER, cuda:{index}: {MATH_DANGER}. SD 1.5 at 1024x1024 takes 35 GB so; use another PyTorch")
    else:
        report.ok(f"cuda:{index} computes attention by {found[0]}")


def supported(card: tuple[int, int], built_for: list[str]) -> bool:
    """Whether a build for ``sm_61``, ``sm_90a``, ``compute_90``… runs on a card of that compute capability.

    Machine code (``sm``) runs on later minor versions of its major one, PTX (``compute``) on everything later.
    """
    for arch in built_for:
        found = re.fullmatch(r"(sm|compute)_(\d+)(\d)[af]?", arch)
        if found is None:
            continue
        major, minor = int(found[2]), int(found[3])
        if (major, minor) <= card and (found[1] == "compute" or major == card[0]):
            return True
    return False


def check_models(report: Report, data_dir: Path, own: list[Path], *, downloads: bool) -> None:
    try:
        catalogue = load_catalogue(*own, data_dir=data_dir, downloads_allowed=downloads)
    except CatalogueError as error:
        report.fail(str(error))
        return
    look = catalogue.look(READ_SECONDS)
    for name, entry in look.images.items():
        try:
            _check_model(report, entry, downloads=downloads)
        except CannotLook as error:
            report.fail(f"model {name}: {error}")
    for name, why in look.broken.items():
        if name not in look.images:
            report.note(f"model {name} cannot be used. {why}")
    name, notice = catalogue.default_model(probe.device_kind())
    report.note(notice) if notice else report.ok(f"default model: {name}")


def _check_model(report: Report, entry: ModelEntry, *, downloads: bool) -> None:
    """:raises CannotLook:"""
    here = entry.here()
    if here is None:
        report.note(f"model {entry.name} is not here" + (", downloads are allowed" if downloads and entry.hub else ""))
        return
    why = entry.file_problem() or (_broken(entry, here) if entry.file is None else None)
    if why is not None:
        report.fail(f"model {entry.name} cannot be used. {why}")
    else:
        report.ok(f"model {entry.name} is here ({here})")


def _broken(entry: ModelEntry, folder: Path) -> str | None:
    try:
        files.check(folder, entry.variant if files.has_variant(folder, entry.variant) else None, entry.absent)
    except files.BrokenFile as error:
        return f"{error} in {folder}."
    return None


def check_chat(report: Report, data_dir: Path) -> None:
    """What answers chats where no server does."""
    if not chat_files.runtime_is_here():
        report.note(f"no built-in chat model: `{chat_files.INSTALL}` installs a tiny one")
        return
    found = chat_files.Files(data_dir / chat_files.FOLDER).look()
    for model in found:
        report.ok(f"built-in chat model {model.name} is here ({model.path.parent})")
        if model.tiny:
            report.note(f"it is tiny. {BETTER}")
    if not found:
        report.note(f"no built-in chat model: put a .gguf into {data_dir / chat_files.FOLDER}")


def check_disk(report: Report, data_dir: Path, archive_dir: Path | None = None, min_free_gb: float = 0.0) -> None:
    """Free space, judged by the same function as in the worker."""
    for place in space.places(archive_dir or data_dir / "archive", data_dir, min_free_gb):
        room = space.look(place)
        if room.problem is not None:
            report.fail(f"{room.problem} ({place.path}; archive.min_free_gb)")
    for what, path in (("data", data_dir), ("model cache", files.hub_cache())):
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        line = f"{free / 1e9:.1f} GB free for {what} ({path})"
        (report.ok if free >= MIN_FREE_DISK else report.note)(line)


async def check_drawing(report: Report, data_dir: Path, device: str) -> None:
    """Draw a picture with the shipped model in a real GPU process."""
    entry = load_catalogue(data_dir=data_dir).images[SMALL_MODEL]
    with tempfile.TemporaryDirectory(prefix="otterbot-doctor-") as scratch_name:
        scratch = Path(scratch_name)
        log = logging.getLogger("otterbot_worker.doctor")
        gpu = GpuProcess(
            device=device,
            lock_path=scratch / "card.lock",
            threads=None,
            step_timeout=120,
            load_timeout=120,
            log=log,
        )
        task = Draw(
            task_id="doctor",
            entry=entry,
            model=entry.name,
            prompt="otter, cowboy hat",
            negative_prompt="",
            steps=4,
            guidance_scale=5.0,
            width=128,
            height=128,
            sampler="UniPC",
            seed=1,
            output=scratch / "picture.rgb",
        )
        try:
            drawn = await gpu.draw(task, lambda _: None)
            report.ok(f"drew a small picture on {gpu.info.device} ({gpu.info.name}) in {drawn.seconds:.1f} s")
        except ProcessDied as died:
            report.fail(f"no picture: {deaths.sentence(died.reason)}")
        except JobFailed as failed:
            report.fail(f"no picture: {failed.message}")
        finally:
            await gpu.stop()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="otterbot-worker doctor", description="Says what is there and tries to draw.")
    parser.add_argument("--data-dir", type=Path, default=Path.cwd())
    parser.add_argument("--archive-dir", type=Path, help="default: archive in the data directory")
    parser.add_argument("--min-free-gb", type=float, default=0.0, help="archive.min_free_gb of the configuration")
    parser.add_argument("--models", type=Path, action="append", default=[], help="an own models.yaml; may be repeated")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--downloads", action="store_true", help="downloads are allowed in the worker's configuration")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="      %(message)s")
    terminal.never_fail()
    report = Report()
    complete = check_packages(report)
    if complete:
        check_card(report, options.device)
    check_models(report, options.data_dir, options.models, downloads=options.downloads)
    check_chat(report, options.data_dir)
    check_disk(report, options.data_dir, options.archive_dir, options.min_free_gb)
    if complete and not report.failed:
        asyncio.run(check_drawing(report, options.data_dir, options.device))
    print("Something is wrong; see the lines with FAIL." if report.failed else "All is well.")
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
