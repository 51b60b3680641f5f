"""Published versions and the pins that a query reads: immutable parts, named once and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mesh_defs.model.contract import SourceKind

_TOKEN = "__token_"
# Postgres cuts a longer name of a column.
TOKENISED_NAME_MAX = 63 - len(_TOKEN)


def token_column(column: str) -> str:
    """Return the name under which a part keeps the tokens of a column. No contract can declare a column of such a name."""
    return f"{_TOKEN}{column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An immutable piece of a version. `path` is relative to the product's place; `partition` None means the whole.

    `tokens` are the columns whose tokens it holds besides, and which key they were made with: `email` -> `email:1a2b3c4d`.
    `absent` are columns (name -> DuckDB type) that its version has and it has not: they were added later, and are NULL here.
    """

    path: str
    rows: int
    bytes: int
    partition: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A staged version that nobody reads yet: its own parts only, in the contract's column order, tokens left out."""

    id: str
    parts: tuple[Part, ...]
    columns: Mapping[str, str]
    partition: str | None = None

    @property
    def rows(self) -> int:
        """Rows staged."""
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What readers see: parts, columns (name -> DuckDB type), and the declarations it was published under.

    `stamp` holds JSON values of the publisher: contract version, data version, inputs read.
    `recovered` says why this is not what the pointer named (a corrupt pointer); None when all is well.
    """

    id: str
    parts: tuple[Part, ...]
    columns: Mapping[str, str]
    published_at: datetime
    stamp: Mapping[str, Any] = field(default_factory=dict)
    recovered: str | None = None

    @property
    def rows(self) -> int:
        """Rows of all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def bytes(self) -> int:
        """Bytes of all parts, as stored."""
        return sum(part.bytes for part in self.parts)

    @property
    def tokens(self) -> dict[str, str]:
        """Columns that have a token in every part, all made with one key, and which: those of two keys never join."""
        shared = set.intersection(*(set(part.tokens.items()) for part in self.parts)) if self.parts else set()
        return {column: key for column, key in sorted(shared) if column in self.columns}

    @property
    def token_columns(self) -> dict[str, str]:
        """The same columns, and where each part keeps their tokens."""
        return {column: token_column(column) for column in self.tokens}

    @property
    def data_version(self) -> str:
        """Changes when what consumers read does, as far as the publisher can tell: a rerun of the same is no news."""
        if any(part.partition is not None for part in self.parts):
            return self.id  # the stamp tells of the last partition only
        return str(self.stamp.get("data_version", self.id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One product at one version, as a query reads it. `locations` are what an engine opens, read-only, without secrets.

    `scan` is the SELECT that reads an external product, once its locations are attached; None for products of the mesh.
    `tokens`: column -> the further column that holds its joinable tokens, which no contract and no reader sees; `token_keys`:
    column -> the kind and key that they were made with, as the version names them.
    `snapshot`: the number of the Iceberg snapshot that it is.
    """

    product: str
    version: str
    kind: SourceKind
    locations: tuple[str, ...]
    columns: Mapping[str, str]
    rows: int
    bytes: int
    published_at: datetime
    data_version: str = ""
    recovered: str | None = None
    scan: str | None = None
    snapshot: int | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    token_keys: Mapping[str, str] = field(default_factory=dict)

    @property
    def relation(self) -> str:
        """The name under which the engine offers this pin to governed SQL."""
        return "pin_" + self.product.replace(".", "__")
