"""A request that cannot be run as it stands, and what is wrong with it."""

from __future__ import annotations

from ..schemas.jobs import FieldProblem


class Refused(Exception):
    """The request cannot be run as it stands."""

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("the request cannot be run")
        self.problems = problems


def problem(field: str, code: str, message: str, **details: int | float | str | list[str] | None) -> FieldProblem:
    """``field``: of the request. A detail that is ``None`` is none."""
    known = {name: value for name, value in details.items() if value is not None}
    return FieldProblem(field=f"request.{field}", code=code, message=message, details=known)
