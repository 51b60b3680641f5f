"""What a product promises: a contract and its parts, as frozen values. Read from ODCS by `documents.odcs`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mesh_defs.model.partition import Partitioning
from quality_checks import Expectation

Granularity = Literal["event", "audience", "creative", "aggregate"]
Classification = Literal["public", "internal", "confidential", "restricted"]
Identifies = Literal["event", "event_time", "person", "creative_file"]
Status = Literal["proposed", "draft", "active", "deprecated", "retired"]
# Storages that products of the mesh are published to; a source that others write may be a Delta table as well.
StorageKind = Literal["parquet", "duckdb", "postgres", "s3", "iceberg"]
SourceKind = StorageKind | Literal["delta"]

# The finest class first: a product that identifies events and persons is an event product.
FINEST_FIRST: tuple[Granularity, ...] = ("event", "audience", "creative", "aggregate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A promised column. `type` is a DuckDB type; `identifies` says which of the mesh's keys it carries.

    `physical_name` is what the writer of an external product calls it, where that is another name. `samples`: values of
    rows that broke a promise may be shown to its own domain, unless they are classified as confidential or restricted.
    `token`: the kind of identifier (mesh.yaml) that joinable tokens of its values are made for.
    """

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
    physical_name: str | None = None
    samples: bool = False
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a product lives in one environment.

    `place` is a folder or file relative to its domain's storage root, a Postgres schema, or an `s3://bucket/prefix`.
    `table` names the table of an external product, where its place holds several.
    """

    environment: str
    kind: SourceKind
    place: str
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """How fresh the product is kept (hours since its last publication), the cron that refreshes it, and how long a
    replaced version is kept (None: as mesh.yaml says)."""

    freshness_hours_max: float | None = None
    schedule: str | None = None
    retention_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks:
    """The clean room that a product is made of, and the products that its questions are about, of all parties."""

    room: str
    products: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One product, described once. `external`: another system writes it. `file` is where it was read, for messages.

    `quarantine_fraction_max`: up to this share of a batch's rows may be left out of it when they break a promise; None
    refuses the whole batch.
    """

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
    partitioning: Partitioning | None = None
    external: bool = False
    quarantine_fraction_max: float | None = None
    asks: Asks | None = None
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

    @property
    def labels(self) -> dict[str, str]:
        """What the product is found by: its own tags, its granularity and status, and the clean room that it is made of."""
        told = {"granularity": self.granularity, "status": self.status, **self.tags}
        return told | {"room": self.asks.room} if self.asks else told

    @property
    def tokens(self) -> dict[str, str]:
        """Columns of which tokens are made -> their kind."""
        return {column.name: column.token for column in self.columns if column.token}

    def carrying(self, key: Identifies) -> tuple[Column, ...]:
        """Return the columns that carry one of the mesh's keys."""
        return tuple(column for column in self.columns if column.identifies == key)
