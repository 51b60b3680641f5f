"""Which engine runs a query, and why. Pure: what a Trino reaches is told."""

from collections.abc import Collection, Mapping

from mesh_defs.errors import QueryRejectedError, UnreachableError
from mesh_defs.model.query import EngineName, QueryPlan
from mesh_defs.model.version import Pin

EMBEDDED = "every product lies where the embedded engine reaches"
NOTHING_READ = "it reads no product: there is nothing that lies elsewhere"


def choose(
    asked: EngineName | None,
    pins: Collection[Pin],
    *,
    unreached: Mapping[str, str] | None,
    above_bytes: int | None,
) -> QueryPlan:
    """Return the engine that was asked for; else DuckDB, up to `above_bytes` of pinned versions, where Trino takes over.

    A question that reads no product has nothing to be near to: DuckDB answers it, whatever was asked for. `unreached`: the
    products that Trino does not reach, and why; None when there is no Trino. UnreachableError or QueryRejectedError when
    Trino was asked for and cannot have it.
    """
    if asked == "trino":
        if unreached is None:
            fix = "run `mesh trino start`, set MESH_TRINO_URL to a coordinator's, or ask with --engine duckdb"
            raise UnreachableError("no Trino is known to this mesh", fix=fix)
        for product, why in unreached.items():
            raise QueryRejectedError(f"Trino does not reach {product}: {why}", fix="or ask with --engine duckdb")
    if asked == "trino" and not pins:
        return QueryPlan(engine="duckdb", because=NOTHING_READ)
    if asked is not None:
        return QueryPlan(engine=asked, because="it was asked for")
    size = sum(pin.bytes for pin in pins)
    if unreached is None or above_bytes is None or size <= above_bytes:
        return QueryPlan(engine="duckdb", because=EMBEDDED)
    told = f"the pinned versions have {size:,} bytes, more than query.trino_above_bytes ({above_bytes:,})"
    if unreached:
        return QueryPlan(engine="duckdb", because=f"{told}, but Trino does not reach {', '.join(sorted(unreached))}")
    return QueryPlan(engine="trino", because=told)
