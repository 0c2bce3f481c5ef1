"""What all of it is made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=255)]


class State(StrEnum):
    """``queued → running → succeeded | failed | cancelled``; ``running → queued`` when the
    process that runs it dies. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Received(BaseModel):
    """Comes from a client."""

    # Strict: "12" and true are no numbers. What is not meant is refused, never bent.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class Sent(BaseModel):
    """Goes to one."""

    # All of it is always sent, what is not known as null; the contract says so.
    model_config = ConfigDict(
        extra="ignore", hide_input_in_errors=True, json_schema_serialization_defaults_required=True
    )
