"""The base of everything that is written as JSON with a published schema."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Typed(BaseModel):
    """Closed and immutable: an unknown field is an error, and so is NaN (unknown is None)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
