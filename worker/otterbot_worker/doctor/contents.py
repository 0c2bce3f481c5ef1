"""What draws and what answers: the image models, and the chat backend of the settings, asked without a worker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..api.parts import read_catalogue
from ..chat import KINDS, BackendStatus, Beginnings, Choice, open_backend, server_address
from ..chat.builtin import files as chat_files
from ..chat.builtin.failures import BETTER
from ..config import BadConfig, Config
from ..errors import CannotLook
from ..gpu import probe
from ..models import files
from ..models.entries import ModelEntry
from .report import Report

READ_SECONDS = 60.0
"""Time for reading new files."""
CHAT_SECONDS = 20.0


def check_models(report: Report, config: Config) -> None:
    try:
        catalogue = read_catalogue(config)
    except BadConfig as error:
        report.fail("models.catalogue", str(error))
        return
    look, elsewhere = catalogue.look(READ_SECONDS), []
    for name, entry in look.images.items():
        try:
            if not _check_model(report, entry):
                elsewhere.append(name)
        except CannotLook as error:
            report.fail("model.unread", f"model {name}: {error}")
    for name, why in look.broken.items():
        if name not in look.images:
            report.note("model.broken", f"model {name} cannot be used. {why}")
    if elsewhere:
        how = "fetched when asked for" if catalogue.downloads_allowed else "images.downloads forbids to fetch them"
        said = f"not here, {how}: {', '.join(elsewhere)}"
        report.ok("models.elsewhere", f"{said}; `otterbot-worker models get NAME` fetches one now")
    configured = None if config.images.default_model == "auto" else config.images.default_model
    if configured is not None and not catalogue.may_have(configured):
        report.fail("models.default", "images.default_model names a model that there is not")
        return
    kind = probe.device_kind(config.gpu.named[0])
    name, notice = catalogue.default_model(kind, configured=configured)
    report.note("models.default", notice) if notice else report.ok("models.default", f"default model: {name}")


def _check_model(report: Report, entry: ModelEntry) -> bool:
    """Whether it is here. :raises CannotLook:"""
    here = entry.here()
    if here is None:
        return False
    why = entry.file_problem() or (_broken(entry, here) if entry.file is None else None)
    if why is not None:
        report.fail("model.broken", f"model {entry.name} cannot be used. {why}")
    else:
        report.ok("model.here", f"model {entry.name} is here ({here})")
    return True


def _broken(entry: ModelEntry, folder: Path) -> str | None:
    try:
        files.check(folder, entry.variant if files.has_variant(folder, entry.variant) else None, entry.absent)
    except files.BrokenFile as error:
        return f"{error} in {folder}."
    return None


# ---------------------------------------------------------------- chat


async def check_chat(report: Report, config: Config) -> None:
    """Ask the backend of the settings. One that the operator names has to answer; ``auto`` takes what there is."""
    section = config.chat
    try:
        backend = open_backend(
            section,
            on_gpu=probe.device_kind(config.gpu.named[0]) == "cuda",
            data_dir=config.data_dir,
            choices={kind: Choice() for kind in KINDS},
            beginnings=Beginnings(),
        )
    except BadConfig as error:
        report.fail("chat.settings", str(error))
        return
    if backend is None:
        report.ok("chat.off", "chat is switched off")
        return
    try:
        status = await asyncio.wait_for(backend.status(), CHAT_SECONDS)
    except TimeoutError:
        report.fail("chat.silent", f"{backend.name} did not answer within {CHAT_SECONDS:.0f} s")
        return
    finally:
        await backend.close()
    where = f" (at {server})" if (server := server_address(section)) is not None else ""
    if status.problem is not None:
        told = report.note if section.backend == "auto" else report.fail
        told("chat.problem", f"chats are not answered: {status.problem}{where}")
    else:
        report.ok("chat", f"{backend.name} answers chats, with {_named(status, section.default_model)}")
    if status.notice is not None:
        report.note("chat.notice", status.notice)


def _named(status: BackendStatus, configured: str | None) -> str:
    """The model; where the settings name none, a running worker keeps the one that it has once chosen."""
    if configured is not None or len(status.models) < 2:
        return str(configured or status.default)
    return f"one of {len(status.models)} models, such as {status.default}"


def check_builtin(report: Report, config: Config) -> None:
    """The chat model on the processor."""
    if config.chat.backend not in ("auto", "builtin"):
        return
    folder = config.data_dir / chat_files.FOLDER
    if not chat_files.runtime_is_here():
        report.ok("chat.builtin", f"no built-in chat model: `{chat_files.INSTALL}` installs a tiny one")
        return
    found = chat_files.Files(folder).look()
    for model in found:
        report.ok("chat.builtin", f"built-in chat model {model.name} is here ({model.path.parent})")
        if model.tiny and all(one.code != "chat.notice" for one in report.findings):
            report.note("chat.tiny", f"it is tiny. {BETTER}")
    if not found:
        report.note("chat.builtin", f"no built-in chat model: put a .gguf into {folder}")
