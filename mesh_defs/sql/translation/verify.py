"""What Trino itself makes of a text, compared with what was approved: the tables that it reads, and the fences within it.

Pure: Trino's answers to EXPLAIN come as JSON text (Trino 476). Whatever is not known here is a denial.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from mesh_defs.errors import QueryRejectedError
from mesh_defs.model.query import TrinoTable

# What Trino appends to a name that it needs twice.
_NUMBERED = re.compile(r"\b(\w+?)_\d+\b")

# `$data` and a snapshot: neither a table of metadata nor the newest version.
_ICEBERG = re.compile(r"(\w+):(\w+)\.(\w+)\$data@(\d+)(?= |$)")
_WRITES = re.compile(r"Writer|Commit|Finish|Merge|Delete|Update|Execute|TableFunction")
_MERGES = ("LocalMerge", "RemoteMerge")


def reads_by_name(plan: str, tables: Collection[TrinoTable]) -> bool:
    """Tell whether each scan of a plan names one of these tables at its very snapshot, as Iceberg's connector writes it.

    False for a scan that is written otherwise, or of a table that no snapshot is pinned of, which `verify_reads` can tell.
    QueryRejectedError for another table.
    """
    if any(each.snapshot is None for each in tables):
        return False
    known = {(each.catalog, each.schema, each.name, each.snapshot) for each in tables}
    for handle, _ in _scans(json.loads(plan)):
        found = _ICEBERG.match(handle)
        if found is None:
            return False
        if (found[1], found[2], found[3], int(found[4])) not in known:
            raise _disagreement("it reads a table that was not approved")
    return True


def verify_reads(io: str, tables: Iterable[TrinoTable]) -> None:
    """Raise QueryRejectedError unless Trino reads these tables only; `io` is its EXPLAIN (TYPE IO, FORMAT JSON). One that
    it need not read, for a condition that is never true, may be missing."""
    known = {(each.catalog, each.schema, each.name) for each in tables}
    told = json.loads(io)
    if "outputTable" in told:
        raise _disagreement("it would write")
    for each in told["inputTableColumnInfos"]:
        table = each["table"]
        name = (table["catalog"], table["schemaTable"]["schema"], table["schemaTable"]["table"])
        if name not in known:
            raise _disagreement("it reads a table that was not approved")


def verify_fences(plan: str, guards: Iterable[str]) -> None:
    """Raise QueryRejectedError unless every scan of a guarded table has that guard's condition beside it and nothing of the
    asker's. `plan` and each of `guards`, planned alone, are EXPLAIN (TYPE LOGICAL, FORMAT JSON)."""
    wanted = {scan for guard in guards for scan in _scans(json.loads(guard))}
    guarded = {_table(handle) for handle, _ in wanted}
    for handle, condition in _scans(json.loads(plan)):
        if _table(handle) in guarded and (_table(handle), condition) not in {(_table(h), c) for h, c in wanted}:
            raise _disagreement("a condition would stand beside a rule that hides rows")


def verify_moments(plan: str, tables: Iterable[TrinoTable]) -> None:
    """Raise QueryRejectedError when Trino would scan tables of one catalog that keep no versions more than once: it does so
    at different moments, between which another system may write. `plan`: as of `verify_fences`."""
    given = tuple(tables)
    pinned = {f"{each.schema}.{each.name}" for each in given if not each.live}
    words = [re.split(r"[\s:]+", handle) for handle, _ in _scans(json.loads(plan))]
    scans = Counter(each[0] for each in words if pinned.isdisjoint(each))
    if any(scans[each.catalog] > 1 for each in given if each.live):
        raise _disagreement("it would read another system's table twice, at two moments, where DuckDB reads at one")


def _scans(node: Any) -> Iterator[tuple[str, str]]:
    """The table, as its connector writes it, and the condition of each scan."""
    pending = [node]
    while pending:
        node = pending.pop()
        described = node["descriptor"]
        if _WRITES.search(node["name"]) and node["name"] not in _MERGES:
            raise _disagreement("it would do more than read")
        if "table" in described:
            yield described["table"], _NUMBERED.sub(r"\1", described.get("filterPredicate", ""))
        elif "Scan" in node["name"]:
            raise _disagreement("it plans a scan of no table")
        pending.extend(node["children"])


def _table(handle: str) -> str:
    """A handle without the columns that it reads, which differ from use to use."""
    return re.sub(r" columns=\[.*?\]", "", handle)


def _disagreement(what: str) -> QueryRejectedError:
    fix = "say it in a simpler form, or ask with --engine duckdb"
    return QueryRejectedError(f"what Trino makes of the query cannot be verified: {what}", fix=fix)
