"""What goes through the door and what comes out of it, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mesh_defs.model.version import Pin

EngineName = Literal["duckdb", "trino"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedSQL:
    """The only thing an engine runs. Invariant: made by `sql.rewrite` alone (a test sees to it).

    `guards`: for each product the SELECT over its pin that shows what may be seen; the text reads it by nothing else.
    `visible`: where a guard keeps rows back, each guard's rows and the columns that the text may use, by the guard. Nothing
    about hidden rows may show, not even that an expression fails on one. `alone`: they are not even to be scanned beside
    what was asked, which may be dear on some of them.
    """

    text: str
    pins: tuple[Pin, ...]
    guards: Mapping[str, str]
    visible: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoTable:
    """A table by which a Trino reads one pin, or a part of it. `snapshot`: of Iceberg or Delta, the version that is pinned.

    Of another system's table, `columns` are those that are promised: what it calls them, and we. `location`: the place
    that the name must lead to there. `live`: it has no versions, each scan reads it as it is then.
    """

    catalog: str
    schema: str
    name: str
    snapshot: int | None = None
    columns: tuple[tuple[str, str], ...] = ()
    location: str | None = None
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """One SELECT, asked by a named principal for a purpose. `parameters` fill `$name` placeholders.

    `versions`: product -> the version to read, for one that was answered before; others are read as they are now.
    `engine`: which one is to run it; None leaves the choice to `query.plan`.
    """

    sql: str
    principal: str
    purpose: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    engine: EngineName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What an answer was made of, for its asker to keep. `decision` and `entry_sha256` name the ledger's entry of it;
    `revision` the rules that held, `plan_sha256` the governed text that ran. Holds the question, and no row."""

    decision: int
    entry_sha256: str
    at: str
    principal: str
    purpose: str | None
    sql: str
    parameters: Mapping[str, Any]
    versions: Mapping[str, str]
    revision: str
    plan_sha256: str
    engine: EngineName = "duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPlan:
    """Which engine runs a query, and why."""

    engine: EngineName
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRead:
    """One product as one answer read it: the pinned version, and the grant that allowed it. `filtered`: by row rules."""

    product: str
    version: str
    grant: str
    recovered: str | None = None
    filtered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What an answer moved: read where it lies, and carried across to the asker. `notes`: what to know before relying on it."""

    products: tuple[ProductRead, ...]
    rows_read: int
    bytes_read: int
    rows_crossed: int
    bytes_crossed: int
    notes: tuple[str, ...] = ()
