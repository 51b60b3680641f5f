"""The table and the 14 expectations that every engine of benchmarks.quality is asked about. Imports no engine.

Values come from integer mixing alone: the same rows on every machine and in every release of DuckDB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTITIONS = 20
REGIONS = ("north", "south", "east", "west")
COLUMNS = ("impression_id", "person_id", "occurred_at", "region", "code", "cost", "viewable_ms")

# Ids are scattered over 32 bits: in no order, and too sparse for a bitmap. A second has four impressions, of four persons.
# One cost in 500 is negative, one region in 50 unknown.
_SOURCE = """SELECT (i * 2654435761) % 4294967291 AS impression_id, (i * 7919) % 1000003 AS person_id,
    TIMESTAMP '2026-01-01' + to_seconds(i // 4) AS occurred_at,
    CASE WHEN mix % 50 > 0 THEN ['north', 'south', 'east', 'west'][1 + mix % 4] END AS region,
    'c' || (mix % 5000) AS code,
    CASE WHEN i % 500 = 77 THEN -1.0::DOUBLE ELSE (mix % 10001)::DOUBLE / 100 END AS cost,
    (mix % 30001)::INTEGER AS viewable_ms
    FROM (SELECT i, ((i * 1103515245 + 12345) % 2147483647) >> 4 AS mix FROM range({first}, {end}) t(i))"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """One table in its forms: `impressions` in a DuckDB file, one Parquet file, and a folder of Parquet partitions."""

    rows: int
    duckdb: Path
    parquet: Path
    parts: Path

    @classmethod
    def within(cls, folder: Path, rows: int) -> "Data":
        """Name the files; `make` writes them."""
        home = folder / str(rows)
        return cls(rows=rows, duckdb=home / "table.duckdb", parquet=home / "table.parquet", parts=home / "parts")

    @property
    def part_files(self) -> list[Path]:
        """The partitions, in order of time."""
        return [self.parts / f"{at:02}.parquet" for at in range(PARTITIONS)]

    def make(self) -> None:
        """Write all three forms."""
        import duckdb

        self.parts.mkdir(parents=True)
        with duckdb.connect(str(self.duckdb)) as connection:
            connection.execute(f"CREATE TABLE impressions AS {_SOURCE.format(first=0, end=self.rows)}")
            connection.execute(f"COPY impressions TO '{self.parquet}' (FORMAT parquet)")
            for at, file in enumerate(self.part_files):
                first, end = self.rows * at // PARTITIONS, self.rows * (at + 1) // PARTITIONS
                connection.execute(f"COPY ({_SOURCE.format(first=first, end=end)}) TO '{file}' (FORMAT parquet)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An expectation in GX's words, a name for the comparison, and the verdict that the table is made to give."""

    name: str
    type: str
    kwargs: Mapping[str, Any]
    holds: bool = True


def rules(rows: int) -> Sequence[Rule]:
    """The 14, two of which fail."""
    mean, total = (49.0, 51.0), (49.0 * rows, 51.0 * rows)
    return (
        Rule(name="row_count", type="expect_table_row_count_to_be_between", kwargs=_between(rows, rows)),
        Rule(name="columns", type="expect_table_columns_to_match_set", kwargs={"column_set": list(COLUMNS)}),
        Rule(name="not_null", type="expect_column_values_to_not_be_null", kwargs={"column": "occurred_at"}),
        Rule(name="mostly_not_null", type="expect_column_values_to_not_be_null", kwargs=_mostly("region", 0.95)),
        Rule(name="unique", type="expect_column_values_to_be_unique", kwargs={"column": "impression_id"}),
        Rule(name="compound_unique", type="expect_compound_columns_to_be_unique", kwargs=_pair()),
        Rule(name="in_set", type="expect_column_values_to_be_in_set", kwargs=_of("region", value_set=list(REGIONS))),
        Rule(name="between", type="expect_column_values_to_be_between", kwargs=_bounds("cost", 0, 100), holds=False),
        Rule(name="regex", type="expect_column_values_to_match_regex", kwargs=_of("code", regex="^c[0-9]+$")),
        Rule(name="lengths", type="expect_column_value_lengths_to_be_between", kwargs=_bounds("code", 2, 5)),
        Rule(name="mean", type="expect_column_mean_to_be_between", kwargs=_bounds("cost", *mean)),
        Rule(name="sum", type="expect_column_sum_to_be_between", kwargs=_bounds("cost", *total)),
        Rule(name="max", type="expect_column_max_to_be_between", kwargs=_bounds("viewable_ms", 0, 29_000), holds=False),
        Rule(name="quantiles", type="expect_column_quantile_values_to_be_between", kwargs=_quantiles("cost")),
    )


def _between(low: float, high: float) -> dict[str, Any]:
    return {"min_value": low, "max_value": high}


def _bounds(column: str, low: float, high: float) -> dict[str, Any]:
    return _of(column, **_between(low, high))


def _of(column: str, **kwargs: Any) -> dict[str, Any]:
    return {"column": column, **kwargs}


def _mostly(column: str, share: float) -> dict[str, Any]:
    return _of(column, mostly=share)


def _pair() -> dict[str, Any]:
    return {"column_list": ["person_id", "occurred_at"]}


def _quantiles(column: str) -> dict[str, Any]:
    return _of(column, quantile_ranges={"quantiles": [0.5, 0.95], "value_ranges": [[49, 51], [94, 96]]})
