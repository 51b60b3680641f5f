"""What goes through the door and what comes out of it, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mesh_defs.model.version import Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedSQL:
    """The only thing an engine runs. Invariant: made by `sql.rewrite` alone (a test sees to it)."""

    text: str
    pins: tuple[Pin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """One SELECT, asked by a named principal for a purpose. `parameters` fill `$name` placeholders."""

    sql: str
    principal: str
    purpose: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """Which engine runs a query, and why."""

    engine: Literal["duckdb"]
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRead:
    """One product as one answer read it: the pinned version, and the grant that allowed it."""

    product: str
    version: str
    grant: str
    recovered: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What an answer moved: read where it lies, and carried across to the asker."""

    products: tuple[ProductRead, ...]
    rows_read: int
    bytes_read: int
    rows_crossed: int
    bytes_crossed: int
