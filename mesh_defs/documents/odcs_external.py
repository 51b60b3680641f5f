"""Where a contract says that another system keeps its product. Wider than our own places: its writer chose the names."""

import re
from collections.abc import Sequence

from open_data_contract_standard.model import SchemaObject
from open_data_contract_standard.model import Server as DeclaredServer

from mesh_defs.documents.complaints import Complaints
from mesh_defs.errors import nearest
from mesh_defs.model.contract import Server, SourceKind

_FORMATS: tuple[SourceKind, ...] = ("parquet", "delta")
# A step never begins with a dot: neither .. nor what its writer hides.
_PATH = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9_.=-]*(/[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)*/?")
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_=.-]+)*/?")
_IDENTIFIER = re.compile(r"[^\x00-\x1f\x7f\"]{1,63}")
_SCHEMA = re.compile(r"[^\x00-\x1f\x7f\".]{1,63}")
_BELOW = "write a path relative to the domain's storage root, without ..: letters, digits, _, -, =, . and /"
# ODCS server type -> (the field that names the place, what it looks like, how to write it)
_PLACES: dict[str, tuple[str, re.Pattern[str], str]] = {
    "local": ("path", _PATH, _BELOW),
    "duckdb": ("database", _PATH, _BELOW),
    "postgres": ("schema_", _SCHEMA, "write the schema that holds the table"),
    "s3": ("location", _BUCKET, "write s3://bucket/prefix"),
}
# How a server is reached differs between processes and holds secrets: the environment says it (see settings.py).
_REACHED = ("host", "port", "endpointUrl")


def external_servers(declared: Sequence[DeclaredServer], schema: SchemaObject, wrong: Complaints) -> tuple[Server, ...]:
    """Read the servers of an external product, one per environment; the schema's physicalName is the table's name."""
    if not declared:
        wrong.add(
            ("servers",), "missing", "say where the other system keeps it, e.g. `{server: local, type: postgres, …}`"
        )
    found: dict[str, Server] = {}
    for index, each in enumerate(declared):
        environment = each.environment or each.server or "local"
        if environment in found:
            wrong.add(("servers", index), f"a second server for '{environment}'", "keep one per environment")
        elif server := _server(each, environment, index, schema, wrong):
            found[environment] = server
    return tuple(found.values())


def _server(
    declared: DeclaredServer, environment: str, index: int, schema: SchemaObject, wrong: Complaints
) -> Server | None:
    at = ("servers", index)
    if declared.type not in _PLACES:
        found = f"no source of type {declared.type!r}" if declared.type else "missing"
        wrong.add((*at, "type"), found, nearest(declared.type or "", _PLACES))
        return None
    for name in _REACHED:
        if getattr(declared, name) is not None:
            wrong.add((*at, name), "does not belong here", "set MESH_<DOMAIN>_POSTGRES or MESH_<DOMAIN>_S3 instead")
    field, form, fix = _PLACES[declared.type]
    place = getattr(declared, field)
    if not place or not form.fullmatch(place):
        wrong.add((*at, field.rstrip("_")), f"found {place!r}" if place else "missing", fix)
        return None
    kind = _kind(declared, index, wrong)
    table = _table(declared, schema, wrong) if kind in ("postgres", "duckdb") else None
    return Server(environment=environment, kind=kind, place=place.rstrip("/"), table=table)


def _kind(declared: DeclaredServer, index: int, wrong: Complaints) -> SourceKind:
    if declared.type == "postgres":
        return "postgres"
    if declared.type == "duckdb":
        return "duckdb"
    if declared.format not in _FORMATS:
        found = f"found {declared.format!r}" if declared.format else "missing"
        wrong.add(("servers", index, "format"), found, "write `format: parquet` or `format: delta`")
    if declared.format == "delta":
        return "delta"
    return "s3" if declared.type == "s3" else "parquet"


def _table(declared: DeclaredServer, schema: SchemaObject, wrong: Complaints) -> str:
    """The table's name; of a DuckDB file with its schema before the first dot."""
    table = schema.physicalName or schema.name or ""
    if not _IDENTIFIER.fullmatch(table):
        wrong.add(
            ("schema", 0, "physicalName"), f"found {table!r}", "write the table's name there, of 1 to 63 characters"
        )
    return f"{declared.schema_ or 'main'}.{table}" if declared.type == "duckdb" else table
