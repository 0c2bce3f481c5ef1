"""Reads the worker's settings: one YAML file, overridden by environment variables, refused when wrong.

``OTTERBOT_API__PORT=9000`` sets ``api.port``: two underscores step into a section, and the value is read as YAML.
An unknown key or a bad value stops the start with the key's name and what was expected, and never with the value
itself: it may be a secret that was put into the wrong line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from . import expected, yamlfile
from .config import BadConfig, ChatModelConfig, Config

ENVIRONMENT_PREFIX = "OTTERBOT_"
_NOT_SETTINGS = frozenset({"OTTERBOT_CONFIG"})
"""Names the file itself; read by the command line."""
_SECTIONS = frozenset(
    name
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
)


EXAMPLE = Path(__file__).with_name("config.example.yaml")
"""Every key with its default, and what it is about."""
SYSTEM_FILE = Path("/etc/otterbot/worker.yaml")


def user_file() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path(os.path.expanduser("~/.config"))) / "otterbot/worker.yaml"


def default_file() -> Path | None:
    """What holds where no file is named: the one that ``setup`` has written, if any."""
    named = os.environ.get("OTTERBOT_CONFIG")
    if named:
        return Path(named)
    return next((path for path in (user_file(), SYSTEM_FILE) if os.path.isfile(path)), None)


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """The settings of ``path`` (``None``: defaults), overridden by the environment.

    :raises BadConfig: the file cannot be read, or a key or value is wrong
    """
    values = _read(path) if path is not None else {}
    return _config(values, _override(values, os.environ if environ is None else environ))


def parse(text: str, path: Path) -> Config:
    """As `load`, of the text of a file, without the environment. :raises BadConfig:"""
    try:
        return _config(_sections(yamlfile.parse(text), path), {})
    except yamlfile.Unreadable as error:
        raise BadConfig(f"{path}: {error.args[0]}") from None


def _config(values: dict[str, Any], names: Mapping[str, str]) -> Config:
    """``names``: dotted key → variable that it is from."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise BadConfig("\n".join(_sentences(error, names))) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yamlfile.read(path)
    except yamlfile.Unreadable as error:
        raise BadConfig(str(error)) from None
    return _sections(values, path)


def _sections(values: Any, path: Path) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadConfig(f"{path}: expected keys and values, as in the example")
    # A section whose keys are all commented out is empty, not wrong.
    return {key: {} if value is None and key in _SECTIONS else value for key, value in values.items()}


def _override(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Lays the environment over ``values``; returns dotted key → variable, for messages."""
    names: dict[str, str] = {}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in _NOT_SETTINGS:
            continue
        path = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        try:
            value = yamlfile.parse(text)
        except yamlfile.Unreadable:
            value = text
        place = values
        for key in path[:-1]:
            inside = place.get(key)
            place[key] = place = dict(inside) if isinstance(inside, dict) else {}
        place[path[-1]] = value
        names[".".join(path)] = variable
    return names


def _sentences(error: ValidationError, names: Mapping[str, str]) -> list[str]:
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        dotted = ".".join(str(part) for part in problem["loc"] if part != "[key]")
        where = dotted + (f" (from {names[dotted]})" if dotted in names else "") if dotted else "settings"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: unknown key; known here: {', '.join(_known(problem['loc'][:-1]))}")
        else:
            lines.append(f"{where}: {expected.of(problem)}")
    return lines


def _known(path: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in path:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return list(ChatModelConfig.model_fields) if path[:2] == ("chat", "models") else []
        model = annotation
    return list(model.model_fields)
