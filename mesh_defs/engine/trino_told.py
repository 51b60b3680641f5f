"""What a failure on Trino may say: a reason of our own words and a mend, by the *name* of Trino's error, never its message.

A message quotes the value that it stumbles over. A name cannot depend on a hidden row: nothing of the asker's is evaluated
before the fence (`sql.translation.tables`).
"""

from collections.abc import Mapping

from mesh_defs.engine.told import cancelled
from mesh_defs.errors import EngineError, MeshError, QueryRejectedError, UnreachableError

_LOST = ("a node of the Trino was lost while it ran the query", "ask again, or with --engine duckdb")
_UNKNOWN = (
    "the Trino does not know a catalog, table or snapshot that the query reads",
    "run `mesh trino config` and start it from that folder; a snapshot may be gone: ask again",
)
_FAILED = (
    "the engine failed",
    "a value did not fit a cast or a function: use TRY_CAST, or filter such rows out",
)
_UNLIKE = (
    "a text has a form that the two engines read as different values",
    "cut it to plain digits, or to a day as 2026-01-31; or ask with --engine duckdb",
)
_STORAGE = (
    "a product's storage failed while Trino read it",
    "ask again to read the newest version; if that fails too, ask with --engine duckdb",
)
_MEMORY = ("out of memory", "aggregate or narrow more, or raise query.memory_bytes_max and run `mesh trino config`")
_LATE = ("stopped by the Trino after its time limit", "narrow the query, or raise query.seconds_max")
_BUSY = ("the Trino has no room for another query", "ask again later, or with --engine duckdb")
_REFUSED = ("Trino cannot run this form of the query", "say it in a simpler form, or ask with --engine duckdb")
_FAILURES: Mapping[tuple[str, str], str] = {
    _MEMORY: "EXCEEDED_LOCAL_MEMORY_LIMIT EXCEEDED_GLOBAL_MEMORY_LIMIT CLUSTER_OUT_OF_MEMORY EXCEEDED_SPILL_LIMIT",
    _LATE: "EXCEEDED_TIME_LIMIT EXCEEDED_CPU_LIMIT ABANDONED_QUERY",
    _BUSY: "QUERY_QUEUE_FULL QUERY_REJECTED",
    _UNLIKE: "GENERIC_USER_ERROR",  # of our own `fail` (`sql.translation.parsed`)
    _LOST: "NO_NODES_AVAILABLE REMOTE_TASK_ERROR REMOTE_TASK_MISMATCH REMOTE_HOST_GONE PAGE_TRANSPORT_TIMEOUT "
    "PAGE_TRANSPORT_ERROR TOO_MANY_REQUESTS_FAILED SERVER_SHUTTING_DOWN EXCHANGE_MANAGER_NOT_CONFIGURED",
    _UNKNOWN: "CATALOG_NOT_FOUND CATALOG_UNAVAILABLE SCHEMA_NOT_FOUND TABLE_NOT_FOUND COLUMN_NOT_FOUND NOT_FOUND "
    "MISSING_CATALOG_NAME INVALID_ARGUMENTS PERMISSION_DENIED",
    _REFUSED: "NOT_SUPPORTED QUERY_TEXT_TOO_LARGE QUERY_HAS_TOO_MANY_STAGES STACK_OVERFLOW COMPILER_ERROR TYPE_MISMATCH "
    "EXPRESSION_NOT_AGGREGATE EXPRESSION_NOT_IN_DISTINCT FUNCTION_NOT_FOUND TOO_MANY_ARGUMENTS NESTED_AGGREGATION "
    "NESTED_WINDOW EXPRESSION_NOT_SCALAR SYNTAX_ERROR MISSING_GROUP_BY MISSING_ORDER_BY OPERATOR_NOT_FOUND",
}
_NAMED = {name: told for told, names in _FAILURES.items() for name in names.split()}
_STORAGES = ("ICEBERG_", "HIVE_", "JDBC_", "PARQUET_", "DELTA_LAKE_", "FILESYSTEM_", "GENERIC_EXTERNAL")


class SilentError(UnreachableError):
    """The coordinator does not answer, or not as a Trino does."""


class StartingError(UnreachableError):
    """The coordinator has just started; it takes queries in some seconds."""


def failure(name: str) -> MeshError:
    """Return what the asker is told of Trino's error of this name."""
    if name in ("USER_CANCELED", "ADMINISTRATIVELY_KILLED", "ADMINISTRATIVELY_PREEMPTED"):
        return cancelled()
    if name == "SERVER_STARTING_UP":
        return StartingError("the Trino is starting", fix="ask again in a minute, or with --engine duckdb")
    what, fix = _NAMED.get(name, _STORAGE if name.startswith(_STORAGES) else _FAILED)
    if (what, fix) in (_LOST, _BUSY):
        return UnreachableError(what, fix=fix)
    return (QueryRejectedError if (what, fix) == _REFUSED else EngineError)(what, fix=fix)


def lost() -> UnreachableError:
    """The coordinator was there when the query began."""
    return UnreachableError("the Trino ended, or could not be reached, before its answer", fix=_LOST[1])


def unreachable(status: int | None = None) -> SilentError:
    """The coordinator does not answer, or not as a Trino does. Its address stays out of it."""
    if status in (401, 403):
        return SilentError("the Trino does not know the door", fix="see MESH_TRINO_USER and MESH_TRINO_PASSWORD")
    told = f" (HTTP {status})" if status else ""
    fix = "see that MESH_TRINO_URL leads to a coordinator that runs, or ask with --engine duckdb"
    return SilentError(f"the Trino does not answer{told}", fix=fix)
