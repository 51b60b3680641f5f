"""What a product promises: a contract and its parts, as frozen values. Read from ODCS by `documents.odcs`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from quality_checks import Expectation

Granularity = Literal["event", "audience", "creative", "aggregate"]
Classification = Literal["public", "internal", "confidential", "restricted"]
Identifies = Literal["event", "event_time", "person", "creative_file"]
Status = Literal["proposed", "draft", "active", "deprecated", "retired"]
StorageKind = Literal["parquet", "duckdb"]

# The finest class first: a product that identifies events and persons is an event product.
FINEST_FIRST: tuple[Granularity, ...] = ("event", "audience", "creative", "aggregate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A promised column. `type` is a DuckDB type; `identifies` says which of the mesh's keys it carries."""

    name: str
    logical_type: str
    type: str
    description: str = ""
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    classification: Classification = "internal"
    identifies: Identifies | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a product lives in one environment. `place` is relative to its domain's storage root."""

    environment: str
    kind: StorageKind
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """How fresh the product is kept (hours since its last publication), and the cron that refreshes it."""

    freshness_hours_max: float | None = None
    schedule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One product, described once. `file` is where it was read, for messages."""

    product: str
    id: str
    version: str
    status: Status
    description: str
    owner: str
    granularity: Granularity
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
    servers: tuple[Server, ...]
    expectations: tuple[Expectation, ...] = ()
    service_level: ServiceLevel = ServiceLevel()
    purpose: str | None = None
    republishes: str | None = None
    tags: Mapping[str, str]
    file: str = ""

    @property
    def domain(self) -> str:
        """The domain that answers for the product."""
        return self.product.partition(".")[0]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in the contract's order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def carrying(self, key: Identifies) -> tuple[Column, ...]:
        """Return the columns that carry one of the mesh's keys."""
        return tuple(column for column in self.columns if column.identifies == key)
