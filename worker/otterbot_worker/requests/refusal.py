"""Refusals: a request that cannot be accepted, with its problems."""

from __future__ import annotations

from ..schemas.jobs import FieldProblem


class Refused(Exception):
    """The request is refused; ``problems`` names each reason."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("the request cannot be run")
        self.problems = problems


def problem(field: str, code: str, message: str, **details: int | float | str | list[str] | None) -> FieldProblem:
    """``field``: of the request. Details that are ``None`` are left out."""
    known = {name: value for name, value in details.items() if value is not None}
    return FieldProblem(field=f"request.{field}", code=code, message=message, details=known)
