"""The clean room's nouns: who agreed to what, what is asked, what comes out. Frozen values; nothing here reads or runs.

An analysis is of persons: each shared table has a person column, and tables are joined by it alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, get_args

Level = Literal["threshold", "template", "privacy"]
# count: rows; reach: distinct persons.
Function = Literal["count", "reach", "sum", "avg"]
DimensionValue = str | int
# Sums of decimals are decimals; averages are floats, as the engines give them.
Number = int | float | Decimal
# Why a group is not shown.
Why = Literal["small", "dominated", "complementary", "difference"]
# What an agreement may switch off for a target, by name, signed by all like the rest of it.
Switch = Literal["dominance", "complementary", "differencing", "one_population", "groups_max"]
# What a mesh always keeps to: named for a target that lacks it.
Kept = Literal[
    "public_domains",
    "dimensions_max",
    "one_version",
    "validity",
    "rows_once",
    "count_rows",
    "values_min",
    "persons_min",
    "contribution_bounds",
    "budget_per_release",
]
Control = Switch | Kept
CONTROLS: tuple[Control, ...] = (*get_args(Switch), *get_args(Kept))
# Where a room can run: by parties' own processes, or by a cloud's service.
Target = Literal["mesh", "aws"]


class Field(NamedTuple):
    """A column of a shared table."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


class Aggregate(NamedTuple):
    """What is computed of a group. `field` is None for rows and persons, which are of the whole join."""

    function: Function
    field: Field | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """An organisation in a room. `key`: its ed25519 public key in base64; `url`: where its process listens."""

    name: str
    key: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """As whom a party reads its own products for a room, and what for. `engine`: None leaves the choice to the mesh."""

    principal: str
    purpose: str
    engine: Literal["duckdb", "trino"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A column of whole numbers, or of decimals with so many places, that may be added up.

    `lower` and `upper`: bounds of one person's sum within one group, for noise to be measured by, in units of the last place.
    """

    functions: tuple[Literal["sum", "avg"], ...]
    decimals: int = 0
    lower: int | None = None
    upper: int | None = None

    def shown(self, units: int | float) -> Number:
        """A number of the last place's units as it is released: a sum exactly, an average as a float."""
        if not self.decimals:
            return units
        return units / 10**self.decimals if isinstance(units, float) else Decimal(f"{units}e-{self.decimals}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTable:
    """A product as a room knows it: `name` is what askers write, `product` what its party reads.

    `dimensions`: column -> its public values, in order: known to everybody, whatever the rows hold. `rules`: names of
    AnalysisRules; without one it cannot be asked about, with several the strictest holds. `columns` are all that a room
    may read of it. `digest`: of its content when its party signed; None: whatever version is current (protected tables).
    """

    name: str
    party: str
    product: str
    person: str
    dimensions: Mapping[str, tuple[DimensionValue, ...]] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    digest: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All that a room may read of it, the person first."""
        return (self.person, *self.dimensions, *self.measures)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRule:
    """What every released group keeps to. `dominance_max`: share of a group's total that one person may have, 0 to 1."""

    name: str
    level: Level
    persons_min: int
    dominance_max: float
    groups_max: int
    dimensions_max: int
    functions: tuple[Function, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisTemplate:
    """A question that all signed. `parameters`: name of a `$name` in the SQL -> the dimension that it is a value of."""

    name: str
    sql: str
    parameters: Mapping[str, Field]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyBudget:
    """Zero-concentrated differential privacy (Bun and Steinke 2016), in integer millionths of rho.

    `micro_rho` for all answers of the room together, `micro_rho_per_release` for one unless it asks for less. What one
    person adds is bounded: to `groups_max` groups, with `rows_max` rows in each. `delta` serves to show epsilon only.
    """

    micro_rho: int
    micro_rho_per_release: int
    groups_max: int
    rows_max: int
    delta: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What all parties of a room signed, and nothing else. `analysts` may ask, `recipients` may have the answers.

    `joins`: who runs the process that adds up; it sees pseudonymous rows, so it is best none of those who ask. `waived`:
    controls that do not hold at a target. `amends`: SHA-256 of the version before this one.
    """

    id: str
    version: int
    title: str
    parties: tuple[Party, ...]
    analysts: tuple[str, ...]
    recipients: tuple[str, ...]
    joins: Party
    valid_from: datetime
    valid_until: datetime
    tables: tuple[SharedTable, ...]
    rules: tuple[AnalysisRule, ...]
    templates: tuple[AnalysisTemplate, ...] = ()
    privacy: PrivacyBudget | None = None
    waived: Mapping[Target, tuple[Control, ...]] = field(default_factory=dict)
    amends: str | None = None

    def table(self, name: str) -> SharedTable | None:
        """The shared table of this name."""
        return next((table for table in self.tables if table.name == name), None)

    def measure(self, field: Field) -> Measure:
        """A column that may be added up; KeyError for what is none."""
        return self._named(field.table).measures[field.column]

    def domain(self, field: Field) -> tuple[DimensionValue, ...]:
        """Public values of a dimension; KeyError or AttributeError for what is none."""
        return self._named(field.table).dimensions[field.column]

    def _named(self, name: str) -> SharedTable:
        return {table.name: table for table in self.tables}[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A question in normal form: the same for all ways of saying it, so that it is one release.

    Sorted, without repetition. `filters`: dimension -> the values that count, in the order of the domain.
    """

    tables: tuple[str, ...]
    dimensions: tuple[Field, ...]
    filters: tuple[tuple[Field, tuple[DimensionValue, ...]], ...]
    aggregates: tuple[Aggregate, ...]

    @property
    def measures(self) -> tuple[Field, ...]:
        """The columns that are added up."""
        return tuple(sorted({each.field for each in self.aggregates if each.field}))

    def as_json(self) -> dict[str, Any]:
        """Lists and texts only, always the same for the same analysis."""
        return {
            "tables": list(self.tables),
            "dimensions": [list(each) for each in self.dimensions],
            "filters": [[list(each), list(values)] for each, values in self.filters],
            "aggregates": [[each.function, list(each.field) if each.field else None] for each in self.aggregates],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An analysis and how its asker wants to see it: output column -> a dimension or an aggregate, in order."""

    analysis: Analysis
    outputs: tuple[tuple[str, Field | Aggregate], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One released group: its dimensions' values in the analysis' order, and a number for each aggregate in its order.

    `accuracy`: of each number that noise was added to, by how much the noise changed it at most, at 95 %; else empty.
    """

    values: tuple[DimensionValue, ...]
    numbers: tuple[Number | None, ...]
    accuracy: tuple[Number | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """One group that was not released, and why: for the protected parties' ledgers, never for who asked."""

    values: tuple[DimensionValue, ...]
    because: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What came out of one run: `groups` for the recipients, `withheld` for the protected parties. `micro_rho`: spent."""

    run: str
    analysis: Analysis
    groups: tuple[Group, ...]
    withheld: tuple[Withheld, ...] = ()
    micro_rho: int = 0
