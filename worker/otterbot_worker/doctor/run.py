"""All looks, one after another."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

from .. import config_file, terminal
from ..config import BadConfig, Config
from . import address, cluster, contents, machine
from .report import Report


def look(path: Path | None, *, as_json: bool = False) -> int:
    """``path``: the settings, ``None``: defaults. Prints what it finds; returns the exit code: 1, where something is
    broken."""
    logging.basicConfig(level=logging.WARNING, format="      %(message)s")
    logging.getLogger("otterbot_worker").setLevel(logging.ERROR)  # the findings say it
    terminal.never_fail()
    report = Report(quiet=as_json)
    try:
        config = config_file.load(path)
    except BadConfig as error:
        report.fail("settings", f"settings {path or 'from the environment'}: {error}")
    else:
        report.ok("settings", f"settings {path or '(defaults)'}; data in {config.data_dir}")
        _all(report, config)
    print(json.dumps(report.as_dict(), indent=2) if as_json else report.sentence)
    return report.exit_code


def _all(report: Report, config: Config) -> None:
    complete = machine.check_packages(report)
    if complete:
        machine.check_card(report, config.gpu.named)
    cluster.check(report, config)
    machine.check_user(report)
    machine.check_disk(report, config)
    machine.check_clock(report, config.data_dir)
    address.check_tokens(report, config)
    address.check_other_tokens(report, config)
    address.check_tls(report, config)
    address.check_worker(report, config)
    contents.check_models(report, config)
    asyncio.run(contents.check_chat(report, config))
    contents.check_builtin(report, config)
    if complete and not report.failed:
        for device in dict.fromkeys(config.gpu.named):
            asyncio.run(machine.check_drawing(report, config.data_dir, device))
