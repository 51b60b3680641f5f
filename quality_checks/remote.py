"""Where a relation's rows lie in another database, so that they can be asked there and stay there. Runs nothing.

Only Postgres, as DuckDB's postgres extension has attached it: `quality_checks.pushdown` asks.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Tables of a Postgres attached to the DuckDB connection as `database`; together they are the relation's rows.

    Each is (schema, name), and has the relation's columns. The attachment says how long a statement may run.
    Its encoding must be UTF-8, for regular expressions name characters by their code points.
    """

    database: str
    tables: tuple[tuple[str, str], ...]
