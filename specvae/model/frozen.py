"""What the sections of a configuration have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Frozen"]


class Frozen(BaseModel):
    """A section of a configuration: its fields are read only, and it takes no others."""

    # A misspelt key would otherwise be ignored, and the fit run with the default in its place.
    model_config = ConfigDict(frozen=True, extra="forbid")
