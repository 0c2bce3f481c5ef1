"""The worker's answers as frozen dataclasses, checked by their types.

Another program may answer at the worker's address, in JSON too. A field of a wrong type, or an unusable number, makes
the whole answer invalid.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from .. import numeric

A = TypeVar("A", bound="Answer")


class Answer:
    """A frozen dataclass that is read from JSON by the names of its fields. Unknown fields are ignored."""

    @classmethod
    def read(cls, data: Any) -> Self:
        """Raises ``TypeError`` if a field has another type than is written there, or is missing and has no default.

        ``null`` for a field that has a default, and whose type knows no ``null``, is the default.
        """
        if not isinstance(data, Mapping):
            raise TypeError(f"{cls.__name__} is no object")
        taken = {}
        kind: Any = cls
        for name, (hint, optional) in _fields(kind).items():
            value = data.get(name)
            if name in data and not (value is None and optional):
                taken[name] = _taken(hint, value)
        return cls(**taken)


def readable(kind: type[A], data: Any) -> tuple[A, ...]:
    """The readable entries of a list; a newer worker's catalogue, for example, may have entries of a new kind."""
    if not isinstance(data, list):
        raise TypeError(f"no list of {kind.__name__}")
    found = []
    for one in data:
        try:
            found.append(kind.read(one))
        except TypeError:
            continue
    return tuple(found)


@cache
def _fields(cls: Any) -> dict[str, tuple[Any, bool]]:
    """By name: the type, and whether ``null`` is the default."""
    hints, fields = get_type_hints(cls), dataclasses.fields(cls)
    missing = dataclasses.MISSING
    return {
        field.name: (
            hints[field.name],
            (field.default is not missing or field.default_factory is not missing)
            and type(None) not in get_args(hints[field.name]),
        )
        for field in fields
    }


def _taken(hint: Any, value: Any) -> Any:
    """The value as that type. Raises ``TypeError``."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else _taken(next(arm for arm in inner if arm is not type(None)), value)
    if origin is dict and isinstance(value, Mapping):
        return dict(value)
    if origin in (list, tuple) and isinstance(value, list | tuple):
        return origin(_taken(inner[0], one) for one in value)
    if isinstance(hint, type) and issubclass(hint, Answer):
        return value if isinstance(value, hint) else hint.read(value)
    known = _plain(hint, value)
    if known is None:
        raise TypeError(f"no {hint}")
    return known


def _plain(hint: Any, value: Any) -> Any:
    """A number, text or truth value of that type; ``None`` for anything else."""
    if hint is float:
        return numeric.number(value)
    if hint is int:
        return numeric.whole(value)
    if hint is str and isinstance(value, str):
        return value.encode(errors="replace").decode()  # replace lone surrogates, which cannot be sent
    return value if hint is bool and isinstance(value, bool) else None
