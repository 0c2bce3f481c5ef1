"""Base classes of the schemas."""

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
    """Base of everything that a client sends."""

    # Strict: "12" and true are no numbers. Wrong types are refused, never converted.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class Sent(BaseModel):
    """Base of everything that is sent to a client."""

    # All fields are always sent, unknown ones as null, as the contract says.
    model_config = ConfigDict(
        extra="ignore", hide_input_in_errors=True, json_schema_serialization_defaults_required=True
    )
