"""Where the columns of a SELECT come from, in OpenLineage's terms: direct (identity or not) and indirect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ColumnSource:
    """One column of one product that an output column is made from."""

    product: str
    column: str
    how: Literal["identity", "transformation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLineage:
    """Sources per output column, and the columns (`domain.product.column`) that decide which rows there are.

    `unknown` names why nothing is known, when nothing is: a guess would be worse.
    """

    columns: Mapping[str, tuple[ColumnSource, ...]]
    indirect: tuple[str, ...] = ()
    unknown: str | None = None
