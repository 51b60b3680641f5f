"""What Trino's OPA plugin asks, as values. Its protocol: docs of Trino, "Open Policy Agent access control"."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question about one thing. Names are as Trino has them: lower case. What the thing lacks is empty.

    `columns` of a table; `routine`: a procedure's name; `query`: its id, which Trino 476 does not tell.
    """

    user: str
    query: str
    operation: str
    catalog: str = ""
    schema: str = ""
    table: str = ""
    columns: tuple[str, ...] = ()
    routine: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        """Catalog, schema and table."""
        return self.catalog, self.schema, self.table


def asked(body: Mapping[str, Any]) -> Asked:
    """Read a question about one resource. KeyError or TypeError for what is none: nothing may be allowed then."""
    return _about(body["input"], body["input"]["action"].get("resource") or {})


def each_asked(body: Mapping[str, Any]) -> Iterator[Asked]:
    """Read a question about many resources, one after the other; columns of one table count as many."""
    action = body["input"]["action"]
    resources = action["filterResources"]
    if action["operation"] == "FilterColumns":
        (resource,) = resources
        for column in resource["table"]["columns"]:
            yield _about(body["input"], {"table": {**resource["table"], "columns": [column]}})
        return
    for resource in resources:
        yield _about(body["input"], resource)


def _about(told: Mapping[str, Any], resource: Mapping[str, Any]) -> Asked:
    context, action = told["context"], told["action"]
    column, table, schema = (resource.get(name) or {} for name in ("column", "table", "schema"))
    function = resource.get("function") or {}
    named = {**schema, **table, **column, **function}
    columns = [column["columnName"]] if column else table.get("columns") or ()
    return Asked(
        user=str(context["identity"]["user"]),
        query=str(context.get("queryId", "")),
        operation=str(action["operation"]),
        catalog=str(named.get("catalogName") or (resource.get("catalog") or {}).get("name", "")),
        schema=str(named.get("schemaName", "")),
        table=str(named.get("tableName", "")),
        columns=tuple(str(each) for each in columns),
        routine=str(function.get("functionName", "")),
    )
