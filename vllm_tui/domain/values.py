"""The base of all stored, configured and sent values, and the JSON types they are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, JsonValue

JsonObject = dict[str, JsonValue]
"""A JSON object as Python sees it: text keys, JSON values."""


class Value(BaseModel):
    """A frozen value that refuses unknown fields; equal when its fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


__all__ = ["JsonObject", "JsonValue", "Value"]
