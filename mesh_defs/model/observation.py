"""What was seen when an external product was last looked at. Values only: looking is `authoring.external`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# The names of what is checked of an external product besides its contract's rules: its columns, and how fresh it is.
SCHEMA, FRESH = "schema_as_promised", "fresh_as_promised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at what another system writes. `passed`: no critical check failed, so what is downstream may fire.

    `data_version` changes when the rows do; `changed_at` is when they last did, as far as anyone can tell. `error` says
    why it could not be looked at; what is then known of the data is from the look before.
    """

    format: int
    product: str
    observed_at: datetime
    contract_version: str
    passed: bool
    version: str | None = None
    data_version: str | None = None
    changed_at: datetime | None = None
    rows: int | None = None
    bytes: int | None = None
    checks: tuple[Mapping[str, Any], ...] = ()
    error: str | None = None
